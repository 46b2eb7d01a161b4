// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Host/Arguments.h"
#include "test/unit/Checked.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace trowel;
using namespace trowel::host;
using namespace trowel::test;

namespace {

Program gated() {
  return checkedProgram(R"(
    attention gated(K = 4, V = 2) {
      in query : bf16[K]
      in k     : bf16[K] grouped
      in v     : bf16[V]
      in g     : f32 <= 0
      in n     : i32 shared
      param w  : f32[K] in (0, 1]
      state S  : f32[K, V]
      S *= exp(g)
      S += k * v
      out o : bf16[V] = (query * w) @ S + n
    })");
}

Array zeros(ElementType type, std::vector<int64_t> shape) {
  Array array{type, std::move(shape), ""};
  array.bytes.resize(Tensor(array.shape).data.size() * sizeOf(type));
  return array;
}

Array floats(std::vector<int64_t> shape, std::vector<float> values) {
  Array array = zeros(ElementType::F32, std::move(shape));
  std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  return array;
}

Array offsets(std::vector<int32_t> values) {
  Array array = zeros(ElementType::I32, {static_cast<int64_t>(values.size())});
  std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  return array;
}

/// B = 2, T = 3, H = 4, G = 2.
ArrayMap fitting() {
  return {{"query", zeros(ElementType::F32, {2, 3, 4, 4})},
          {"k", zeros(ElementType::U16, {2, 3, 2, 4})},
          {"v", zeros(ElementType::F32, {2, 3, 4, 2})},
          {"g", zeros(ElementType::F32, {2, 3, 4})},
          {"n", zeros(ElementType::I64, {2, 3})},
          {"w", floats({4, 4}, std::vector<float>(16, 0.5f))}};
}

/// The messages, one a line.
std::string errorsOf(const ArrayMap &arrays, BindOptions options = {}) {
  std::vector<std::string> errors;
  std::optional<Call> call = bindArguments(gated(), arrays, options, errors);
  EXPECT_EQ(call.has_value(), errors.empty());
  std::string text;
  for (const std::string &error : errors)
    text += error + "\n";
  return text;
}

TEST(Arguments, FindsTheSizes) {
  std::vector<std::string> errors;
  ArrayMap arrays = fitting();
  arrays["S"] = zeros(ElementType::F32, {2, 4, 4, 2});
  std::optional<Call> call = bindArguments(gated(), arrays, {}, errors);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->batch.batch, 2);
  EXPECT_EQ(call->batch.tokens, 3);
  EXPECT_EQ(call->batch.heads, 4);
  EXPECT_EQ(call->batch.groups, 2);
  EXPECT_EQ(call->arguments.size(), 7u);
  EXPECT_EQ(call->arguments.at("w").data[0], 0.5);
}

TEST(Arguments, PackedSequences) {
  ArrayMap arrays = {{"query", zeros(ElementType::F32, {1, 6, 4, 4})},
                     {"k", zeros(ElementType::U16, {1, 6, 2, 4})},
                     {"v", zeros(ElementType::F32, {1, 6, 4, 2})},
                     {"g", zeros(ElementType::F32, {1, 6, 4})},
                     {"n", zeros(ElementType::I64, {1, 6})},
                     {"w", zeros(ElementType::F32, {4, 4})},
                     {"S", zeros(ElementType::F32, {3, 4, 4, 2})},
                     {"cu_seqlens", offsets({0, 2, 2, 6})}};
  std::vector<std::string> errors;
  std::optional<Call> call = bindArguments(gated(), arrays, {}, errors);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->batch.cuSeqlens, (std::vector<int64_t>{0, 2, 2, 6}));

  arrays["cu_seqlens"] = offsets({0, 6});
  EXPECT_EQ(errorsOf(arrays), "`S` has N = 3, but there is 1 sequence\n");
  arrays["cu_seqlens"] = offsets({0, 4, 2, 6});
  EXPECT_EQ(errorsOf(arrays),
            "`cu_seqlens` decreases from 4 to 2 at entry 2\n");
  arrays["cu_seqlens"] = offsets({1, 2, 4, 6});
  EXPECT_EQ(errorsOf(arrays), "`cu_seqlens` starts at 1, not at 0\n");
  arrays["cu_seqlens"] = offsets({0, 2, 4, 7});
  EXPECT_EQ(errorsOf(arrays), "`cu_seqlens` ends at 7, not at T = 6\n");
  arrays["cu_seqlens"] = offsets({0});
  EXPECT_EQ(errorsOf(arrays),
            "`cu_seqlens` has N + 1 entries for N sequences, at least 2\n");
  arrays["cu_seqlens"] = zeros(ElementType::F32, {2});
  EXPECT_EQ(errorsOf(arrays),
            "`cu_seqlens` holds float32, not int32 or int64\n");
  arrays["cu_seqlens"] = zeros(ElementType::I32, {2, 2});
  EXPECT_EQ(errorsOf(arrays),
            "`cu_seqlens` has shape [2, 2]; expected [N + 1]\n");
}

TEST(Arguments, PackedSequencesNeedOneRow) {
  ArrayMap arrays = fitting();
  arrays["cu_seqlens"] = offsets({0, 3});
  EXPECT_EQ(errorsOf(arrays), "`cu_seqlens` needs B = 1, not 2\n");
}

