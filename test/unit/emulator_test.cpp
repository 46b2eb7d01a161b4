// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small kernels on the emulator: right ones compute what they should under
// every schedule, and each bug planted in one is found and named.
#include "Emulated.h"

#include <cmath>

using namespace emulated;

namespace {

/// Every thread leaves its number in shared memory and takes its neighbour's.
std::string exchange(const std::string &between) {
  return R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %mine = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  llvm.store %tid, %mine : i32, !llvm.ptr<3>
)" + between +
         R"(
  %n = llvm.xor %tid, %c32 : i32
  %other = llvm.getelementptr %s[%n] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %v = llvm.load %other : !llvm.ptr<3> -> i32
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.store %v, %o : i32, !llvm.ptr<1>
)";
}

TEST_F(EmulatorTest, SumsInATree) {
  parse(std::string(shared) + R"(
llvm.func @k(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
  %tid = nvvm.read.ptx.sreg.tid.x : i32
  %cta = nvvm.read.ptx.sreg.ctaid.x : i32
  %ntid = nvvm.read.ptx.sreg.ntid.x : i32
  %c0 = llvm.mlir.constant(0 : i32) : i32
  %c1 = llvm.mlir.constant(1 : i32) : i32
  %base = llvm.mul %cta, %ntid : i32
  %i = llvm.add %base, %tid : i32
  %p = llvm.getelementptr %in[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
  %x = llvm.load %p : !llvm.ptr<1> -> f32
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %mine = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
  llvm.store %x, %mine : f32, !llvm.ptr<3>
  nvvm.barrier0
  %half = llvm.lshr %ntid, %c1 : i32
  llvm.br ^head(%half : i32)
^head(%d: i32):
  %more = llvm.icmp "ugt" %d, %c0 : i32
  llvm.cond_br %more, ^body, ^done
^body:
  %active = llvm.icmp "ult" %tid, %d : i32
  llvm.cond_br %active, ^add, ^join
^add:
  %j = llvm.add %tid, %d : i32
  %q = llvm.getelementptr %s[%j] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
  %a = llvm.load %mine : !llvm.ptr<3> -> f32
  %b = llvm.load %q : !llvm.ptr<3> -> f32
  %sum = llvm.fadd %a, %b : f32
  llvm.store %sum, %mine : f32, !llvm.ptr<3>
  llvm.br ^join
^join:
  nvvm.barrier0
  %next = llvm.lshr %d, %c1 : i32
  llvm.br ^head(%next : i32)
^done:
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^write, ^end
^write:
  %total = llvm.load %s : !llvm.ptr<3> -> f32
  %o = llvm.getelementptr %out[%cta] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
  llvm.store %total, %o : f32, !llvm.ptr<1>
  llvm.br ^end
^end:
  llvm.return
})");
  std::vector<float> values(3 * 128);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(i);
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Buffer in(values), out(3 * sizeof(float));
    Options options;
    options.seed = seed;
    Outcome outcome = run(threads(128, 3), {&in, &out}, options);
    ASSERT_FALSE(outcome.problem) << outcome.text;
    EXPECT_EQ(out.as<float>(), (std::vector<float>{8128, 24512, 40896}));
    EXPECT_EQ(outcome.counters.globalRead, 3 * 128 * 4u);
    EXPECT_EQ(outcome.counters.globalWritten, 3 * 4u);
    // A store each, then 64 + 32 + ... + 1 sums of two, and three totals.
    EXPECT_EQ(outcome.counters.sharedWritten, 3 * (128 + 127) * 4u);
    EXPECT_EQ(outcome.counters.sharedRead, 3 * (2 * 127 + 1) * 4u);
    EXPECT_EQ(outcome.counters.executed["nvvm.barrier0"], 3 * 128 * 8u);
  }
}

TEST_F(EmulatorTest, ExchangesBehindABarrier) {
  kernel("%out: !llvm.ptr<1>", exchange("nvvm.barrier0"), shared);
  Buffer out(64 * 4);
  Outcome outcome = run(threads(64), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(out.as<int>()[i], i ^ 32);
}

TEST_F(EmulatorTest, FindsAMissingBarrier) {
  kernel("%out: !llvm.ptr<1>", exchange(""), shared);
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Buffer out(64 * 4);
    Options options;
    options.seed = seed;
    Outcome outcome = run(threads(64), {&out}, options);
    ASSERT_TRUE(outcome.problem) << "seed " << seed;
    // Who is first decides which of the two it is.
    EXPECT_TRUE(*outcome.problem == Problem::Race ||
                *outcome.problem == Problem::Unwritten)
        << outcome.text;
  }
}

TEST_F(EmulatorTest, ABarrierOfAWarpDoesNotOrderOtherWarps) {
  kernel("%out: !llvm.ptr<1>", exchange("nvvm.bar.warp.sync %all : i32"),
         shared);
  Buffer out(64 * 4);
  EXPECT_TRUE(run(threads(64), {&out}).problem);
}

/// Lanes take a word from their neighbours behind a barrier of their warp.
std::string exchangeInAWarp(const std::string &after) {
  return R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %mine = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  llvm.store %tid, %mine : i32, !llvm.ptr<3>
  nvvm.bar.warp.sync %all : i32
  %n = llvm.xor %tid, %c1 : i32
  %other = llvm.getelementptr %s[%n] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %v = llvm.load %other : !llvm.ptr<3> -> i32
)" + after;
}

TEST_F(EmulatorTest, ABarrierOfAWarpOrdersItsLanes) {
  kernel("", exchangeInAWarp(""), shared);
  expectCleanRuns(threads(64));
}

TEST_F(EmulatorTest, FindsAWriteBehindTheBarrierOfAWarp) {
  kernel("", exchangeInAWarp("llvm.store %tid, %mine : i32, !llvm.ptr<3>"),
         shared);
  fails(Problem::Race, threads(32), {}, {"race: "});
}

/// Every lane writes the same word, then reads it.
const char *sameWord = R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  llvm.store %c0, %s : i32, !llvm.ptr<3>
  %v = llvm.load %s : !llvm.ptr<3> -> i32
)";

TEST_F(EmulatorTest, NamesBothPartiesOfARace) {
  kernel("", sameWord, shared);
  fails(Problem::Race, threads(32), {},
        {"at k.mlir:", "thread ", "of CTA (0, 0, 0)", "race: ",
         "shared memory, byte 1024", "which thread ", "wrote in llvm.store"});
}

TEST_F(EmulatorTest, FindsRacesBetweenCtas) {
  kernel("%out: !llvm.ptr<1>", "llvm.store %c0, %out : i32, !llvm.ptr<1>");
  Buffer out(4);
  fails(Problem::Race, threads(32), {&out}, {"buffer 0, byte 0", "wrote in"});
  kernel("%out: !llvm.ptr<1>", R"(
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^write, ^end
^write:
  llvm.store %c0, %out : i32, !llvm.ptr<1>
  llvm.br ^end
^end:)");
  EXPECT_FALSE(run(threads(32), {&out}).problem);
  fails(Problem::Race, threads(32, 2), {&out},
        {"buffer 0, byte 0", "(1, 0, 0)", "(0, 0, 0)"});
}

