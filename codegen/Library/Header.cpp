// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Header.h"

#include "frontend/Sema/Print.h"

#include "llvm/Support/raw_ostream.h"

namespace trowel::library {

const char *const headerMark = "/* Made by trowel ";

namespace {

/// What null means there, if anything.
const char *nullOf(const TensorEntry &entry) {
  bool isGiven = entry.role == Role::Input || entry.role == Role::InitialState;
  if (entry.isRequired())
    return "";
  if (entry.isGradient && isGiven)
    return ", or null: zero";
  return entry.role == Role::InitialState ? ", or null: as the program begins"
                                          : ", or null";
}

} // namespace

std::string makeHeader(const Program &program, const Tables &tables,
                       const std::string &version) {
  const std::string &name = program.name;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << headerMark << version << " from the attention `" << name
     << "`. What the functions take and\n"
        " * return is said in trowel/trowel.h. */\n"
     << "#ifndef TROWEL_BUILT_" << name << "_H\n#define TROWEL_BUILT_" << name
     << "_H\n\n#include <trowel/trowel.h>\n\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
        "/* Places in trowel_call.tensors. */\nenum {\n";
  for (const TensorEntry &entry : tables.tensors())
    os << "  " << name << "_" << entry.symbol << ", /* "
       << sema::print(entry.dtype) << " " << entry.layout << nullOf(entry)
       << " */\n";
  os << "  " << name << "_tensor_count\n};\n\nenum {\n";
  for (const auto &[size, value] : program.sizes)
    os << "  " << name << "_size_" << size << " = " << value << ",\n";
  os << "  " << name << "_chunk_tokens = " << tables.info().chunkTokens
     << ",\n  " << name << "_carry_bytes = " << tables.info().carryBytes
     << "\n};\n\n"
     << "int32_t " << name << "_forward(const trowel_call *call);\n";
  if (tables.hasBackward())
    os << "int32_t " << name << "_backward(const trowel_call *call);\n";
  os << "int32_t " << name << "_step(const trowel_call *call);\n"
     << "int32_t " << name << "_verify(const trowel_call *call);\n"
     << "int32_t " << name << "_commit(const trowel_call *call);\n"
     << "int32_t " << name
     << "_workspace_size(const trowel_call *call, size_t *bytes);\n"
     << "const char *" << name << "_describe(void);\n"
     << "const char *" << name << "_last_error(void);\n\n"
     << "#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
  return text;
}

} // namespace trowel::library
