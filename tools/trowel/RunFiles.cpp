// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/RunFiles.h"

#include "frontend/Reference/Types.h"
#include "frontend/Sema/Suggest.h"
#include "runtime/Host/File.h"
#include "runtime/Host/Npy.h"
#include "tools/trowel/Messages.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace trowel::tool {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end; (end = text.find(separator, begin)) != std::string::npos;
       begin = end + 1)
    parts.push_back(text.substr(begin, end - begin));
  parts.push_back(text.substr(begin));
  return parts;
}

bool isArchive(const std::string &path) {
  return fs::path(path).extension() == ".npz";
}

/// Adds an array under a name that must be new.
bool add(host::ArrayMap &arrays, const std::string &name, host::Array array) {
  bool isNew = arrays.emplace(name, std::move(array)).second;
  if (!isNew)
    fail("`" + name + "` is given twice in --in");
  return isNew;
}

bool readItem(const FileItem &item, host::ArrayMap &arrays) {
  std::string error;
  if (!item.name.empty()) {
    std::optional<host::Array> array = host::readNpy(item.path, error);
    if (!array) {
      fail("`" + item.name + "`: " + error);
      return false;
    }
    return add(arrays, item.name, std::move(*array));
  }
  std::optional<host::ArrayMap> archive = host::readNpz(item.path, error);
  if (!archive) {
    fail(error);
    return false;
  }
  bool good = true;
  for (auto &[name, array] : *archive)
    good &= add(arrays, name, std::move(array));
  return good;
}

/// Empty if a file can be made at `path`, else why not.
std::string checkPlace(const std::string &path) {
  fs::path folder = fs::path(path).parent_path();
  if (folder.empty())
    folder = ".";
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    return "cannot write `" + path + "`: " + std::strerror(errno);
  std::error_code error;
  return fs::is_directory(path, error)
             ? "cannot write `" + path + "`: it is a folder"
             : "";
}

/// The arrays that files can hold, rounded as they are declared.
host::ArrayMap arraysOf(const std::vector<Writable> &values,
                        const TensorMap &results,
                        const std::optional<host::Array> &carry, bool raw) {
  host::ArrayMap arrays;
  for (const Writable &value : values) {
    Tensor tensor = results.at(value.name);
    roundToType(tensor, value.dtype);
    arrays[value.name] = host::fromTensor(tensor, value.dtype, raw);
  }
  if (carry && !arrays.count(carryName))
    arrays[carryName] = *carry;
  return arrays;
}

/// Writes one item under its partial name; empty or what went wrong.
std::string writePartial(const FileItem &item, host::ArrayMap arrays) {
  std::string partial = host::partialName(item.path);
  if (!item.name.empty())
    return host::writeNpy(partial, arrays.at(item.name));
  auto carry = arrays.find(carryName);
  if (carry != arrays.end() && carry->second.bytes.empty())
    arrays.erase(carry); // there is nothing to carry on
  return host::writeNpz(partial, arrays);
}

} // namespace

std::optional<std::vector<FileItem>>
parseItems(const std::string &option, const std::vector<std::string> &texts) {
  std::vector<FileItem> items;
  for (const std::string &text : texts)
    for (const std::string &part : split(text, ',')) {
      size_t equals = part.find('=');
      FileItem item{"", part};
      if (equals != std::string::npos)
        item = {part.substr(0, equals), part.substr(equals + 1)};
      bool isGood = equals == std::string::npos
                        ? isArchive(part)
                        : !item.name.empty() && !item.path.empty() &&
                              !isArchive(item.path);
      if (!isGood) {
        fail("`" + option + " " + part +
             "` is neither NAME=FILE.npy nor an archive, ALL.npz");
        return std::nullopt;
      }
      items.push_back(item);
    }
  return items;
}

std::optional<host::ArrayMap> readInputs(const std::vector<FileItem> &items) {
  host::ArrayMap arrays;
  bool good = true;
  for (const FileItem &item : items)
    good &= readItem(item, arrays);
  if (!good)
    return std::nullopt;
  return arrays;
}

std::vector<Writable> writables(const Program &program) {
  std::vector<Writable> values;
  for (const auto *list : {&program.outputs, &program.states})
    for (const Declaration &declaration : *list)
      values.push_back({declaration.name, declaration.dtype});
  std::vector<DType> debugTypes(program.debugs.size(), DType::F32);
  for (const Statement &statement : program.body)
    if (statement.kind == Statement::Kind::Debug &&
        statement.value->scalar == Expr::Scalar::Integer)
      debugTypes[static_cast<size_t>(statement.target)] = DType::I32;
  for (size_t i = 0; i < debugTypes.size(); ++i)
    values.push_back({"debug." + std::to_string(i), debugTypes[i]});
  return values;
}

bool declares(const Program &program, const std::string &name) {
  for (const auto *list :
       {&program.inputs, &program.params, &program.states, &program.outputs})
    for (const Declaration &declaration : *list)
      if (declaration.name == name)
        return true;
  return false;
}

bool checkOutputs(const Program &program, const std::vector<FileItem> &items,
                  const std::vector<Writable> &values, bool hasCarry) {
  std::vector<std::string> names, paths;
  for (const Writable &value : values)
    names.push_back(value.name);
  if (hasCarry && !declares(program, carryName))
    names.push_back(carryName);
  bool good = true;
  auto say = [&](const std::string &message) {
    fail(message);
    good = false;
  };
  for (const FileItem &item : items) {
    if (!item.name.empty() &&
        !std::count(names.begin(), names.end(), item.name)) {
      std::optional<std::string> near = sema::nearest(item.name, names);
      say("`" + item.name + "` is no output or state of `" + program.name +
          "`; " +
          (near ? "did you mean `" + *near + "`?"
                : "it has " + quoteAll(names)));
    }
    if (std::count(paths.begin(), paths.end(), item.path))
      say("`" + item.path + "` is given twice in --out");
    paths.push_back(item.path);
    if (std::string error = checkPlace(item.path); !error.empty())
      say(error);
  }
  return good;
}

int writeOutputs(const std::vector<FileItem> &items,
                 const std::vector<Writable> &values, const TensorMap &results,
                 const std::optional<host::Array> &carry, bool raw) {
  host::ArrayMap arrays = arraysOf(values, results, carry, raw);
  std::string error;
  size_t written = 0;
  for (; written < items.size() && error.empty(); ++written)
    error = writePartial(items[written], arrays);
  for (size_t i = 0; i < written; ++i) {
    const std::string &path = items[i].path;
    if (error.empty())
      error = host::replaceFile(host::partialName(path), path);
    else
      host::discardFile(host::partialName(path), path);
  }
  return error.empty() ? 0 : fail(error);
}

} // namespace trowel::tool
