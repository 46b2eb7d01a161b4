// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A host in C++. It runs docs/getting-started/my_rule.trowel over three
// sequences of different lengths, packed one behind the other, on threads of
// its own, and then each sequence alone.
//
//   trowel build docs/getting-started/my_rule.trowel -o my_rule.so
//   c++ -std=c++17 host.cpp -I. -I"$PREFIX/include" ./my_rule.so -o host
#include "my_rule.h"

#include <iostream>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

constexpr int64_t H = 4, K = my_rule_size_K, V = my_rule_size_V;

/// Memory and what DLPack says of it.
template <typename T> class Array {
public:
  Array(std::vector<int64_t> extents, DLDataType type)
      : shape(std::move(extents)) {
    size_t count = 1;
    for (int64_t extent : shape)
      count *= static_cast<size_t>(extent);
    values.resize(count);
    tensor.data = values.data();
    tensor.device = {kDLCPU, 0};
    tensor.ndim = static_cast<int32_t>(shape.size());
    tensor.dtype = type;
    tensor.shape = shape.data();
  }
  Array(const Array &) = delete;

  /// The rows [first, first + rows) of axis 1, sharing the memory.
  DLTensor rows(int64_t first, std::vector<int64_t> &extents) {
    size_t row = values.size() / static_cast<size_t>(shape[1]);
    DLTensor part = tensor;
    part.data = values.data() + row * static_cast<size_t>(first);
    part.shape = extents.data();
    return part;
  }

  std::vector<int64_t> shape;
  std::vector<T> values;
  DLTensor tensor{};
};

using Floats = Array<float>;
constexpr DLDataType f32{kDLFloat, 32, 1}, i32{kDLInt, 32, 1};

void fill(Floats &array, float low, float high) {
  static std::mt19937 random(1);
  std::uniform_real_distribution<float> values(low, high);
  for (float &x : array.values)
    x = values(random);
}

void check(int32_t status) {
  if (status != TROWEL_OK)
    throw std::runtime_error(my_rule_last_error());
}

void onThreads(void *, int32_t count, void (*body)(void *, int32_t),
               void *context) {
  std::vector<std::thread> threads;
  for (int32_t i = 0; i < count; ++i)
    threads.emplace_back(body, context, i);
  for (std::thread &thread : threads)
    thread.join();
}

bool run() {
  const std::vector<int32_t> offsets = {0, 70, 70, 200}; // one is empty
  const int64_t T = offsets.back(), N = 3;
  Floats q({1, T, H, K}, f32), k({1, T, H, K}, f32), v({1, T, H, V}, f32),
      beta({1, T, H}, f32), keep({1, T, H}, f32), o({1, T, H, V}, f32),
      again({1, T, H, V}, f32), S({N, H, K, V}, f32);
  fill(q, -1, 1);
  fill(k, -1, 1);
  fill(v, -1, 1);
  fill(beta, 0, 1);
  fill(keep, 0.8f, 1);
  Array<int32_t> cu({N + 1}, i32);
  cu.values = offsets;
  cu.tensor.data = cu.values.data();

  std::vector<const DLTensor *> tensors(my_rule_tensor_count);
  tensors[my_rule_in_q] = &q.tensor;
  tensors[my_rule_in_k] = &k.tensor;
  tensors[my_rule_in_v] = &v.tensor;
  tensors[my_rule_in_beta] = &beta.tensor;
  tensors[my_rule_in_keep] = &keep.tensor;
  tensors[my_rule_out_o] = &o.tensor;
  tensors[my_rule_state_out_S] = &S.tensor;
  trowel_call call = trowel_new_call();
  call.tensors = tensors.data();
  call.tensor_count = my_rule_tensor_count;
  call.cu_seqlens = &cu.tensor;
  call.threads = 3;
  call.parallel_for = onThreads;
  check(my_rule_forward(&call));

  // Alone, on the library's own threads, without final states.
  call.cu_seqlens = nullptr;
  call.parallel_for = nullptr;
  for (size_t n = 0; n < N; ++n) {
    int64_t first = offsets[n], tokens = offsets[n + 1] - first;
    std::vector<int64_t> keys{1, tokens, H, K}, values{1, tokens, H, V},
        scalars{1, tokens, H};
    DLTensor parts[] = {q.rows(first, keys),       k.rows(first, keys),
                        v.rows(first, values),     beta.rows(first, scalars),
                        keep.rows(first, scalars), again.rows(first, values)};
    for (int i = 0; i < 6; ++i)
      tensors[i] = &parts[i]; // inputs, then the output, as they are declared
    tensors[my_rule_state_out_S] = nullptr;
    check(my_rule_forward(&call));
  }
  return o.values == again.values;
}

} // namespace

int main() {
  try {
    bool same = run();
    std::cout << "packed and alone give the same bits: "
              << (same ? "yes" : "no") << '\n';
    return same ? 0 : 1;
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
