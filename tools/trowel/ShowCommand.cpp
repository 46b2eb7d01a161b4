// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel show NAME`: a program of the catalogue.
#include "frontend/Sema/Suggest.h"
#include "runtime/Host/File.h"
#include "tools/trowel/Catalogue.h"
#include "tools/trowel/Commands.h"
#include "tools/trowel/Messages.h"

#include <iostream>

namespace trowel::tool {

int runShow(const std::string &name) {
  std::optional<Example> example = findExample(name);
  if (!example) {
    std::vector<std::string> names;
    for (const Example &other : catalogue())
      names.push_back(other.name);
    std::optional<std::string> near = sema::nearest(name, names);
    return fail(
        "there is no example `" + name + "`; " +
        (near ? "did you mean `" + *near + "`?" : "`trowel list` names them"));
  }
  std::string error;
  std::optional<std::string> text = host::readFile(example->path, error);
  if (!text)
    return fail(error);
  std::cout << *text << std::flush;
  return std::cout ? 0 : fail("cannot write to the standard output");
}

} // namespace trowel::tool