TEST_F(EmulatorTest, FindsReadsOfWhatNobodyWrote) {
  kernel("", R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %v = llvm.load %s : !llvm.ptr<3> -> i32)",
         shared);
  fails(Problem::Unwritten, threads(32), {},
        {"llvm.load at k.mlir:", "shared memory, byte 1024", "never written"});
  kernel("%in: !llvm.ptr<1>", "%v = llvm.load %in : !llvm.ptr<1> -> i32");
  Buffer in(4);
  fails(Problem::Unwritten, threads(32), {&in}, {"buffer 0, byte 0"});
}

TEST_F(EmulatorTest, ChecksAddresses) {
  std::string access = R"(
  %p = llvm.getelementptr %in[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  %v = llvm.load %p : !llvm.ptr<1> -> i32)";
  kernel("%in: !llvm.ptr<1>", access);
  Buffer enough(std::vector<int>(32, 1)), short1(std::vector<int>(31, 1));
  EXPECT_FALSE(run(threads(32), {&enough}).problem);
  fails(Problem::Address, threads(32), {&short1},
        {"thread 31 (warp 0, lane 31)", "outside of global memory"});
  kernel("%in: !llvm.ptr<1>", R"(
  %p = llvm.getelementptr %in[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %v = llvm.load %p : !llvm.ptr<1> -> i32)");
  fails(Problem::Address, threads(32), {&enough}, {"not a multiple of 4"});
}

/// Warp 0 writes and arrives; warp 1 waits and reads.
std::string handOver(const std::string &arrive, const std::string &wait) {
  return R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %lane = nvvm.read.ptx.sreg.laneid : i32
  %mine = llvm.getelementptr %s[%lane] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %producer = llvm.icmp "ult" %tid, %c32 : i32
  llvm.cond_br %producer, ^write, ^read
^write:
  llvm.store %tid, %mine : i32, !llvm.ptr<3>
  )" + arrive +
         R"(
  llvm.br ^end
^read:
  )" + wait +
         R"(
  %v = llvm.load %mine : !llvm.ptr<3> -> i32
  llvm.br ^end
^end:)";
}

TEST_F(EmulatorTest, NamedBarriersHandOver) {
  kernel("",
         handOver("nvvm.barrier.arrive id = %c1 number_of_threads = %c64",
                  "nvvm.barrier id = %c1 number_of_threads = %c64"),
         shared);
  expectCleanRuns(threads(64));
}

/// The reader takes its time, so that the write is there before it.
TEST_F(EmulatorTest, FindsAWriteBehindItsAnnouncement) {
  kernel("",
         handOver("nvvm.barrier.arrive id = %c1 number_of_threads = %c64\n"
                  "llvm.store %tid, %mine : i32, !llvm.ptr<3>",
                  R"(nvvm.barrier id = %c1 number_of_threads = %c64
  %many = llvm.mlir.constant(4000 : i32) : i32
  llvm.br ^turn(%c0 : i32)
^turn(%i: i32):
  %next = llvm.add %i, %c1 : i32
  %again = llvm.icmp "ult" %next, %many : i32
  llvm.cond_br %again, ^turn(%next : i32), ^go
^go:)"),
         shared);
  fails(Problem::Race, threads(64), {}, {"llvm.load at", "wrote in"});
}

TEST_F(EmulatorTest, ReportsDeadlocks) {
  kernel("",
         handOver("nvvm.barrier.arrive id = %c2 number_of_threads = %c64",
                  "nvvm.barrier id = %c1 number_of_threads = %c64"),
         shared);
  fails(Problem::Deadlock, threads(64), {},
        {"32 wait at nvvm.barrier at k.mlir:", "the first is thread 32",
         "32 have exited"});
}

TEST_F(EmulatorTest, FindsBarriersThatDisagree) {
  kernel("",
         handOver("nvvm.barrier.arrive id = %c1 number_of_threads = %c32",
                  "nvvm.barrier id = %c1 number_of_threads = %c64"),
         shared);
  // Either the producer completes it alone, or the two counts meet.
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Options options;
    options.seed = seed;
    Outcome outcome = run(threads(64), {}, options);
    ASSERT_TRUE(outcome.problem);
    EXPECT_TRUE(*outcome.problem == Problem::Deadlock ||
                *outcome.problem == Problem::Barrier)
        << outcome.text;
  }
  kernel("", "nvvm.barrier id = %c1 number_of_threads = %c1");
  fails(Problem::Barrier, threads(32), {}, {"not whole warps"});
  kernel("", "nvvm.barrier.arrive id = %c1 number_of_threads = %c64\n"
             "nvvm.barrier.arrive id = %c1 number_of_threads = %c64");
  fails(Problem::Barrier, threads(32), {}, {"arrives twice"});
}

TEST_F(EmulatorTest, FindsABarrierInABranch) {
  kernel("", R"(
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^one, ^end
^one:
  nvvm.barrier0
  llvm.br ^end
^end:)");
  fails(Problem::Deadlock, threads(32), {}, {"1 waits at nvvm.barrier0"});
}

