// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Wavefronts of shared memory and sectors of global memory.
#include "Emulated.h"

using namespace emulated;

namespace {

const char *kilobytes = "llvm.mlir.global internal @s() {addr_space = 3 : i32, "
                        "alignment = 128 : i64} : !llvm.array<8192 x i8>";

class TrafficTest : public EmulatorTest {
protected:
  /// One warp stores, with `stride` bytes between its lanes.
  SharedTraffic storeShared(const std::string &type, int stride) {
    kernel("",
           R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %v = llvm.mlir.zero : )" +
               type + R"(
  %p = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<)" +
               std::to_string(stride) + R"( x i8>
  llvm.store %v, %p : )" +
               type + ", !llvm.ptr<3>",
           kilobytes);
    Outcome outcome = run(threads(32), {});
    EXPECT_FALSE(outcome.problem) << outcome.text;
    EXPECT_EQ(outcome.counters.sharedBy.size(), 1u);
    EXPECT_EQ(outcome.counters.sharedBy.begin()->first.find("llvm.store at k"),
              0u);
    return outcome.counters.shared;
  }
};

TEST_F(TrafficTest, CountsConflictsOfWords) {
  for (auto [stride, wavefronts] : {std::pair{4, 1u},
                                    {8, 2u},
                                    {12, 1u},
                                    {64, 16u},
                                    {128, 32u},
                                    {132, 1u}}) {
    SharedTraffic traffic = storeShared("i32", stride);
    EXPECT_EQ(traffic.instructions, 1u);
    EXPECT_EQ(traffic.least, 1u);
    EXPECT_EQ(traffic.wavefronts, wavefronts) << stride;
  }
  // Neighbours share a word.
  EXPECT_EQ(storeShared("f16", 2).wavefronts, 1u);
}

TEST_F(TrafficTest, CountsConflictsOfWideAccesses) {
  for (auto [stride, wavefronts] :
       {std::pair{8, 2u}, {16, 4u}, {128, 32u}, {136, 2u}}) {
    SharedTraffic traffic = storeShared("vector<2xf32>", stride);
    EXPECT_EQ(traffic.least, 2u);
    EXPECT_EQ(traffic.wavefronts, wavefronts) << stride;
  }
  for (auto [stride, wavefronts] :
       {std::pair{16, 4u}, {32, 8u}, {128, 32u}, {144, 4u}}) {
    SharedTraffic traffic = storeShared("vector<4xf32>", stride);
    EXPECT_EQ(traffic.least, 4u);
    EXPECT_EQ(traffic.wavefronts, wavefronts) << stride;
  }
}

TEST_F(TrafficTest, CountsWhatLanesShareOnce) {
  kernel("", R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^write, ^go
^write:
  llvm.store %tid, %s : i32, !llvm.ptr<3>
  llvm.br ^go
^go:
  nvvm.barrier0
  %v = llvm.load %s : !llvm.ptr<3> -> i32)",
         kilobytes);
  Outcome outcome = run(threads(64), {});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(outcome.counters.shared.instructions, 3u);
  EXPECT_EQ(outcome.counters.shared.wavefronts, 3u);
}

/// In every turn of a loop a warp writes a row of words, and then its last half
/// a column.
TEST_F(TrafficTest, PutsTheTurnsOfALoopTogether) {
  kernel("%in: !llvm.ptr<1>", R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %mine = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %row = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<32 x i32>
  %c16 = llvm.mlir.constant(16 : i32) : i32
  %n = llvm.mlir.constant(1000 : i32) : i32
  %late = llvm.icmp "uge" %tid, %c16 : i32
  llvm.br ^turn(%c0 : i32)
^turn(%i: i32):
  llvm.store %i, %mine : i32, !llvm.ptr<3>
  llvm.cond_br %late, ^column, ^next
^column:
  llvm.store %i, %row : i32, !llvm.ptr<3>
  llvm.br ^next
^next:
  %g = llvm.load %in : !llvm.ptr<1> -> i32
  %j = llvm.add %i, %c1 : i32
  %again = llvm.icmp "ult" %j, %n : i32
  llvm.cond_br %again, ^turn(%j : i32), ^end
^end:)",
         kilobytes);
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Buffer in(std::vector<int>{1});
    Options options;
    options.seed = seed;
    Outcome outcome = run(threads(32), {&in}, options);
    ASSERT_FALSE(outcome.problem) << outcome.text;
    EXPECT_EQ(outcome.counters.shared.instructions, 2 * 1000u);
    EXPECT_EQ(outcome.counters.shared.least, 2 * 1000u);
    EXPECT_EQ(outcome.counters.shared.wavefronts, (1 + 16) * 1000u);
    EXPECT_EQ(outcome.counters.globalSectorsRead, 1000u);
  }
}

TEST_F(TrafficTest, CountsRowsOfMatrices) {
  for (auto [pitch, wavefronts] : {std::pair{16, 4u}, {128, 32u}, {144, 4u}}) {
    kernel("",
           R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %v = llvm.mlir.zero : i32
  %p = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<)" +
               std::to_string(pitch) + R"( x i8>
  nvvm.stmatrix %p, %v, %v, %v, %v {layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : !llvm.ptr<3>, i32, i32, i32, i32)",
           kilobytes);
    Outcome outcome = run(threads(32), {});
    ASSERT_FALSE(outcome.problem) << outcome.text;
    EXPECT_EQ(outcome.counters.shared.instructions, 1u);
    EXPECT_EQ(outcome.counters.shared.least, 4u);
    EXPECT_EQ(outcome.counters.shared.wavefronts, wavefronts) << pitch;
  }
}

TEST_F(TrafficTest, CountsSectors) {
  for (auto [stride, sectors] : {std::pair{4, 4u}, {8, 8u}, {32, 32u}}) {
    kernel("%out: !llvm.ptr<1>", R"(
  %p = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<)" +
                                     std::to_string(stride) + R"( x i8>
  llvm.store %tid, %p : i32, !llvm.ptr<1>)");
    Buffer out(4096);
    Outcome outcome = run(threads(64), {&out});
    ASSERT_FALSE(outcome.problem) << outcome.text;
    EXPECT_EQ(outcome.counters.globalSectorsWritten, 2 * sectors);
    EXPECT_EQ(outcome.counters.globalSectorsRead, 0u);
  }
}

} // namespace
