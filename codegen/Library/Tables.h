// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a library knows about its program, made of the checked program and of
// what was compiled from it.
#ifndef TROWEL_CODEGEN_LIBRARY_TABLES_H
#define TROWEL_CODEGEN_LIBRARY_TABLES_H

#include "codegen/CPU/CPU.h"
#include "dialect/Chunk/HeadReduction.h"
#include "frontend/AST/Program.h"
#include "frontend/Reference/Layout.h"
#include "runtime/Library/Program.h"

#include <deque>

namespace trowel::library {

/// Code for slices of the columns.
struct CompiledDivision {
  int64_t parts = 1, work = 0;
  std::vector<CodeInfo> codes; // one for each machine
  std::vector<CarriedInfo> carried;
};

/// Code for a segment's map.
struct CompiledMap {
  int64_t size, work;
  std::vector<CodeInfo> codes;
};

/// One of the programs that reductions over heads cut a program into.
struct CompiledPhase {
  std::vector<cpu::Argument> arguments;
  std::vector<int64_t> columns;            // the axis of each that is divided
  std::vector<HeadReduction> reductions;   // after it
  std::vector<CompiledDivision> divisions; // the whole first
  CompiledDivision step;                   // without codes: none
  std::optional<CompiledMap> map;
  int64_t carryBytes = 0;
  int64_t chunkTokens = 1;
};

/// A tensor of the call as hosts see it.
struct TensorEntry {
  std::string symbol; // "in_q", "state_out_S": in the generated enumeration
  std::string name;   // "q", "S", "debug.0"
  Role role;
  Sharing sharing;
  DType dtype;
  int64_t state = -1;            // which one
  std::vector<std::string> axes; // of the declared ones
  std::vector<int64_t> sizes;
  std::optional<Interval> range;
  std::string layout; // "bf16 [B, T, H, K=128]" without the type
};

class Tables {
public:
  /// `machines`: what the phases' codes were made for, the best first.
  Tables(const Program &program, std::vector<CompiledPhase> phases,
         std::vector<Machine> machines);
  Tables(const Tables &) = delete;

  const ProgramInfo &info() const { return programInfo; }
  const std::vector<TensorEntry> &tensors() const { return entries; }
  const std::vector<Machine> &machines() const { return machineList; }
  /// The place of a tensor with this name and role; -1 if there is none.
  int64_t find(Role role, const std::string &name) const;

private:
  void addDeclarations(const Program &program,
                       const std::vector<Declaration> &list, Role role,
                       Boundary boundary);
  void addDebugValues();
  void addTensor(TensorEntry entry, std::string layoutValueFirst);
  void addBetweens();
  void addPhase(const CompiledPhase &phase, bool isLast);
  ArgumentInfo argumentOf(const cpu::Argument &argument, int64_t columns,
                          bool isLast) const;
  int64_t findBetween(const std::string &name) const;
  const char *keep(std::string text);
  const int64_t *keep(std::vector<int64_t> numbers);

  std::vector<CompiledPhase> phaseList;
  std::vector<Machine> machineList;
  std::vector<TensorEntry> entries;
  std::vector<std::string> betweenNames;

  // What the tables point into.
  std::deque<std::string> texts;
  std::deque<std::vector<int64_t>> numbers;
  std::deque<std::vector<ArgumentInfo>> arguments;
  std::deque<std::vector<DivisionInfo>> divisions;
  std::deque<MapInfo> maps;
  std::vector<TensorInfo> tensorInfos;
  std::vector<BetweenInfo> betweenInfos;
  std::vector<PhaseInfo> phaseInfos;
  ProgramInfo programInfo = {};
};

/// "avx512": how libraries and TROWEL_CPU call it.
const char *nameOf(Machine machine);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_TABLES_H
