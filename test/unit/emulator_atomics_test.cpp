// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Relaxed atomics.
#include "Emulated.h"

using namespace emulated;

namespace {

class AtomicsTest : public EmulatorTest {
protected:
  std::string count(const std::string &what = "add",
                    const std::string &order = "monotonic") {
    return "  %old = llvm.atomicrmw " + what + " %out, %tid " + order +
           " : !llvm.ptr<1>, i32\n";
  }
  std::optional<int> result(const std::string &body, int start,
                            uint64_t seed = 0) {
    kernel("%out: !llvm.ptr<1>", body);
    Buffer out(std::vector<int>{start});
    Options options;
    options.seed = seed;
    Outcome outcome = run(threads(64, 3), {&out}, options);
    EXPECT_FALSE(outcome.problem) << outcome.text;
    return out.as<int>()[0];
  }
};

TEST_F(AtomicsTest, ChangeWhatAllShare) {
  for (uint64_t seed = 0; seed < seeds; ++seed)
    EXPECT_EQ(result(count(), 5, seed), 5 + 3 * 63 * 32);
  EXPECT_EQ(result(count("max"), -1), 63);
  EXPECT_EQ(result(count("umax"), -1), -1);
  EXPECT_EQ(result(count("min"), 7), 0);
  EXPECT_EQ(result(count("umin"), -1), 0);
  EXPECT_EQ(result(count("_or"), 64), 127);
  EXPECT_EQ(result(count("_and"), 127), 0);
  EXPECT_EQ(result(count("_xor"), 3), 3);
  assembles();
}

TEST_F(AtomicsTest, AddFloatsInSharedMemory) {
  kernel("%out: !llvm.ptr<1>", R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %one = llvm.mlir.constant(1.5 : f32) : f32
  %zero = llvm.mlir.constant(0.0 : f32) : f32
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^make, ^go
^make:
  llvm.store %zero, %s : f32, !llvm.ptr<3>
  llvm.br ^go
^go:
  nvvm.barrier0
  %old = llvm.atomicrmw fadd %s, %one monotonic : !llvm.ptr<3>, f32
  nvvm.barrier0
  %sum = llvm.load %s : !llvm.ptr<3> -> f32
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
  llvm.store %sum, %o : f32, !llvm.ptr<1>)",
         shared);
  Buffer out(64 * 4);
  Outcome outcome = run(threads(64), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<float>(), std::vector<float>(64, 96));
  assembles();
}

TEST_F(AtomicsTest, FindsPlainAccessesBesideThem) {
  Buffer out(std::vector<int>{1});
  kernel("%out: !llvm.ptr<1>",
         count() + "  %v = llvm.load %out : !llvm.ptr<1> -> i32\n");
  fails(Problem::Race, threads(64), {&out}, {"race: "});
  kernel("%out: !llvm.ptr<1>",
         "  %v = llvm.load %out : !llvm.ptr<1> -> i32\n" + count());
  fails(Problem::Race, threads(64), {&out}, {"race: "});
  kernel("%out: !llvm.ptr<1>",
         count() + "  llvm.store %tid, %out : i32, !llvm.ptr<1>\n");
  fails(Problem::Race, threads(64), {&out}, {"race: "});
  // A barrier orders the threads of one CTA, not those of others.
  kernel("%out: !llvm.ptr<1>",
         count() + "  nvvm.barrier0\n"
                   "  %v = llvm.load %out : !llvm.ptr<1> -> i32\n");
  EXPECT_FALSE(run(threads(64), {&out}).problem);
  fails(Problem::Race, threads(64, 2), {&out}, {"race: "});
  Buffer fresh(4);
  fails(Problem::Unwritten, threads(64), {&fresh}, {"never written"});
}

TEST_F(AtomicsTest, RefusesOrders) {
  kernel("%out: !llvm.ptr<1>", count("add", "acq_rel"));
  EXPECT_NE(refusal().find("relaxed only"), std::string::npos);
  kernel("%out: !llvm.ptr<1>", count("uinc_wrap"));
  EXPECT_NE(refusal().find("no such atomic"), std::string::npos);
}

} // namespace
