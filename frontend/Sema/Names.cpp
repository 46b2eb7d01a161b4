// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Sema/Names.h"

#include "frontend/Sema/FunctionTable.h"

#include <algorithm>
#include <map>

namespace trowel::sema {

static const std::vector<std::pair<std::string, DType>> dtypes = {
    {"f32", DType::F32}, {"tf32", DType::TF32}, {"bf16", DType::BF16},
    {"f16", DType::F16}, {"e4m3", DType::E4M3}, {"e5m2", DType::E5M2},
    {"i32", DType::I32},
};

std::optional<DType> dtypeNamed(const std::string &name) {
  for (const auto &[spelling, dtype] : dtypes)
    if (spelling == name)
      return dtype;
  return std::nullopt;
}

std::vector<std::string> dtypeNames() {
  std::vector<std::string> names;
  for (const auto &[spelling, dtype] : dtypes)
    names.push_back(spelling);
  return names;
}

std::vector<std::string> functionNames() {
  std::vector<std::string> names;
  for (const BuiltinFunction &function : builtinFunctions())
    names.push_back(function.name);
  return names;
}

bool isFunction(const std::string &name) { return builtinNamed(name); }

bool isReserved(const std::string &name) { return !reservedFor(name).empty(); }

std::string reservedFor(const std::string &name) {
  static const std::map<std::string, std::string> words = {
      {"t", "the position in the sequence"},
      {"heads", "the axis of heads"},
      {"group", "the heads of a group"},
      {"inf", "a constant"},
      {"pi", "a constant"},
  };
  auto word = words.find(name);
  if (word != words.end())
    return word->second;
  if (dtypeNamed(name))
    return "a type";
  return isFunction(name) ? "a function" : "";
}

std::string dtypeAlias(const std::string &name) {
  static const std::map<std::string, std::string> aliases = {
      {"fp32", "f32"},   {"float32", "f32"},   {"float", "f32"},
      {"single", "f32"}, {"fp16", "f16"},      {"float16", "f16"},
      {"half", "f16"},   {"bfloat16", "bf16"}, {"bfloat", "bf16"},
      {"fp8", "e4m3"},   {"float8", "e4m3"},   {"f8", "e4m3"},
      {"int", "i32"},    {"int32", "i32"},     {"bf8", "e5m2"},
      {"f64", "f32"},    {"float64", "f32"},   {"double", "f32"},
      {"int64", "i32"},  {"i64", "i32"},       {"bool", "i32"},
  };
  auto alias = aliases.find(name);
  return alias == aliases.end() ? "" : alias->second;
}

std::string functionAdvice(const std::string &name) {
  static const std::map<std::string, std::string> advice = {
      {"pow", "write a power as `a^b`"},
      {"power", "write a power as `a^b`"},
      {"square", "write `x^2`"},
      {"matmul", "write a product that sums over the shared axes as `a @ b`"},
      {"dot", "write a product that sums over the shared axes as `a @ b`"},
      {"mm", "write a product that sums over the shared axes as `a @ b`"},
      {"einsum", "write `a * b` over the union of the axes, `a @ b` to sum "
                 "over the shared ones"},
      {"outer", "`a * b` is the outer product when their axes differ"},
      {"transpose", "axes have names and no order: there is nothing to "
                    "transpose; `x[K -> J]` renames one"},
      {"cumsum", "the running sum over the sequence is `prefix_sum(x)`"},
      {"detach", "a value without gradient is `stop(x)`"},
      {"stop_gradient", "a value without gradient is `stop(x)`"},
      {"l2norm",
       "`normalize[K](x)` has length one, `norm[K](x)` is the length"},
      {"swish", "it is called `silu`"},
      {"concat",
       "there is no concatenation: keep the parts as separate values"},
      {"ceil", "write `-floor(-x)`"},
      {"log2", "write `log(x) / log(2)`"},
      {"exp2", "write `2^x`"},
      {"maximum", "write `max(a, b)`"},
      {"minimum", "write `min(a, b)`"},
      {"if", "a choice is `where(condition, a, b)`"},
      {"select", "a choice is `where(condition, a, b)`"},
      {"logsoftmax", "write `x - max[K](x) - log(sum[K](exp(x - max[K](x))))`"},
  };
  auto found = advice.find(name);
  return found == advice.end() ? "" : found->second;
}

} // namespace trowel::sema
