// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Chunk/HeadReduction.h"

using namespace mlir;

namespace trowel {

std::vector<HeadReduction> headReductions(Operation *program) {
  std::vector<HeadReduction> result;
  auto heads = program->getAttrOfType<ArrayAttr>("heads");
  if (!heads)
    return result;
  for (auto entry : heads.getAsRange<DictionaryAttr>()) {
    auto text = [&](StringRef key) {
      return entry.getAs<StringAttr>(key).str();
    };
    HeadReduction reduction{text("name"),
                            *rec::symbolizeReduceKind(text("kind")),
                            *rec::symbolizeSharingKind(text("to"))};
    program->walk([&](rec::OutputOp output) {
      if (output.getName() == reduction.name)
        reduction.integer = output.getDtype() == rec::DTypeKind::I32;
    });
    result.push_back(reduction);
  }
  return result;
}

/// One element over the members of a group, `stride` apart.
static double reduceElement(const HeadReduction &reduction, const double *first,
                            int64_t members, int64_t stride) {
  double value = *first;
  for (int64_t head = 1; head < members; ++head) {
    double next = first[head * stride];
    if (reduction.kind != rec::ReduceKind::Max)
      value += next;
    else if (next > value || next != next)
      value = next;
  }
  if (reduction.kind == rec::ReduceKind::Mean)
    value /= static_cast<double>(members);
  if (reduction.integer)
    value = static_cast<int32_t>(static_cast<int64_t>(value));
  return value;
}

Tensor reduceHeads(const HeadReduction &reduction, const Tensor &operand,
                   const Batch &batch) {
  bool grouped = reduction.to == rec::SharingKind::Grouped;
  std::vector<int64_t> shape = operand.shape;
  shape.erase(shape.begin() + 2);
  if (grouped)
    shape.insert(shape.begin() + 2, batch.groups);
  Tensor result(shape);
  int64_t targets = batch.batch * batch.tokens * (grouped ? batch.groups : 1);
  if (targets == 0)
    return result;
  int64_t members = grouped ? batch.heads / batch.groups : batch.heads;
  int64_t size = result.elementCount() / targets;
  for (int64_t i = 0; i < targets; ++i)
    for (int64_t j = 0; j < size; ++j)
      result.data[i * size + j] =
          reduceElement(reduction, operand.data.data() + i * members * size + j,
                        members, size);
  return result;
}

Tensor unreduceHeads(const HeadReduction &reduction, const Tensor &operand,
                     const Tensor &result, const Tensor &gradient,
                     const Batch &batch) {
  bool grouped = reduction.to == rec::SharingKind::Grouped;
  Tensor spread(operand.shape);
  int64_t targets = batch.batch * batch.tokens * (grouped ? batch.groups : 1);
  if (targets == 0)
    return spread;
  int64_t members = grouped ? batch.heads / batch.groups : batch.heads;
  int64_t size = result.elementCount() / targets;
  double share = reduction.kind == rec::ReduceKind::Mean
                     ? 1 / static_cast<double>(members)
                     : 1;
  for (int64_t i = 0; i < targets * size; ++i)
    for (int64_t head = 0; head < members; ++head) {
      int64_t at = (i / size * members + head) * size + i % size;
      if (reduction.kind == rec::ReduceKind::Max &&
          operand.data[at] != result.data[i])
        continue;
      spread.data[at] = share * gradient.data[i];
      if (reduction.kind == rec::ReduceKind::Max)
        break;
    }
  return spread;
}

} // namespace trowel