TEST_F(EmulatorTest, Shuffles) {
  kernel("%out: !llvm.ptr<1>", R"(
  %clamp = llvm.mlir.constant(31 : i32) : i32
  %five = llvm.mlir.constant(5 : i32) : i32
  %none = llvm.mlir.constant(0 : i32) : i32
  %quads = llvm.mlir.constant(7199 : i32) : i32
  %a = nvvm.shfl.sync bfly %all, %tid, %five, %clamp : i32 -> i32
  %b = nvvm.shfl.sync idx %all, %tid, %five, %clamp : i32 -> i32
  %c = nvvm.shfl.sync down %all, %tid, %five, %clamp : i32 -> i32
  %d = nvvm.shfl.sync up %all, %tid, %five, %none : i32 -> i32
  %e = nvvm.shfl.sync idx %all, %tid, %five, %quads : i32 -> i32
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x i32>
  %u = llvm.mlir.undef : vector<4xi32>
  %v0 = llvm.insertelement %a, %u[%c0 : i32] : vector<4xi32>
  %v1 = llvm.insertelement %b, %v0[%c1 : i32] : vector<4xi32>
  %v2 = llvm.insertelement %c, %v1[%c2 : i32] : vector<4xi32>
  %c3 = llvm.mlir.constant(3 : i32) : i32
  %v3 = llvm.insertelement %d, %v2[%c3 : i32] : vector<4xi32>
  llvm.store %v3, %o : vector<4xi32>, !llvm.ptr<1>
  %o4 = llvm.getelementptr %o[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
  llvm.store %e, %o4 : i32, !llvm.ptr<1>)");
  Buffer out(32 * 32);
  Outcome outcome = run(threads(32), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  std::vector<int> got = out.as<int>();
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ(got[8 * i], i ^ 5);
    EXPECT_EQ(got[8 * i + 1], 5);
    EXPECT_EQ(got[8 * i + 2], i + 5 < 32 ? i + 5 : i);
    EXPECT_EQ(got[8 * i + 3], i >= 5 ? i - 5 : i);
    EXPECT_EQ(got[8 * i + 4], (i & ~3) + 1); // lane 5 % 4 of each four
  }
}

TEST_F(EmulatorTest, FindsAShuffleThatSomeLanesMiss) {
  kernel("", R"(
  %clamp = llvm.mlir.constant(31 : i32) : i32
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^one, ^others
^one:
  %a = nvvm.shfl.sync idx %all, %tid, %c0, %clamp : i32 -> i32
  llvm.br ^end
^others:
  %b = nvvm.shfl.sync idx %all, %tid, %c0, %clamp : i32 -> i32
  llvm.br ^end
^end:)");
  fails(Problem::Divergence, threads(32), {},
        {"nvvm.shfl.sync at k.mlir:", "other lanes of the warp wait at"});
}

TEST_F(EmulatorTest, VotesAndElects) {
  kernel("%out: !llvm.ptr<1>", R"(
  %odd = llvm.and %tid, %c1 : i32
  %p = llvm.icmp "eq" %odd, %c1 : i32
  %ballot = nvvm.vote.sync ballot %all, %p -> i32
  %any = nvvm.vote.sync any %all, %p -> i1
  %every = nvvm.vote.sync all %all, %p -> i1
  %e = nvvm.elect.sync -> i1
  %ok = llvm.xor %any, %every : i1
  %write = llvm.and %ok, %e : i1
  llvm.cond_br %write, ^one, ^end
^one:
  llvm.store %ballot, %out : i32, !llvm.ptr<1>
  llvm.br ^end
^end:)");
  Buffer out(4);
  Outcome outcome = run(threads(32), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<uint32_t>()[0], 0xaaaaaaaau);
}

TEST_F(EmulatorTest, ComputesInEveryFormat) {
  kernel("%in: !llvm.ptr<1>, %out: !llvm.ptr<1>", R"(
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^one, ^end
^one:
  %x = llvm.load %in : !llvm.ptr<1> -> vector<4xf32>
  %h = llvm.fptrunc %x : vector<4xf32> to vector<4xbf16>
  %i = llvm.bitcast %h : vector<4xbf16> to vector<2xi32>
  %o1 = llvm.getelementptr %out[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
  %e = llvm.extractelement %x[%c0 : i32] : vector<4xf32>
  %f = llvm.extractelement %x[%c1 : i32] : vector<4xf32>
  %g = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%f) : (f32) -> f32
  %m = llvm.intr.fma(%e, %f, %g) : (f32, f32, f32) -> f32
  %back = llvm.fpext %h : vector<4xbf16> to vector<4xf32>
  %twice = llvm.fadd %back, %back : vector<4xf32>
  llvm.store %twice, %out : vector<4xf32>, !llvm.ptr<1>
  llvm.store %i, %o1 : vector<2xi32>, !llvm.ptr<1>
  %o2 = llvm.getelementptr %out[6] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
  llvm.store %m, %o2 : f32, !llvm.ptr<1>
  llvm.br ^end
^end:)");
  // Ties go to even: 1 + 2^-8 down, 1 + 3 * 2^-8 up.
  Buffer in(std::vector<float>{1.00390625f, 3, 1.01171875f, -2}), out(28);
  Outcome outcome = run(threads(32), {&in, &out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  std::vector<float> got = out.as<float>();
  EXPECT_EQ(got[0], 2);
  EXPECT_EQ(got[1], 6);
  EXPECT_EQ(got[2], 2 * 1.015625f);
  EXPECT_EQ(got[3], -4);
  EXPECT_EQ(out.as<uint32_t>()[4], 0x40403f80u);
  EXPECT_EQ(out.as<uint32_t>()[5], 0xc0003f82u);
  EXPECT_EQ(got[6], 1.00390625f * 3 + 8);
}

/// Blocks stand in an order in which a use comes before its definition.
TEST_F(EmulatorTest, DecodesBlocksInAnyOrder) {
  kernel("%out: !llvm.ptr<1>", R"(
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.br ^compute
^use:
  llvm.store %y, %o : i32, !llvm.ptr<1>
  llvm.br ^end
^compute:
  %y = llvm.add %tid, %c1 : i32
  llvm.br ^use
^end:)");
  Buffer out(32 * 4);
  Outcome outcome = run(threads(32), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<int>()[7], 8);
}

/// Values that a branch passes are moved at once: two registers change places.
TEST_F(EmulatorTest, SwapsInALoop) {
  kernel("%out: !llvm.ptr<1>", R"(
  llvm.br ^loop(%tid, %c64, %c0 : i32, i32, i32)
^loop(%a: i32, %b: i32, %i: i32):
  %next = llvm.add %i, %c1 : i32
  %c3 = llvm.mlir.constant(3 : i32) : i32
  %again = llvm.icmp "ult" %next, %c3 : i32
  llvm.cond_br %again, ^loop(%b, %a, %next : i32, i32, i32), ^done
^done:
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  %d = llvm.sub %a, %b : i32
  llvm.store %d, %o : i32, !llvm.ptr<1>)");
  Buffer out(32 * 4);
  Outcome outcome = run(threads(32), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<int>()[5], 5 - 64);
}

TEST_F(EmulatorTest, StopsWhatNeverEnds) {
  kernel("", "llvm.br ^loop\n^loop:\n  llvm.br ^loop\n^end:");
  fails(Problem::Endless, threads(32), {}, {"llvm.br at k.mlir:"});
}

TEST_F(EmulatorTest, FindsUndefinedArithmetic) {
  kernel("", "%x = llvm.udiv %c1, %tid : i32");
  fails(Problem::Value, threads(32), {}, {"thread 0 ", "divides by zero"});
  kernel("", "%x = llvm.shl %c1, %c32 : i32");
  fails(Problem::Value, threads(32), {}, {"llvm.shl", "shifts by as many"});
}

//===----------------------------------------------------------------------===//
// Functions, variables, conversions
//===----------------------------------------------------------------------===//

/// The neighbour's number, by a function that waits for all threads.
const char *exchanging = R"(
llvm.func @deposit(%to: !llvm.ptr<3>, %value: i32) {
  llvm.store %value, %to : i32, !llvm.ptr<3>
  llvm.return
}
llvm.func @exchange(%value: i32, %at: i32, %far: i1) -> i32 {
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %mine = llvm.getelementptr %s[%at] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  llvm.call @deposit(%mine, %value) : (!llvm.ptr<3>, i32) -> ()
  nvvm.barrier0
  %c1 = llvm.mlir.constant(1 : i32) : i32
  %c32 = llvm.mlir.constant(32 : i32) : i32
  llvm.cond_br %far, ^far, ^near
^far:
  %n = llvm.xor %at, %c32 : i32
  %p = llvm.getelementptr %s[%n] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %v = llvm.load %p : !llvm.ptr<3> -> i32
  llvm.return %v : i32
^near:
  %m = llvm.xor %at, %c1 : i32
  %q = llvm.getelementptr %s[%m] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %w = llvm.load %q : !llvm.ptr<3> -> i32
  llvm.return %w : i32
})";

std::string callTwice(const std::string &between) {
  return R"(
  %yes = llvm.mlir.constant(true) : i1
  %no = llvm.mlir.constant(false) : i1
  %a = llvm.call @exchange(%tid, %tid, %yes) : (i32, i32, i1) -> i32
)" + between +
         R"(
  %b = llvm.call @exchange(%a, %tid, %no) : (i32, i32, i1) -> i32
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.store %b, %o : i32, !llvm.ptr<1>
)";
}

