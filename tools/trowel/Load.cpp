// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/Load.h"

#include "frontend/Grammar/Parser.h"
#include "frontend/Sema/Suggest.h"
#include "runtime/Host/File.h"
#include "tools/trowel/Catalogue.h"
#include "tools/trowel/Messages.h"

#include <charconv>
#include <iostream>

namespace trowel::tool {
namespace {

/// Prints `diagnostics`; whether one of them is an error.
bool report(const std::vector<Diagnostic> &diagnostics,
            const SourceFile &source) {
  bool failed = false;
  for (const Diagnostic &diagnostic : diagnostics) {
    std::cerr << render(diagnostic, source);
    failed |= diagnostic.severity == Diagnostic::Severity::Error;
  }
  return failed;
}

std::optional<SourceFile> readSource(const std::string &path) {
  std::string error;
  if (std::optional<std::string> text = host::readFile(path, error))
    return SourceFile{path, std::move(*text)};
  fail(error);
  if (findExample(path))
    std::cerr << "  help: `trowel show " << path << " > " << path
              << ".trowel` copies it from the catalogue\n";
  return std::nullopt;
}

std::optional<CheckOptions> parseSizes(const std::vector<std::string> &sizes) {
  CheckOptions options;
  for (const std::string &text : sizes) {
    size_t equals = text.find('=');
    int64_t value = 0;
    const char *end = text.data() + text.size();
    std::from_chars_result result{text.data(), std::errc::invalid_argument};
    if (equals != std::string::npos && equals > 0)
      result = std::from_chars(text.data() + equals + 1, end, value);
    if (result.ec != std::errc() || result.ptr != end) {
      fail("`-D " + text + "` is not NAME=NUMBER, such as `-D K=64`");
      return std::nullopt;
    }
    std::string name = text.substr(0, equals);
    for (const auto &[other, otherValue] : options.sizes)
      if (other == name && otherValue != value) {
        fail("-D sets `" + name + "` to " + std::to_string(otherValue) +
             " and to " + std::to_string(value));
        return std::nullopt;
      }
    options.sizes.emplace_back(name, value);
  }
  return options;
}

std::vector<std::string> attentionNames(const syntax::File &file) {
  std::vector<std::string> names;
  for (const syntax::Attention &attention : file.attentions)
    names.push_back(attention.name.text);
  return names;
}

/// The attention called `name`, or says which ones there are.
const syntax::Attention *findAttention(const syntax::File &file,
                                       const std::string &name,
                                       const std::string &path) {
  for (const syntax::Attention &attention : file.attentions)
    if (attention.name.text == name)
      return &attention;
  std::vector<std::string> names = attentionNames(file);
  std::optional<std::string> near = sema::nearest(name, names);
  fail("`" + path + "` has no attention `" + name + "`" +
       (near ? "; did you mean `" + *near + "`?"
             : "; it has " + quoteAll(names)));
  return nullptr;
}

/// The attentions of `file` that the request is about; none after an error.
std::vector<const syntax::Attention *> select(const syntax::File &file,
                                              const ProgramRequest &request) {
  std::vector<const syntax::Attention *> selected;
  if (!request.attention.empty()) {
    if (const syntax::Attention *only =
            findAttention(file, request.attention, request.path))
      selected.push_back(only);
    return selected;
  }
  for (const syntax::Attention &attention : file.attentions)
    selected.push_back(&attention);
  if (selected.empty())
    fail("`" + request.path + "` has no attention");
  return selected;
}

} // namespace

std::vector<Loaded> loadAll(const ProgramRequest &request, Timings &timings) {
  std::optional<CheckOptions> options = parseSizes(request.sizes);
  if (!options)
    return {};
  std::optional<SourceFile> source = readSource(request.path);
  if (!source)
    return {};
  ParseResult parsed = timings.measure("parse", [&] { return parse(*source); });
  if (report(parsed.diagnostics, *source))
    return {};
  auto file = std::make_shared<syntax::File>(std::move(parsed.file));
  std::vector<Loaded> programs;
  bool failed = false;
  for (const syntax::Attention *attention : select(*file, request)) {
    CheckResult result = timings.measure(
        "check", [&] { return check(*file, *attention, *options); });
    report(result.diagnostics, *source);
    failed |= !result.program;
    if (result.program)
      programs.push_back(
          {*source, file, attention, *options, std::move(*result.program)});
  }
  if (failed)
    programs.clear();
  return programs;
}

std::optional<Loaded> load(const ProgramRequest &request, Timings &timings) {
  std::vector<Loaded> programs = loadAll(request, timings);
  if (programs.empty())
    return std::nullopt;
  if (programs.size() > 1) {
    fail("`" + request.path + "` has several attentions; choose one with " +
         "--attention: " + quoteAll(attentionNames(*programs.front().file)));
    return std::nullopt;
  }
  return std::move(programs.front());
}

} // namespace trowel::tool
