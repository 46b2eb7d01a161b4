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
    auto text = [&](StringRef key) { return entry.getAs<StringAttr>(key).str(); };
    HeadReduction reduction{text("name"), *rec::symbolizeReduceKind(text("kind")),
                            *rec::symbolizeSharingKind(text("to"))};
    program->walk([&](rec::OutputOp output) {
      if (output.getName() == reduction.name)
        reduction.integer = output.getDtype() == rec::DTypeKind::I32;
    });
    result.push_back(reduction);
  }
  return result;
}

} // namespace trowel
