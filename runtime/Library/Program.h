// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a library knows about its program: tables that the compiler writes and
// the runtime reads. Every field has 8 bytes, so that a table is an array of
// numbers and addresses in whatever form it is written.
#ifndef TROWEL_RUNTIME_LIBRARY_PROGRAM_H
#define TROWEL_RUNTIME_LIBRARY_PROGRAM_H

#include "runtime/Host/Kernel.h"

#include <cstdint>

namespace trowel::library {

enum class Role : int64_t {
  Input,
  Param,
  Output,
  InitialState,
  FinalState,
  StateAt, // at boundaries
  Total,   // the gradient of a param
  Saved,   // of code alone: what each chunk begins with
  Unused   // the function does not look at it
};

/// One tensor for all tokens and sequences.
inline bool isForAllTokens(Role role) {
  return role == Role::Param || role == Role::Total;
}

/// The type of the elements in the caller's memory; a tf32 lies in 4 bytes.
enum class ElementType : int64_t { F32, TF32, BF16, F16, E4M3, E5M2, I32, U8 };

/// Who has a value of its own.
enum class Sharing : int64_t { Shared, Grouped, Head };

/// What the code of a phase was made for.
enum class Machine : int64_t {
  Host,  // this one
  Avx2,  // x86-64-v3
  Avx512 // x86-64-v4
};

/// A tensor of the call, in the order of the generated enumeration.
struct TensorInfo {
  const char *label; // in messages: "`q`", "initial `S`"
  /// The shape in words: "[B, T, H, K=128]"; of states also with the last two
  /// axes exchanged.
  const char *layout, *layoutValueFirst;
  Role role;
  ElementType type;
  Sharing sharing;
  int64_t state; // which one, or -1
  int64_t rank;  // of the declared axes
  const int64_t *sizes;
  int64_t isOptional = 0; // an input that is zero if it is null
};

/// A value that is reduced over heads between two phases. Both sides lie in the
/// workspace: [B, T, H, sizes] and, with G or nothing in place of H, of 4 bytes
/// an element.
struct BetweenInfo {
  enum class Kind : int64_t { Sum, Max, Mean };
  Kind kind;
  Sharing to;        // Grouped or Shared
  int64_t isInteger; // sums wrap
  int64_t rank;
  const int64_t *sizes;
  int64_t elements;
  int64_t phase; // after which it is reduced
};

/// A gradient that several heads, sequences or phases have a part of: [parts,
/// B * T or N, H, sizes] floats in the workspace, added up when `phase` has
/// run. Of a param, all sequences' are one.
struct SumInfo {
  Role role;      // Output, FinalState or Total: what the parts are
  int64_t tensor; // that gets it, or -1
  /// Whose gradient it is, or -1: then it goes on to each head's operand.
  int64_t between;
  int64_t isKept; // for a later phase, as [N, H | G | -, sizes]
  Sharing to;     // who has a value of its own
  int64_t rank;
  const int64_t *sizes;
  int64_t elements;
  int64_t parts;
  int64_t phase;
};

/// What a phase keeps for its backward phase.
struct SavedInfo {
  int64_t bytes; // of a chunk and head
  int64_t chunkTokens;
};

/// An argument of a phase's code.
struct ArgumentInfo {
  Role role;
  /// Place in ProgramInfo::tensors; -1: a value between phases, or a final
  /// state that only later phases report.
  int64_t tensor;
  int64_t between; // place in ProgramInfo::betweens, or -1
  /// Of states: which one, and where it goes at boundaries (or -1).
  int64_t state, at;
  Sharing sharing;
  /// Of a divided program: which of the declared axes has the columns, or -1.
  int64_t columns;
  /// Place in ProgramInfo::sums, or -1: a result is one of its parts, an input
  /// what came of it (nothing, if the caller gave `tensor`).
  int64_t sum = -1;
  int64_t part = 0; // which; of Saved, its place in ProgramInfo::saved
  /// The caller's is for the first head alone of those that share it.
  int64_t isPartial = 0;
};

struct CodeInfo {
  TrowelKernel *entry;
  int64_t workspaceBytes;
};

/// Bytes of the carry, where they lie in the whole and in a slice's own. Of
/// those that are `divided` each slice has its own, `rowBytes` in every row.
struct CarriedInfo {
  int64_t whole, own;
  int64_t rows, rowBytes;
  int64_t divided;
};

/// Code for one of `parts` slices of a head's columns.
struct DivisionInfo {
  int64_t parts;
  int64_t work;          // of a slice, compared with other divisions
  const CodeInfo *codes; // one for each of ProgramInfo::machines
  const CarriedInfo *carried;
  int64_t carriedCount;
};

/// Code that makes of the identity's columns the map by which a segment of the
/// sequence changes a column of all states, one state after the other.
struct MapInfo {
  int64_t size; // elements of such a column
  int64_t work; // compared with the divisions'
  const CodeInfo *codes;
};

struct PhaseInfo {
  const ArgumentInfo *arguments; // in the order that the code wants
  int64_t argumentCount;
  const DivisionInfo *divisions; // the first one has one part
  int64_t divisionCount;
  /// The whole once more, token by token; null where there is none.
  const DivisionInfo *step;
  const MapInfo *map; // null: the sequence has no segments
  int64_t carryBytes;
  int64_t carryPlace = 0; // within a head's carry
  /// The tokens are the call's sequences: an item of work for each head.
  int64_t isOverSequences = 0;
};

class Call;
struct ProgramInfo;

/// A kernel with a block of threads for each sequence and head.
struct KernelInfo {
  const char *name;
  int64_t threads;
  int64_t sharedBytes;
  int64_t workspaceBytes; // for each block
};

/// All kernels in a form that devices take.
struct ImageInfo {
  const char *chip;   // "sm_90a"
  int64_t capability; // 90
  int64_t isExact;    // for devices of this capability alone
  const char *cubin;  // null: there was no assembler
  const char *ptx;
};

/// The program as kernels, whose arguments are those of its only phase.
struct DeviceCode {
  const KernelInfo *forward, *step;
  const ImageInfo *images; // the best first
  int64_t imageCount;
  /// Starts a checked call on its stream.
  int32_t (*launch)(const ProgramInfo *, const Call *);
};

struct ProgramInfo {
  const char *name;
  const TensorInfo *tensors;
  int64_t tensorCount;
  /// For each state the elements of one head's.
  const int64_t *stateElements;
  int64_t stateCount;
  const BetweenInfo *betweens;
  int64_t betweenCount;
  const PhaseInfo *phases;
  int64_t phaseCount;
  const Machine *machines; // the best first
  int64_t machineCount;
  /// Tokens to which boundaries are bound.
  int64_t chunkTokens;
  /// Of one head, all phases together.
  int64_t carryBytes;
  const SumInfo *sums = nullptr;
  int64_t sumCount = 0;
  const SavedInfo *saved = nullptr;
  int64_t savedCount = 0;
  const DeviceCode *device = nullptr; // null: code of the CPU alone
};

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_PROGRAM_H