TEST_F(EmulatorTest, CallsFunctions) {
  kernel("%out: !llvm.ptr<1>", callTwice("nvvm.barrier0"),
         std::string(shared) + exchanging);
  Buffer out(64 * 4);
  Outcome outcome = run(threads(64), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(out.as<int>()[i], i ^ 33);
}

TEST_F(EmulatorTest, FindsARaceBetweenTwoCalls) {
  kernel("%out: !llvm.ptr<1>", callTwice(""), std::string(shared) + exchanging);
  Buffer out(64 * 4);
  fails(Problem::Race, threads(64), {&out}, {"race: "});
}

TEST_F(EmulatorTest, RefusesRecursion) {
  kernel("", "llvm.call @f() : () -> ()",
         "llvm.func @f() { llvm.call @g() : () -> ()\n llvm.return }\n"
         "llvm.func @g() { llvm.call @f() : () -> ()\n llvm.return }");
  EXPECT_NE(refusal().find("functions that call themselves"),
            std::string::npos);
  kernel("", "llvm.call @f() : () -> ()", "llvm.func @f()");
  EXPECT_NE(refusal().find("functions with a body"), std::string::npos);
}

/// Sixteen threads take a word each of what the switch picks.
TEST_F(EmulatorTest, ReadsConstants) {
  std::string body = R"(
  %k = llvm.and %tid, %c1 : i32
  llvm.switch %k : i32, ^other [ 0: ^numbers, -1: ^end ]
^numbers:
  %g = llvm.mlir.addressof @numbers : !llvm.ptr
  %p = llvm.getelementptr %g[0, %tid] : (!llvm.ptr, i32) -> !llvm.ptr, !llvm.array<64 x i32>
  %v = llvm.load %p : !llvm.ptr -> i32
  llvm.br ^write(%v : i32)
^other:
  %h = llvm.mlir.addressof @halves : !llvm.ptr<4>
  %i = llvm.addrspacecast %h : !llvm.ptr<4> to !llvm.ptr
  %q = llvm.getelementptr %i[%k] : (!llvm.ptr, i32) -> !llvm.ptr, f32
  %f = llvm.load %q : !llvm.ptr -> f32
  %w = llvm.fptosi %f : f32 to i32
  llvm.br ^write(%w : i32)
^write(%x: i32):
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.store %x, %o : i32, !llvm.ptr<1>
  llvm.br ^end
^end:)";
  std::string globals =
      "llvm.mlir.global internal constant @numbers(dense<7> : "
      "tensor<64xi32>) : !llvm.array<64 x i32>\n"
      "llvm.mlir.global internal @halves(dense<[1.5, -2.5]> : "
      "tensor<2xf32>) {addr_space = 4 : i32} : !llvm.array<2 x f32>\n";
  kernel("%out: !llvm.ptr<1>", body, globals);
  Buffer out(64 * 4);
  Outcome outcome = run(threads(64), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(out.as<int>()[i], i % 2 ? -2 : 7);
  fails(Problem::Address, threads(96), {&out}, {"outside of global memory"});
  kernel("", R"(
  %g = llvm.mlir.addressof @numbers : !llvm.ptr
  llvm.store %tid, %g : i32, !llvm.ptr)",
         globals);
  fails(Problem::Address, threads(32), {}, {"writes constant 0"});
  kernel("", "%g = llvm.mlir.addressof @v : !llvm.ptr<1>",
         "llvm.mlir.global @v(1 : i32) {addr_space = 1 : i32} : i32");
  EXPECT_NE(refusal().find("only variables in shared memory and constants"),
            std::string::npos);
}

TEST_F(EmulatorTest, TheLaunchSizesDynamicSharedMemory) {
  kernel("", R"(
  %d = llvm.mlir.addressof @d : !llvm.ptr<3>
  %p = llvm.getelementptr %d[%tid, 1] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.struct<(i8, i32)>
  llvm.store %tid, %p : i32, !llvm.ptr<3>)",
         std::string(shared) +
             "\nllvm.mlir.global external @d() {addr_space = 3 : i32, "
             "alignment = 16 : i64} : !llvm.array<0 x i8>");
  Shape shape = threads(32);
  shape.dynamicShared = 32 * 8;
  Outcome outcome = run(shape, {});
  EXPECT_FALSE(outcome.problem) << outcome.text;
  shape.dynamicShared -= 1;
  fails(Problem::Address, shape, {}, {"thread 31 ", "outside of shared"});
}

TEST_F(EmulatorTest, TakesScalars) {
  kernel("%out: !llvm.ptr<1>, %i: i32, %l: i64, %x: f32", R"(
  %a = llvm.sitofp %i : i32 to f32
  %b = llvm.uitofp %l : i64 to f32
  %s = llvm.fadd %a, %b : f32
  %t = llvm.fadd %s, %x : f32
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
  llvm.store %t, %o : f32, !llvm.ptr<1>)");
  Buffer out(32 * 4);
  uint64_t half = 0x3f000000;
  Outcome outcome =
      run(threads(32), {&out, uint64_t(-3), uint64_t(1) << 20, half});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<float>()[31], float((1 << 20) - 3 + 0.5));
}

/// One thread computes `body` from %x and %y and leaves %r.
std::string scalars(const std::string &type, const std::string &body,
                    const std::string &result) {
  return R"(
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^one, ^end
^one:
  %q = llvm.getelementptr %in[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, )" +
         type + "\n  %x = llvm.load %in : !llvm.ptr<1> -> " + type +
         "\n  %y = llvm.load %q : !llvm.ptr<1> -> " + type + "\n  " + body +
         "\n  llvm.store %r, %out : " + result +
         ", !llvm.ptr<1>\n  llvm.br ^end\n^end:";
}

TEST_F(EmulatorTest, ComputesFloats) {
  auto compute = [&](const std::string &body, float x, float y) {
    kernel("%in: !llvm.ptr<1>, %out: !llvm.ptr<1>",
           scalars("f32", body, "f32"));
    Buffer in(std::vector<float>{x, y}), out(4);
    Outcome outcome = run(threads(32), {&in, &out});
    EXPECT_FALSE(outcome.problem) << outcome.text;
    return out.as<float>()[0];
  };
  auto unary = [&](const std::string &name, float x) {
    return compute("%r = llvm.intr." + name + "(%x) : (f32) -> f32", x, 0);
  };
  auto binary = [&](const std::string &name, float x, float y) {
    return compute("%r = llvm.intr." + name + "(%x, %y) : (f32, f32) -> f32", x,
                   y);
  };
  EXPECT_EQ(unary("floor", -1.5f), -2);
  EXPECT_EQ(unary("ceil", -1.5f), -1);
  EXPECT_EQ(unary("trunc", -1.5f), -1);
  EXPECT_EQ(unary("rint", 2.5f), 2);
  EXPECT_EQ(unary("roundeven", 3.5f), 4);
  EXPECT_EQ(unary("fabs", -3), 3);
  EXPECT_EQ(unary("exp2", 3), 8);
  EXPECT_EQ(unary("sqrt", 9), 3);
  EXPECT_EQ(binary("maxnum", NAN, 1), 1);
  EXPECT_EQ(binary("minnum", 1, NAN), 1);
  EXPECT_TRUE(std::isnan(binary("maximum", NAN, 1)));
  EXPECT_TRUE(std::isnan(binary("minimum", 1, NAN)));
  EXPECT_EQ(binary("maximum", 2, 1), 2);
  EXPECT_FALSE(std::signbit(binary("maxnum", -0.0f, 0.0f)));
  EXPECT_TRUE(std::signbit(binary("minnum", 0.0f, -0.0f)));
  EXPECT_EQ(binary("copysign", 2, -1), -2);
  EXPECT_EQ(compute("%r = llvm.fneg %x : f32", 2, 0), -2);
  EXPECT_EQ(compute("%r = llvm.intr.log2(%x) {fastmathFlags = "
                    "#llvm.fastmath<afn>} : (f32) -> f32",
                    8, 0),
            3);
  EXPECT_EQ(compute("%r = nvvm.rcp.approx.ftz.f %x : f32", 4, 0), 0.25f);
  kernel("%x: f32", "%r = llvm.intr.log2(%x) : (f32) -> f32");
  EXPECT_NE(refusal().find("only as an approximation"), std::string::npos);
  kernel("%x: f32", "%r = llvm.intr.exp(%x) : (f32) -> f32");
  EXPECT_NE(refusal().find("llvm.intr.exp"), std::string::npos);
}