TEST(Arguments, NamesWhatIsMissing) {
  ArrayMap arrays = fitting();
  arrays.erase("query");
  arrays.erase("w");
  EXPECT_EQ(errorsOf(arrays), "`query` is missing: [B, T, H, K=4]\n"
                              "`w` is missing: [H, K=4]\n");
}

TEST(Arguments, SuggestsTheNameThatWasMeant) {
  ArrayMap arrays = fitting();
  arrays["qery"] = zeros(ElementType::F32, {1});
  EXPECT_EQ(errorsOf(arrays),
            "`qery` is no argument of `gated`; did you mean `query`?\n");
  arrays.erase("qery");
  arrays["zzzzz"] = zeros(ElementType::F32, {1});
  EXPECT_EQ(errorsOf(arrays), "`zzzzz` is no argument of `gated`\n");
}

TEST(Arguments, NamesTheShapeThatIsExpected) {
  ArrayMap arrays = fitting();
  arrays["v"] = zeros(ElementType::F32, {2, 3, 4, 5});
  EXPECT_EQ(errorsOf(arrays),
            "`v` has shape [2, 3, 4, 5]; expected [B, T, H, V=2]\n");
  arrays["v"] = zeros(ElementType::F32, {2, 3, 2});
  EXPECT_EQ(errorsOf(arrays),
            "`v` has shape [2, 3, 2]; expected [B, T, H, V=2]\n");
  arrays["v"] = zeros(ElementType::F32, {});
  EXPECT_EQ(errorsOf(arrays), "`v` has shape []; expected [B, T, H, V=2]\n");
}

TEST(Arguments, ArgumentsMustAgree) {
  ArrayMap arrays = fitting();
  arrays["v"] = zeros(ElementType::F32, {2, 5, 4, 2});
  arrays["g"] = zeros(ElementType::F32, {1, 3, 4});
  EXPECT_EQ(errorsOf(arrays), "`v` has T = 5, but `query` has T = 3\n"
                              "`g` has B = 1, but `query` has B = 2\n");
  arrays = fitting();
  arrays["w"] = zeros(ElementType::F32, {3, 4});
  EXPECT_EQ(errorsOf(arrays), "`w` has H = 3, but `query` has H = 4\n");
  arrays = fitting();
  arrays["S"] = zeros(ElementType::F32, {3, 4, 4, 2});
  EXPECT_EQ(errorsOf(arrays), "`S` has N = 3, but there are 2 sequences\n");
}

TEST(Arguments, HeadsAreAMultipleOfGroups) {
  ArrayMap arrays = fitting();
  arrays["k"] = zeros(ElementType::F32, {2, 3, 3, 4});
  EXPECT_EQ(errorsOf(arrays), "`query` and `k` do not fit: H = 4 is no "
                              "multiple of G = 3\n");
}

TEST(Arguments, NoTokensIsAnError) {
  ArrayMap arrays = fitting();
  arrays["g"] = zeros(ElementType::F32, {2, 0, 4});
  EXPECT_EQ(errorsOf(arrays), "`g` has T = 0\n");
}

TEST(Arguments, TypesMustFit) {
  ArrayMap arrays = fitting();
  arrays["n"] = zeros(ElementType::F32, {2, 3});
  arrays["g"] = zeros(ElementType::I32, {2, 3, 4});
  EXPECT_EQ(errorsOf(arrays),
            "`g` holds int32, not float32\n"
            "`n` holds float32, not int32 or another integer type\n");
}

TEST(Arguments, GradientsOnRequest) {
  ArrayMap arrays = fitting();
  arrays["do"] = zeros(ElementType::F32, {2, 3, 4, 2});
  arrays["dS"] = zeros(ElementType::F32, {2, 4, 4, 2});
  EXPECT_NE(errorsOf(arrays), "");
  std::vector<std::string> errors;
  std::optional<Call> call = bindArguments(gated(), arrays, {true}, errors);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->gradients.size(), 2u);
  arrays["do"] = zeros(ElementType::F32, {2, 4, 4, 2});
  EXPECT_EQ(errorsOf(arrays, {true}),
            "`do` has T = 4, but `query` has T = 3\n");
}

TEST(Arguments, RangesAreCheckedOnRequest) {
  std::vector<std::string> errors;
  ArrayMap arrays = fitting();
  arrays["g"] = floats({2, 3, 4}, std::vector<float>(24, -1));
  reinterpret_cast<float *>(arrays["g"].bytes.data())[17] = 0.5f;
  reinterpret_cast<float *>(arrays["w"].bytes.data())[5] = 0;
  std::optional<Call> call = bindArguments(gated(), arrays, {}, errors);
  ASSERT_TRUE(call);
  EXPECT_EQ(checkRanges(gated(), *call),
            (std::vector<std::string>{
                "`g` is 0.5 at [1, 1, 1], but is declared <= 0",
                "`w` is 0 at [1, 1], but is declared in (0, 1]"}));
  call->arguments["g"].data[17] = -std::numeric_limits<double>::infinity();
  call->arguments["w"].data[5] = std::nan("");
  EXPECT_EQ(checkRanges(gated(), *call),
            (std::vector<std::string>{
                "`w` is nan at [1, 1], but is declared in (0, 1]"}));
}

} // namespace
