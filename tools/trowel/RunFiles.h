// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `NAME=FILE` lists of `trowel run`: what comes from which file and what
// goes to which.
#ifndef TROWEL_TOOLS_TROWEL_RUNFILES_H
#define TROWEL_TOOLS_TROWEL_RUNFILES_H

#include "frontend/AST/Program.h"
#include "runtime/Host/Array.h"

#include <optional>
#include <string>
#include <vector>

namespace trowel::tool {

/// One item of --in or --out; without a name the file is an archive (.npz).
struct FileItem {
  std::string name;
  std::string path;
};

/// Parses "q=q.npy,k=k.npy" and "all.npz". Nothing after an error, which is
/// printed: `option` is what the user wrote it behind.
std::optional<std::vector<FileItem>>
parseItems(const std::string &option, const std::vector<std::string> &texts);

/// Reads every file. Nothing after errors, which are printed.
std::optional<host::ArrayMap> readInputs(const std::vector<FileItem> &items);

/// What a run of a program can write: outputs, final states, debug values.
struct Writable {
  std::string name;
  DType dtype;
};
std::vector<Writable> writables(const Program &program);

/// What delays, running sums and the position are called in files, together.
constexpr const char *carryName = "carry";

/// Whether one of the program's tensors has that name.
bool declares(const Program &program, const std::string &name);

/// Whether `items` ask for what is among `values` and the places can be written
/// to; prints what is wrong. Nothing needs to have run. `hasCarry`: the carry
/// may be asked for.
bool checkOutputs(const Program &program, const std::vector<FileItem> &items,
                  const std::vector<Writable> &values, bool hasCarry);

/// Writes what `items` ask for, each value rounded to its declared type, as f32
/// or, with `raw`, as that type's bits; the carry as it is. Either all files
/// are written or none; the result is the exit status.
int writeOutputs(const std::vector<FileItem> &items,
                 const std::vector<Writable> &values, const TensorMap &results,
                 const std::optional<host::Array> &carry, bool raw);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_RUNFILES_H
