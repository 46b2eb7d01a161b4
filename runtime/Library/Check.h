// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything that can be wrong with a call, found before anything is written.
#ifndef TROWEL_RUNTIME_LIBRARY_CHECK_H
#define TROWEL_RUNTIME_LIBRARY_CHECK_H

#include "runtime/Library/Memory.h"
#include "runtime/Library/View.h"
#include "trowel/trowel.h"

namespace trowel::library {

/// The sizes that a call decides.
enum Size { B, T, H, G, N, M, SlotsIn, SlotsOut, sizeCount };

/// Who is called. Asked: whom the call names.
enum class Function { Forward, Step, Verify, Commit, Backward, Asked };

class Call {
public:
  Call(const ProgramInfo &program, Function function);

  /// Returns a status. Shapes, types and devices only: what a question for the
  /// workspace needs; tensors may be without data.
  int32_t checkShapes(const trowel_call *call);
  /// After that: addresses and what lies there.
  int32_t checkMemory();

  Function function() const { return called; }
  /// Whether states lie in slots and the code goes token by token.
  bool isDecode() const {
    return called != Function::Forward && called != Function::Backward;
  }
  /// Whether the tensors are on a device; the values of those that the host
  /// would look at are then not known.
  bool isOnDevice() const { return place.device_type != kDLCPU; }
  int device() const { return place.device_id; }
  int64_t size(Size which) const { return sizes[which]; }
  const trowel_call &arguments() const { return raw; }
  /// The tensors of the program, by their places in its table.
  const View &tensor(int64_t index) const { return views.data[index]; }
  const View &carryIn() const { return extra(CarryIn); }
  const View &carryOut() const { return extra(CarryOut); }
  const View &carryAt() const { return extra(CarryAt); }
  const View &cuSeqlens() const { return extra(CuSeqlens); }
  const View &stateIn() const { return extra(StateIn); }
  const View &stateOut() const { return extra(StateOut); }
  const View &accepted() const { return extra(Accepted); }

  /// The tokens of a sequence, counted through all rows: [begin, end).
  int64_t begin(int64_t sequence) const;
  int64_t end(int64_t sequence) const { return begin(sequence + 1); }
  /// How many of them the call takes.
  int64_t tokensOf(int64_t sequence) const;
  /// Where a sequence's states come from and go to; -1: nowhere.
  int64_t slotIn(int64_t sequence) const { return slot(StateIn, sequence); }
  int64_t slotOut(int64_t sequence) const { return slot(StateOut, sequence); }
  /// Which row of [B, T] has a sequence's tokens.
  int64_t rowOf(int64_t sequence) const {
    return extra(CuSeqlens).given ? 0 : sequence;
  }
  int64_t boundary(int64_t i) const;
  /// How many boundaries lie before a token.
  int64_t boundariesBefore(int64_t token) const;

  /// How many have a value of their own.
  int64_t units(Sharing sharing) const {
    return sharing == Sharing::Head      ? sizes[H]
           : sharing == Sharing::Grouped ? sizes[G]
                                         : 1;
  }
  /// Which of [H], [G] or [] serves a head, and whether it is the first of
  /// those that it serves.
  int64_t unitOf(Sharing sharing, int64_t head) const;
  bool isFirst(Sharing sharing, int64_t head) const;

private:
  enum Extra {
    CuSeqlens,
    Boundaries,
    CarryIn,
    CarryOut,
    CarryAt,
    StateIn,
    StateOut,
    Accepted,
    extraCount
  };
  /// An extent that is fixed, or -1 - Size.
  using Layout = int64_t;

  const View &extra(Extra which) const {
    return views.data[program.tensorCount + which];
  }
  View &extraView(Extra which) {
    return views.data[program.tensorCount + which];
  }
  const int32_t *integers(Extra which) const {
    return reinterpret_cast<const int32_t *>(extra(which).data);
  }
  int64_t layoutOf(const TensorInfo &info, Layout *layout) const;
  int32_t readStruct(const trowel_call *call);
  int32_t refuseShape(const View &view, const DLTensor &tensor,
                      const char *words, bool inSlots) const;
  int32_t bind(View &view, const DLTensor *tensor, ElementType type,
               const Layout *layout, int64_t rank, const char *words,
               bool inSlots);
  int32_t bindStrides(View &view, const DLTensor *tensor, bool lastIsDeclared);
  int32_t bindTensors();
  int32_t bindExtras();
  int32_t unify(Size which, int64_t value, const char *from);
  int32_t completeSizes();
  int32_t findRange(View &view);
  int32_t checkOffsets();
  int32_t checkBoundaries();
  int32_t checkOverlaps() const;
  bool mayCoincide(const View &a, const View &b) const;

  // What only decoding asks (CheckDecode.cpp).
  int32_t checkFunction() const;
  int32_t checkTokens() const;
  int32_t checkSlots() const;
  int32_t checkSlotsOf(Extra which, Size slots) const;
  bool writesWhereItReads() const;

  // CheckDevice.cpp
  int32_t checkPlace(const View &view, const DLDevice &device);
  int32_t checkDeviceFunction() const;
  int32_t checkDeviceStates() const;
  int32_t checkDeviceTokens() const;
  int32_t checkDevice() const;
  int32_t checkCarryAlignment() const;
  int64_t slot(Extra which, int64_t sequence) const {
    return extra(which).given ? integers(which)[sequence] : sequence;
  }

  const ProgramInfo &program;
  Function called;
  trowel_call raw = {};
  DLDevice place = {kDLCPU, 0};
  const char *placeFrom = nullptr; // which tensor has said so
  Buffer<View> views;
  Buffer<int64_t> dimensions;
  Buffer<const DLTensor *> given;
  int64_t mostRank = 0;
  int64_t sizes[sizeCount];
  const char *from[sizeCount] = {};
};

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_CHECK_H