/// 1 + 2^-11 lies between two numbers of f16; what is added decides.
TEST_F(EmulatorTest, FusedOperationsRoundOnce) {
  auto fuse = [&](float x, float y) {
    kernel("%in: !llvm.ptr<1>, %out: !llvm.ptr<1>", scalars("f32", R"(
  %a = llvm.fptrunc %x : f32 to f16
  %b = llvm.fptrunc %y : f32 to f16
  %one = llvm.mlir.constant(1.0 : f16) : f16
  %f = llvm.intr.fma(%a, %b, %one) : (f16, f16, f16) -> f16
  %r = llvm.fpext %f : f16 to f32)",
                                                            "f32"));
    Buffer in(std::vector<float>{x, y}), out(4);
    Outcome outcome = run(threads(32), {&in, &out});
    EXPECT_FALSE(outcome.problem) << outcome.text;
    return out.as<float>()[0];
  };
  EXPECT_EQ(fuse(0x1p-5f, 0x1p-6f), 1);
  EXPECT_EQ(fuse(0x1.004p-5f, 0x1p-6f), 1 + 0x1p-10f);
}

TEST_F(EmulatorTest, ComparesNumbers) {
  auto compare = [&](const std::string &predicate, double x, double y) {
    kernel("%in: !llvm.ptr<1>, %out: !llvm.ptr<1>",
           scalars("f64",
                   "%i = llvm.fcmp \"" + predicate +
                       "\" %x, %y : f64\n"
                       "%r = llvm.zext %i : i1 to i64",
                   "i64"));
    Buffer in(std::vector<double>{x, y}), out(8);
    Outcome outcome = run(threads(32), {&in, &out});
    EXPECT_FALSE(outcome.problem) << outcome.text;
    return out.as<int64_t>()[0] == 1;
  };
  // What each predicate says of less, equal, greater, unordered.
  const std::pair<const char *, const char *> predicates[] = {
      {"_false", "...."}, {"oeq", ".e.."}, {"ogt", "..g."}, {"oge", ".eg."},
      {"olt", "l..."},    {"ole", "le.."}, {"one", "l.g."}, {"ord", "leg."},
      {"ueq", ".e.u"},    {"ugt", "..gu"}, {"uge", ".egu"}, {"ult", "l..u"},
      {"ule", "le.u"},    {"une", "l.gu"}, {"uno", "...u"}, {"_true", "legu"}};
  for (auto [predicate, holds] : predicates) {
    EXPECT_EQ(compare(predicate, 1, 2), holds[0] == 'l') << predicate;
    EXPECT_EQ(compare(predicate, 2, 2), holds[1] == 'e') << predicate;
    EXPECT_EQ(compare(predicate, 2, 1), holds[2] == 'g') << predicate;
    EXPECT_EQ(compare(predicate, NAN, 1), holds[3] == 'u') << predicate;
  }
}

TEST_F(EmulatorTest, ConvertsNumbers) {
  auto compute = [&](const std::string &body, double x, double y) {
    kernel("%in: !llvm.ptr<1>, %out: !llvm.ptr<1>",
           scalars("f64", body, "i64"));
    Buffer in(std::vector<double>{x, y}), out(8);
    Outcome outcome = run(threads(32), {&in, &out});
    EXPECT_FALSE(outcome.problem) << outcome.text;
    return out.as<int64_t>()[0];
  };
  EXPECT_EQ(compute("%r = llvm.fptosi %x : f64 to i64", -3.7, 0), -3);
  EXPECT_EQ(compute("%i = llvm.fptosi %x : f64 to i8\n"
                    "%r = llvm.sext %i : i8 to i64",
                    -128.5, 0),
            -128);
  EXPECT_EQ(compute("%i = llvm.fcmp \"ult\" %x, %y : f64\n"
                    "%r = llvm.zext %i : i1 to i64",
                    NAN, 0),
            1);
  EXPECT_EQ(compute("%i = llvm.fcmp \"olt\" %x, %y : f64\n"
                    "%r = llvm.zext %i : i1 to i64",
                    NAN, 0),
            0);
  EXPECT_EQ(compute("%i = llvm.fptosi %x : f64 to i64\n"
                    "%j = \"llvm.intr.abs\"(%i) {is_int_min_poison = false} : "
                    "(i64) -> i64\n"
                    "%r = llvm.intr.ctpop(%j) : (i64) -> i64",
                    -7, 0),
            3);
  kernel("%in: !llvm.ptr<1>, %out: !llvm.ptr<1>",
         scalars("f64", "%r = llvm.fptosi %x : f64 to i8", "i8"));
  Buffer in(std::vector<double>{128, 0}), out(1);
  fails(Problem::Value, threads(32), {&in, &out}, {"llvm.fptosi", "hold 128"});
}

/// A vector that is aligned less than its size is accessed in parts.
TEST_F(EmulatorTest, TakesStatedAlignments) {
  Buffer in(std::vector<float>(12, 1));
  auto body = [](const std::string &how) {
    return "%p = llvm.getelementptr %in[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, "
           "f32\n%v = llvm.load %p" +
           how + " : !llvm.ptr<1> -> vector<8xf32>";
  };
  kernel("%in: !llvm.ptr<1>", body(" {alignment = 4 : i64}"));
  Outcome outcome = run(threads(32), {&in});
  EXPECT_FALSE(outcome.problem) << outcome.text;
  kernel("%in: !llvm.ptr<1>", body(""));
  fails(Problem::Address, threads(32), {&in}, {"not a multiple of 16"});
}

TEST_F(EmulatorTest, BarriersReduce) {
  auto reduce = [](const std::string &how, const std::string &id) {
    return R"(
  %limit = llvm.mlir.constant(40 : i32) : i32
  %p = llvm.icmp "ult" %tid, %limit : i32
  %q = llvm.zext %p : i1 to i32
  %r = nvvm.barrier )" +
           id + " #nvvm.reduction<" + how + R"(> %q -> i32
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.store %r, %o : i32, !llvm.ptr<1>)";
  };
  for (auto [how, expected] :
       {std::pair{"popc", 40}, std::pair{"and", 0}, std::pair{"or", 1}}) {
    kernel("%out: !llvm.ptr<1>", reduce(how, ""));
    Buffer out(64 * 4);
    Outcome outcome = run(threads(64), {&out});
    ASSERT_FALSE(outcome.problem) << outcome.text;
    EXPECT_EQ(out.as<int>(), std::vector<int>(64, expected)) << how;
  }
}

