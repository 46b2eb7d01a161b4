// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The registers of a thread that asynchronous products use (PTX ISA 9.7.15,
// `wgmma.mma_async`, `wgmma.fence`): until the thread has waited, nothing reads
// or writes the accumulators, or writes what is multiplied; and a fence comes
// between other accesses and a product.
#ifndef TROWEL_CODEGEN_EMULATOR_REGISTERS_H
#define TROWEL_CODEGEN_EMULATOR_REGISTERS_H

#include "codegen/Emulator/Program.h"

#include "llvm/ADT/ArrayRef.h"

#include <deque>

namespace trowel::emulator {

class Registers {
public:
  explicit Registers(size_t slots) : states(slots) {}

  /// What is wrong with an access of an ordinary instruction; empty: nothing.
  std::string use(const Uses &uses);
  /// Moving a value is no access: the registers get another name.
  std::string rename(Slot from, Slot to, uint32_t count);

  void forget(Slot first, uint32_t count) {
    std::fill_n(&states[first], count, State());
  }

  void fence() { ++fences; }
  /// A product adds to `from`, which becomes `to`, and reads the registers of
  /// `multiplied`.
  std::string multiply(const Instruction &at, llvm::ArrayRef<Slot> from,
                       llvm::ArrayRef<Slot> to,
                       llvm::ArrayRef<Slot> multiplied);
  void commit() { groups.push_back(issued); }
  /// All but the last `most` groups are complete.
  void wait(uint64_t most);
  /// The products that the thread has started, and waited for.
  uint32_t lastIssued() const { return issued; }
  uint32_t lastDone() const { return done; }

private:
  struct State {
    uint32_t touched = 0; // fences before the last access that was no product
    uint32_t chain = 0;   // the first product that was added up here
    uint32_t writtenBy = 0, readBy = 0;   // the last products that do
    uint32_t fencesAtIssue = 0;           // of `writtenBy`
    const Instruction *product = nullptr; // `writtenBy`
  };

  bool inFlight(uint32_t product) const { return product > done; }
  std::string overwritten(const State &state, uint32_t chain) const;
  std::string unordered(const State &state, const Instruction &at) const;

  std::vector<State> states; // by slot
  uint32_t fences = 0, issued = 0, done = 0;
  std::deque<uint32_t> groups; // the last product of each
};

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_REGISTERS_H
