// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel new NAME`: a first program to change, with the language explained.
#include "frontend/Grammar/Parser.h"
#include "frontend/Sema/Sema.h"
#include "tools/trowel/Commands.h"
#include "tools/trowel/Messages.h"

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

namespace trowel::tool {
namespace {

constexpr const char *templateName = "NAME";
constexpr const char *templateText =
    R"(// What this is, and where it is from: title, authors, year.
//
// A program says what one head does at one token. Chunks, batches, heads and
// variable lengths are derived from it.
attention NAME(K = 64, V = 64) {        // sizes; -D K=128 sets another
  in q, k  : f32[K]                     // given for each token and head
  in v     : f32[V]
  in beta  : f32 in [0, 1]              // a range is a promise that is checked
  in keep  : f32 in [0, 1]
  state S  : f32[K, V]                  // carried from token to token, from zero

  let kn = normalize(k)                 // along K, its only axis
  S *= keep                             // forget
  S += beta * kn * (v - kn @ S)         // write what S does not yet say:
                                        //   kn @ S sums over K, which both have;
                                        //   kn * (...) is the outer product
  out o : f32[V] = K^-0.5 * (q @ S)     // reads S after the updates above
}
)";

bool isIdentifier(const std::string &name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])))
    return false;
  for (unsigned char c : name)
    if (c >= 128 || (!std::isalnum(c) && c != '_'))
      return false;
  return true;
}

std::string textFor(const std::string &name) {
  std::string text = templateText;
  return text.replace(text.find(templateName), std::strlen(templateName), name);
}

/// Words of the language are identifiers by their letters only.
bool compiles(const std::string &text) {
  ParseResult parsed = parse({"", text});
  return parsed.file.attentions.size() == 1 &&
         check(parsed.file, parsed.file.attentions[0]).program;
}

} // namespace

int runNew(const std::string &name) {
  if (!isIdentifier(name))
    return fail("`" + name +
                "` cannot name an attention: a name has letters, "
                "digits and _, and begins with no digit");
  std::string text = textFor(name), path = name + ".trowel";
  if (!compiles(text))
    return fail("`" + name +
                "` cannot name an attention: it is a word of the "
                "language or a name in the template");
  // "x": fails if the file is there, also when it appears just now.
  std::FILE *file = std::fopen(path.c_str(), "wx");
  if (!file)
    return fail(errno == EEXIST
                    ? "`" + path + "` exists; nothing was written"
                    : "cannot write `" + path + "`: " + std::strerror(errno));
  bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) {
    std::remove(path.c_str());
    return fail("cannot write `" + path + "`: " + std::strerror(errno));
  }
  std::cout << "wrote " << path << "\n  trowel check " << path
            << "      compares every derived form with its meaning\n"
            << "  trowel explain " << path
            << "    shows what the compiler makes of it\n";
  return 0;
}

} // namespace trowel::tool
