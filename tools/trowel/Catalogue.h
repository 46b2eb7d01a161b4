// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The programs that come with Trowel.
#ifndef TROWEL_TOOLS_TROWEL_CATALOGUE_H
#define TROWEL_TOOLS_TROWEL_CATALOGUE_H

#include <optional>
#include <string>
#include <vector>

namespace trowel::tool {

struct Example {
  std::string name;
  std::string path;
};

/// The folder of the catalogue: $TROWEL_EXAMPLES, else share/trowel/examples
/// beside the folder of the executable, else that of the sources it was built
/// from. Empty if there is none.
std::string catalogueFolder();

/// Every .trowel file of the catalogue, by name.
std::vector<Example> catalogue();

std::optional<Example> findExample(const std::string &name);

/// What the comment above an example says of its origin.
struct Origin {
  std::string title; // the first sentence
  std::string year;  // the first year after it; empty if there is none
};
Origin originOf(const std::string &comment);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_CATALOGUE_H
