// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a library knows about its program, made of the checked program and of
// what was compiled from it.
#ifndef TROWEL_CODEGEN_LIBRARY_TABLES_H
#define TROWEL_CODEGEN_LIBRARY_TABLES_H

#include "codegen/CPU/CPU.h"
#include "codegen/Library/Device.h"
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

/// Whether tables are of the functions that run forward, or of backward.
enum class Direction { Forward, Backward };

/// One of the programs that reductions over heads cut a program into. The
/// gradient's are all of these, keeping their states, and then the backward
/// programs from the last to the first.
struct CompiledPhase {
  std::vector<cpu::Argument> arguments;
  std::vector<int64_t> columns;            // the axis of each that is divided
  std::vector<HeadReduction> reductions;   // after it
  std::vector<CompiledDivision> divisions; // the whole first
  CompiledDivision step;                   // without codes: none
  std::optional<CompiledMap> map;
  int64_t carryBytes = 0;
  int64_t chunkTokens = 1;
  // Of the gradient's phases.
  bool isBackward = false, isBeginning = false;
  int64_t source = 0;     // which program of the forward function it belongs to
  int64_t savedBytes = 0; // for each chunk
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
  bool isGradient = false;
  bool isUsed = true; // by the function whose tables they are

  bool isRequired() const {
    return !isGradient && (role == Role::Input || role == Role::Param);
  }
};

class Tables {
public:
  /// `machines`: what the phases' codes were made for, the best first. With
  /// `hasGradient`, the library has a backward function.
  Tables(const Program &program, std::vector<CompiledPhase> phases,
         std::vector<Machine> machines,
         Direction direction = Direction::Forward, bool hasGradient = false);
  Tables(const Tables &) = delete;

  /// What the program is on devices. Nobody can launch it from here: that is up
  /// to the library that it becomes part of.
  void addKernels(DeviceKernels kernels);
  const DeviceKernels *kernels() const { return device ? &*device : nullptr; }

  const ProgramInfo &info() const { return programInfo; }
  const std::vector<TensorEntry> &tensors() const { return entries; }
  const std::vector<Machine> &machines() const { return machineList; }
  Direction direction() const { return which; }
  bool hasBackward() const { return hasGradient; }
  /// The place of a tensor with this name and role; -1 if there is none.
  int64_t find(Role role, const std::string &name) const;

private:
  int64_t findAny(Role role, const std::string &name) const;
  void addDeclarations(const Program &program,
                       const std::vector<Declaration> &list, Role role,
                       Boundary boundary);
  void addGradients(const Program &program);
  void addDebugValues();
  void addTensor(TensorEntry entry, std::string layoutValueFirst);
  void addBetweens();
  void addSums();
  void addPhase(const CompiledPhase &phase);
  bool isLastForward(const CompiledPhase &phase) const;
  void addBackward(const cpu::Argument &argument, const CompiledPhase &phase,
                   ArgumentInfo &info);
  ArgumentInfo argumentOf(const cpu::Argument &argument, int64_t columns,
                          const CompiledPhase &phase);
  int64_t findBetween(const std::string &name) const;
  int64_t stateNumber(const std::string &name) const;
  int64_t carryPlaceOf(const CompiledPhase &phase) const;
  const char *keep(std::string text);
  const int64_t *keep(std::vector<int64_t> numbers);

  Direction which;
  bool hasGradient;
  std::vector<CompiledPhase> phaseList;
  std::vector<Machine> machineList;
  std::optional<DeviceKernels> device;
  std::vector<TensorEntry> entries;
  std::vector<std::string> betweenNames;
  std::vector<std::string> sumNames; // of the parts' arguments
  std::map<std::string, int64_t> partsTaken;

  // What the tables point into.
  std::deque<std::string> texts;
  std::deque<std::vector<int64_t>> numbers;
  std::deque<std::vector<ArgumentInfo>> arguments;
  std::deque<std::vector<DivisionInfo>> divisions;
  std::deque<MapInfo> maps;
  std::vector<TensorInfo> tensorInfos;
  std::vector<BetweenInfo> betweenInfos;
  std::vector<SumInfo> sumInfos;
  std::vector<SavedInfo> savedInfos;
  std::vector<PhaseInfo> phaseInfos;
  std::vector<KernelInfo> kernelInfos;
  std::vector<ImageInfo> imageInfos;
  DeviceCode deviceCode = {};
  ProgramInfo programInfo = {};
};

/// "avx512": how libraries and TROWEL_CPU call it.
const char *nameOf(Machine machine);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_TABLES_H