TEST_F(EmulatorTest, LanesKnowTheirMasks) {
  kernel("%out: !llvm.ptr<1>", R"(
  %lt = nvvm.read.ptx.sreg.lanemask.lt : i32
  %ge = nvvm.read.ptx.sreg.lanemask.ge : i32
  %n = llvm.intr.ctpop(%lt) : (i32) -> i32
  %whole = llvm.xor %lt, %ge : i32
  %r = llvm.xor %whole, %n : i32
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.store %r, %o : i32, !llvm.ptr<1>)");
  Buffer out(64 * 4);
  Outcome outcome = run(threads(64), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(out.as<uint32_t>()[i], ~(i % 32));
}

//===----------------------------------------------------------------------===//
// Matrices in registers
//===----------------------------------------------------------------------===//

/// D[16, 8] = A[16, 16] B[16, 8] in f16, all of them as rows: copied to shared
/// memory, taken by ldmatrix, and D left by stmatrix and copied out.
std::string matrixProduct(const std::string &filled = "nvvm.barrier0",
                          const std::string &pitch = "32",
                          const std::string &left = "nvvm.barrier0") {
  return R"(
  %c4 = llvm.mlir.constant(4 : i32) : i32
  %c8 = llvm.mlir.constant(8 : i32) : i32
  %c15 = llvm.mlir.constant(15 : i32) : i32
  %c16 = llvm.mlir.constant(16 : i32) : i32
  %z = llvm.mlir.constant(0.0 : f32) : f32
  %sa = llvm.mlir.addressof @s : !llvm.ptr<3>
  %sb = llvm.getelementptr %sa[512] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
  %ga = llvm.getelementptr %a[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, vector<4xi32>
  %va = llvm.load %ga : !llvm.ptr<1> -> vector<4xi32>
  %ta = llvm.getelementptr %sa[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, vector<4xi32>
  llvm.store %va, %ta : vector<4xi32>, !llvm.ptr<3>
  %gb = llvm.getelementptr %b[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, vector<2xi32>
  %vb = llvm.load %gb : !llvm.ptr<1> -> vector<2xi32>
  %tb = llvm.getelementptr %sb[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, vector<2xi32>
  llvm.store %vb, %tb : vector<2xi32>, !llvm.ptr<3>
  )" + filled +
         R"(
  %row = llvm.and %tid, %c15 : i32
  %right = llvm.lshr %tid, %c4 : i32
  %pitch = llvm.mlir.constant()" +
         pitch + R"( : i32) : i32
  %ra = llvm.mul %row, %pitch : i32
  %ca = llvm.mul %right, %c16 : i32
  %oa = llvm.add %ra, %ca : i32
  %pa = llvm.getelementptr %sa[%oa] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
  %pb = llvm.getelementptr %sb[%row] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, vector<4xi32>
  %fa = nvvm.ldmatrix %pa {num = 4 : i32, layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, i32)>
  %fb = nvvm.ldmatrix %pb {num = 2 : i32, layout = #nvvm.mma_layout<col>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32)>
  %a0 = llvm.extractvalue %fa[0] : !llvm.struct<(i32, i32, i32, i32)>
  %a1 = llvm.extractvalue %fa[1] : !llvm.struct<(i32, i32, i32, i32)>
  %a2 = llvm.extractvalue %fa[2] : !llvm.struct<(i32, i32, i32, i32)>
  %a3 = llvm.extractvalue %fa[3] : !llvm.struct<(i32, i32, i32, i32)>
  %b0 = llvm.extractvalue %fb[0] : !llvm.struct<(i32, i32)>
  %b1 = llvm.extractvalue %fb[1] : !llvm.struct<(i32, i32)>
  %A0 = llvm.bitcast %a0 : i32 to vector<2xf16>
  %A1 = llvm.bitcast %a1 : i32 to vector<2xf16>
  %A2 = llvm.bitcast %a2 : i32 to vector<2xf16>
  %A3 = llvm.bitcast %a3 : i32 to vector<2xf16>
  %B0 = llvm.bitcast %b0 : i32 to vector<2xf16>
  %B1 = llvm.bitcast %b1 : i32 to vector<2xf16>
  %d = nvvm.mma.sync A[%A0, %A1, %A2, %A3] B[%B0, %B1] C[%z, %z, %z, %z] {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, shape = #nvvm.shape<m = 16, n = 8, k = 16>} : (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
  %d0 = llvm.extractvalue %d[0] : !llvm.struct<(f32, f32, f32, f32)>
  %d1 = llvm.extractvalue %d[1] : !llvm.struct<(f32, f32, f32, f32)>
  %d2 = llvm.extractvalue %d[2] : !llvm.struct<(f32, f32, f32, f32)>
  %d3 = llvm.extractvalue %d[3] : !llvm.struct<(f32, f32, f32, f32)>
  %u = llvm.mlir.undef : vector<2xf32>
  %lo0 = llvm.insertelement %d0, %u[%c0 : i32] : vector<2xf32>
  %lo1 = llvm.insertelement %d1, %lo0[%c1 : i32] : vector<2xf32>
  %hi0 = llvm.insertelement %d2, %u[%c0 : i32] : vector<2xf32>
  %hi1 = llvm.insertelement %d3, %hi0[%c1 : i32] : vector<2xf32>
  %lh = llvm.fptrunc %lo1 : vector<2xf32> to vector<2xf16>
  %hh = llvm.fptrunc %hi1 : vector<2xf32> to vector<2xf16>
  %li = llvm.bitcast %lh : vector<2xf16> to i32
  %hi = llvm.bitcast %hh : vector<2xf16> to i32
  %sd = llvm.getelementptr %sa[768] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
  %pd = llvm.getelementptr %sd[%row] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, vector<4xi32>
  nvvm.stmatrix %pd, %li, %hi {layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : !llvm.ptr<3>, i32, i32
  )" + left +
         R"(
  %rd = llvm.getelementptr %sd[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, vector<4xf16>
  %vd = llvm.load %rd : !llvm.ptr<3> -> vector<4xf16>
  %wd = llvm.fpext %vd : vector<4xf16> to vector<4xf32>
  %gd = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, vector<4xf32>
  llvm.store %wd, %gd : vector<4xf32>, !llvm.ptr<1>)";
}

/// Small numbers as f16: n / 2.
uint16_t half(int n) {
  const uint16_t values[] = {0xbe00, 0xbc00, 0xb800, 0, 0x3800, 0x3c00, 0x3e00};
  return values[n + 3];
}

struct Matrices {
  std::vector<uint16_t> a, b;
  std::vector<float> product;

  Matrices() : a(16 * 16), b(16 * 8), product(16 * 8) {
    auto x = [](int i, int k) { return (i * 5 + k * 3 + i * k) % 7 - 3; };
    auto y = [](int k, int j) { return (k * 2 + j * 4 + k * j) % 7 - 3; };
    for (int i = 0; i < 16; ++i)
      for (int k = 0; k < 16; ++k) {
        a[16 * i + k] = half(x(i, k));
        for (int j = 0; j < 8; ++j) {
          b[8 * k + j] = half(y(k, j));
          product[8 * i + j] += 0.25f * x(i, k) * y(k, j);
        }
      }
  }
};

const char *matrixArguments =
    "%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %out: !llvm.ptr<1>";

TEST_F(EmulatorTest, MultipliesMatricesInRegisters) {
  kernel(matrixArguments, matrixProduct(), shared);
  Matrices matrices;
  Buffer a(matrices.a), b(matrices.b), out(16 * 8 * 4);
  Outcome outcome = run(threads(32), {&a, &b, &out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<float>(), matrices.product);
}

TEST_F(EmulatorTest, FindsMatricesThatAreTakenTooEarly) {
  Matrices matrices;
  Buffer a(matrices.a), b(matrices.b), out(16 * 8 * 4);
  // Lanes come together to load, but what they stored is not ordered by it.
  kernel(matrixArguments, matrixProduct(""), shared);
  fails(Problem::Race, threads(32), {&a, &b, &out}, {"nvvm.ldmatrix at"});
  kernel(matrixArguments, matrixProduct("nvvm.barrier0", "32", ""), shared);
  fails(Problem::Race, threads(32), {&a, &b, &out},
        {"llvm.load at", "wrote in nvvm.stmatrix"});
  kernel(matrixArguments, matrixProduct("nvvm.barrier0", "24"), shared);
  fails(Problem::Address, threads(32), {&a, &b, &out},
        {"nvvm.ldmatrix at", "not a multiple of 16"});
}

/// D[16, 8] = A[16, 8] B[8, 8] in tf32: the columns of A and the rows of B that
/// a lane has are its number in its group, and four further.
std::string productOfTF32(const std::string &convert) {
  return R"(
  %c3 = llvm.mlir.constant(3 : i32) : i32
  %c4 = llvm.mlir.constant(4 : i32) : i32
  %c8 = llvm.mlir.constant(8 : i32) : i32
  %z = llvm.mlir.constant(0.0 : f32) : f32
  %t = llvm.and %tid, %c3 : i32
  %g = llvm.lshr %tid, %c2 : i32
  %ag = llvm.getelementptr %a[%g, %t] : (!llvm.ptr<1>, i32, i32) -> !llvm.ptr<1>, !llvm.array<8 x f32>
  %x0 = llvm.load %ag : !llvm.ptr<1> -> f32
  %ag1 = llvm.getelementptr %ag[64] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
  %x1 = llvm.load %ag1 : !llvm.ptr<1> -> f32
  %ag2 = llvm.getelementptr %ag[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
  %x2 = llvm.load %ag2 : !llvm.ptr<1> -> f32
  %ag3 = llvm.getelementptr %ag[68] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
  %x3 = llvm.load %ag3 : !llvm.ptr<1> -> f32
  %bg = llvm.getelementptr %b[%t, %g] : (!llvm.ptr<1>, i32, i32) -> !llvm.ptr<1>, !llvm.array<8 x f32>
  %y0 = llvm.load %bg : !llvm.ptr<1> -> f32
  %bg1 = llvm.getelementptr %bg[32] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
  %y1 = llvm.load %bg1 : !llvm.ptr<1> -> f32
  %a0 = )" +
         convert +
         R"(
  %a1 = nvvm.convert.float.to.tf32 %x1 {rnd = #nvvm.fp_rnd_mode<rna>}
  %a2 = nvvm.convert.float.to.tf32 %x2 {rnd = #nvvm.fp_rnd_mode<rna>}
  %a3 = nvvm.convert.float.to.tf32 %x3 {rnd = #nvvm.fp_rnd_mode<rn>}
  %b0 = nvvm.convert.float.to.tf32 %y0 {rnd = #nvvm.fp_rnd_mode<rna>}
  %b1 = nvvm.convert.float.to.tf32 %y1 {rnd = #nvvm.fp_rnd_mode<rna>}
  %d = nvvm.mma.sync A[%a0, %a1, %a2, %a3] B[%b0, %b1] C[%z, %z, %z, %z] {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, multiplicandAPtxType = #nvvm.mma_type<tf32>, multiplicandBPtxType = #nvvm.mma_type<tf32>, shape = #nvvm.shape<m = 16, n = 8, k = 8>} : (i32, i32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
  %tt = llvm.mul %t, %c2 : i32
  %o = llvm.getelementptr %out[%g, %tt] : (!llvm.ptr<1>, i32, i32) -> !llvm.ptr<1>, !llvm.array<8 x f32>
  %o1 = llvm.getelementptr %o[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
  %o2 = llvm.getelementptr %o[64] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
  %o3 = llvm.getelementptr %o[65] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
  %d0 = llvm.extractvalue %d[0] : !llvm.struct<(f32, f32, f32, f32)>
  %d1 = llvm.extractvalue %d[1] : !llvm.struct<(f32, f32, f32, f32)>
  %d2 = llvm.extractvalue %d[2] : !llvm.struct<(f32, f32, f32, f32)>
  %d3 = llvm.extractvalue %d[3] : !llvm.struct<(f32, f32, f32, f32)>
  llvm.store %d0, %o : f32, !llvm.ptr<1>
  llvm.store %d1, %o1 : f32, !llvm.ptr<1>
  llvm.store %d2, %o2 : f32, !llvm.ptr<1>
  llvm.store %d3, %o3 : f32, !llvm.ptr<1>)";
}

TEST_F(EmulatorTest, MultipliesTF32) {
  std::vector<float> a(16 * 8), b(8 * 8), expected(16 * 8);
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 8; ++k)
      for (int j = 0; j < 8; ++j) {
        // What is below 10 bits of the significand is rounded away.
        a[8 * i + k] = (i * 3 + k * 5) % 11 - 5 + 0x1p-14f;
        b[8 * k + j] = (k * 7 + j * 2) % 13 - 6;
        expected[8 * i + j] += float((i * 3 + k * 5) % 11 - 5) * b[8 * k + j];
      }
  // Zero is the only one that such a part does not vanish beside.
  for (float &value : a)
    if (value == 0x1p-14f)
      value = 0;
  kernel(matrixArguments,
         productOfTF32("nvvm.convert.float.to.tf32 %x0 {rnd = "
                       "#nvvm.fp_rnd_mode<rna>}"),
         shared);
  Buffer bufferA(a), bufferB(b), out(16 * 8 * 4);
  Outcome outcome = run(threads(32), {&bufferA, &bufferB, &out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<float>(), expected);
  kernel(matrixArguments, productOfTF32("llvm.bitcast %x0 : f32 to i32"),
         shared);
  fails(Problem::Value, threads(32), {&bufferA, &bufferB, &out},
        {"nvvm.mma.sync at", "more bits than tf32"});
}

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

/// Every thread copies 16 bytes to each of two stages, a group each, and takes
/// the first stage's word of another warp.
std::string copyStages(const std::string &wait,
                       const std::string &after = "nvvm.barrier0",
                       const std::string &before = "",
                       const std::string &bytes = "16") {
  return R"(
  %s = llvm.mlir.addressof @stages : !llvm.ptr<3>
  %to = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, vector<4xi32>
  %to2 = llvm.getelementptr %to[1024] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
  %from = llvm.getelementptr %in[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, vector<4xi32>
  %bytes = llvm.mlir.constant()" +
         bytes + R"( : i32) : i32
  nvvm.cp.async.shared.global %to, %from, 16, cache = cg, %bytes : !llvm.ptr<3>, !llvm.ptr<1>, i32
  nvvm.cp.async.commit.group
  nvvm.cp.async.shared.global %to2, %from, 16, cache = ca : !llvm.ptr<3>, !llvm.ptr<1>
  nvvm.cp.async.commit.group
  )" + before +
         wait + "\n" + after + R"(
  %n = llvm.xor %tid, %c32 : i32
  %p = llvm.getelementptr %s[%n, 3] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<4 x i32>
  %v = llvm.load %p : !llvm.ptr<3> -> i32
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.store %v, %o : i32, !llvm.ptr<1>)";
}

const char *stages =
    "llvm.mlir.global internal @stages() {addr_space = 3 : i32,"
    " alignment = 16 : i64} : !llvm.array<2048 x i8>";

class CopyTest : public EmulatorTest {
protected:
  Buffer in{std::vector<int>(64 * 4, 5)}, out{64 * 4};

  void copies(const std::string &body) {
    kernel("%in: !llvm.ptr<1>, %out: !llvm.ptr<1>", body, stages);
  }
};

TEST_F(CopyTest, CopiesInTheBackground) {
  for (auto [bytes, value] : {std::pair{"16", 5}, std::pair{"8", 0}}) {
    copies(
        copyStages("nvvm.cp.async.wait.group 1", "nvvm.barrier0", "", bytes));
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      Options options;
      options.seed = seed;
      Outcome outcome = run(threads(64), {&in, &out}, options);
      ASSERT_FALSE(outcome.problem) << outcome.text;
      EXPECT_EQ(out.as<int>(), std::vector<int>(64, value));
      // Four copies of whole warps, then loads that are 16 bytes apart.
      EXPECT_EQ(outcome.counters.shared.wavefronts, 4 * 4 + 2 * 4u);
      EXPECT_EQ(outcome.counters.globalSectorsRead, 4 * 16u);
    }
  }
}

TEST_F(CopyTest, FindsCopiesThatNobodyWaitsFor) {
  // Too few groups, then none at all.
  copies(copyStages("nvvm.cp.async.wait.group 2"));
  fails(Problem::Race, threads(64), {&in, &out},
        {"llvm.load at", "which a copy by thread ",
         "wrote in nvvm.cp.async.shared.global"});
  copies(copyStages(""));
  fails(Problem::Race, threads(64), {&in, &out}, {"a copy by thread "});
}

TEST_F(CopyTest, FindsAWaitThatOthersDoNotKnowOf) {
  // A thread's wait is for its own copies: the barrier has to come behind it.
  copies(copyStages("", "nvvm.barrier0\nnvvm.cp.async.wait.group 1"));
  fails(Problem::Race, threads(64), {&in, &out}, {"race: "});
}

TEST_F(CopyTest, FindsWritesToWhatACopyTouches) {
  copies(copyStages("nvvm.cp.async.wait.group 0", "nvvm.barrier0",
                    "llvm.store %tid, %from : i32, !llvm.ptr<1>\n"));
  fails(Problem::Race, threads(64), {&in, &out},
        {"llvm.store at", "writes buffer 0", "which a copy by thread "});
  copies(copyStages("nvvm.cp.async.wait.group 0", "nvvm.barrier0",
                    "llvm.store %tid, %to2 : i32, !llvm.ptr<3>\n"));
  fails(Problem::Race, threads(64), {&in, &out}, {"a copy by thread "});
}

TEST_F(CopyTest, ChecksSizes) {
  copies(copyStages("nvvm.cp.async.wait.group 0", "", "", "17"));
  fails(Problem::Value, threads(64), {&in, &out}, {"reads 17 bytes"});
}

/// Thread 0 makes a barrier of 32 arrivals; warp 0 hands words to
/// warp 1.
std::string handOverInMemory(const std::string &known,
                             const std::string &second,
                             const std::string &count = "%c32") {
  std::string use = R"(
  llvm.cond_br %producer, ^write, ^read
^write:
  llvm.store %tid, %mine : i32, !llvm.ptr<3>
  %t0 = nvvm.mbarrier.arrive %b : !llvm.ptr<3> -> i64
  llvm.br ^end
^read:
  nvvm.mbarrier.try_wait.parity %b, )" +
                    second + R"(, %ticks : !llvm.ptr<3>, i32, i32
  %v = llvm.load %mine : !llvm.ptr<3> -> i32
  llvm.br ^end
^end:)";
  return R"(
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %b = llvm.mlir.addressof @s : !llvm.ptr<3>
  %s = llvm.getelementptr %b[16] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
  %lane = nvvm.read.ptx.sreg.laneid : i32
  %mine = llvm.getelementptr %s[%lane] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %producer = llvm.icmp "ult" %tid, %c32 : i32
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^make, ^go
^make:
  nvvm.mbarrier.init %b, )" +
         count + R"( : !llvm.ptr<3>, i32
  llvm.br ^go
^go:
  )" + known +
         use;
}

TEST_F(EmulatorTest, MbarriersHandOver) {
  kernel("", handOverInMemory("nvvm.barrier0", "%c0"), shared);
  expectCleanRuns(threads(64));
}

TEST_F(EmulatorTest, FindsMisusedMbarriers) {
  // The other parity is complete from the start.
  kernel("", handOverInMemory("nvvm.barrier0", "%c1"), shared);
  EXPECT_TRUE(run(threads(64), {}).problem);
  kernel("", handOverInMemory("nvvm.barrier0", "%c0", "%c64"), shared);
  fails(Problem::Deadlock, threads(64), {},
        {"32 wait at nvvm.mbarrier.try_wait.parity"});
  kernel("", handOverInMemory("nvvm.barrier0", "%c0", "%c0"), shared);
  fails(Problem::Barrier, threads(64), {}, {"does not count to 0"});
  // Nobody was told that it is there.
  kernel("", handOverInMemory("", "%c0"), shared);
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Options options;
    options.seed = seed;
    Outcome outcome = run(threads(64), {}, options);
    ASSERT_TRUE(outcome.problem);
    EXPECT_TRUE(*outcome.problem == Problem::Race ||
                *outcome.problem == Problem::Barrier)
        << outcome.text;
  }
}

TEST_F(EmulatorTest, RefusesWhatItDoesNotKnow) {
  kernel("", "nvvm.griddepcontrol wait");
  std::string text = refusal();
  EXPECT_NE(text.find("nvvm.griddepcontrol at k.mlir:"), std::string::npos)
      << text;
  EXPECT_NE(text.find("does not know this operation"), std::string::npos);
}

TEST_F(EmulatorTest, RefusesBadLaunches) {
  kernel("", "");
  EXPECT_EQ(run(threads(33), {}).problem, Problem::Argument);
  EXPECT_EQ(run(threads(2048), {}).problem, Problem::Argument);
  EXPECT_EQ(run(threads(32), {uint64_t(1)}).problem, Problem::Argument);
  Shape large = threads(32);
  large.dynamicShared = 227 * 1024 + 1;
  EXPECT_EQ(run(large, {}).problem, Problem::Argument);
}

TEST_F(EmulatorTest, RunsTheSameAgain) {
  kernel("", sameWord, shared);
  Options options;
  options.seed = 5;
  EXPECT_EQ(run(threads(32), {}, options).text,
            run(threads(32), {}, options).text);
}

} // namespace
