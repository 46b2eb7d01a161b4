// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Clusters, the shared memory of other CTAs, and registers that warpgroups
// exchange.
#include "Emulated.h"

using namespace emulated;

namespace {

Shape clusters(uint32_t block, uint32_t grid, uint32_t cluster) {
  Shape shape = threads(block, grid);
  shape.cluster.x = cluster;
  return shape;
}

const char *meet = "  nvvm.cluster.arrive {aligned}\n"
                   "  nvvm.cluster.wait {aligned}\n";

const char *memory =
    "llvm.mlir.global internal @s() {addr_space = 3 : i32, alignment = 1024 : "
    "i64} : !llvm.array<2048 x i8>\n"
    "llvm.mlir.global internal @b() {addr_space = 3 : i32, alignment = 8 : "
    "i64} : i64";

/// Each thread of two CTAs takes what its twin in the other one has left.
struct Exchange {
  std::string start;
  std::string before = meet, behind = meet;
  std::string other = "llvm.xor %rank, %c1 : i32";

  std::string text() const {
    return R"(
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %cta = nvvm.read.ptx.sreg.ctaid.x : i32
  %ntid = nvvm.read.ptx.sreg.ntid.x : i32
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %b = llvm.mlir.addressof @b : !llvm.ptr<3>
  %base = llvm.mul %cta, %ntid : i32
  %number = llvm.add %base, %tid : i32
  %mine = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
)" + start +
           R"(
  llvm.store %number, %mine : i32, !llvm.ptr<3>
)" + before +
           "  %other = " + other + R"(
  %theirs = nvvm.mapa %mine, %other : !llvm.ptr<3> -> !llvm.ptr<7>
  %v = llvm.load %theirs : !llvm.ptr<7> -> i32
)" + behind +
           R"(
  %o = llvm.getelementptr %out[%number] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.store %v, %o : i32, !llvm.ptr<1>
)";
  }
};

class ClusterTest : public EmulatorTest {
protected:
  void build(const std::string &text) {
    kernel("%in: !llvm.ptr<1>, %out: !llvm.ptr<1>", text, memory);
    (*module)->walk([&](mlir::LLVM::LLVMFuncOp function) {
      mlir::Builder builder(&context);
      function->setAttr("nvvm.cluster_dim",
                        builder.getDenseI32ArrayAttr({2, 1, 1}));
      function->setAttr("nvvm.reqntid",
                        builder.getDenseI32ArrayAttr({64, 1, 1}));
    });
  }

  void breaks(const std::string &text, Problem problem,
              std::initializer_list<const char *> says) {
    build(text);
    Buffer in(std::vector<int>(1024, 1)), out(4 * 64 * 4);
    fails(problem, clusters(64, 4, 2), {&in, &out}, says);
  }

  std::vector<int> runs(const std::string &text, uint64_t seed = 0) {
    build(text);
    Buffer in(std::vector<int>(1024, 1)), out(4 * 64 * 4);
    Options options;
    options.seed = seed;
    Outcome outcome = run(clusters(64, 4, 2), {&in, &out}, options);
    EXPECT_FALSE(outcome.problem) << outcome.text;
    if (seed == 0)
      assembles();
    return out.as<int>();
  }
};

TEST_F(ClusterTest, ReadsTheMemoryOfOtherCtas) {
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    std::vector<int> values = runs(Exchange().text(), seed);
    for (int i = 0; i < 256; ++i)
      EXPECT_EQ(values[i], i ^ 64);
  }
  // By generic addresses, and by each thread for itself.
  Exchange exchange;
  std::string text = exchange.text();
  text.replace(text.find("nvvm.mapa"),
               std::string("nvvm.mapa %mine, %other : "
                           "!llvm.ptr<3> -> "
                           "!llvm.ptr<7>")
                   .size(),
               "nvvm.mapa %generic, %other : !llvm.ptr -> !llvm.ptr");
  text.insert(text.find("  %theirs"),
              "  %generic = llvm.addrspacecast %mine : !llvm.ptr<3> to "
              "!llvm.ptr\n");
  text.replace(text.find("%theirs : !llvm.ptr<7>"),
               std::string("%theirs : !llvm.ptr<7>").size(),
               "%theirs : !llvm.ptr");
  for (size_t at; (at = text.find(" {aligned}")) != std::string::npos;)
    text.erase(at, std::string(" {aligned}").size());
  std::vector<int> values = runs(text);
  for (int i = 0; i < 256; ++i)
    EXPECT_EQ(values[i], i ^ 64);
}

TEST_F(ClusterTest, KnowsWhereACtaIs) {
  std::string text;
  int digit = 0;
  for (const char *name :
       {"clusterid.x", "nclusterid.x", "cluster.ctaid.x", "cluster.nctaid.x",
        "cluster.ctarank", "cluster.nctarank"}) {
    std::string at = std::to_string(digit++);
    text += "  %r" + at + " = nvvm.read.ptx.sreg." + name + " : i32\n  %a" +
            at + " = llvm.mul %sum" + at + ", %ten : i32\n  %sum" +
            std::to_string(digit) + " = llvm.add %a" + at + ", %r" + at +
            " : i32\n";
  }
  std::vector<int> values = runs(R"(
  %ten = llvm.mlir.constant(10 : i32) : i32
  %sum0 = llvm.mlir.constant(0 : i32) : i32
  %cta = nvvm.read.ptx.sreg.ctaid.x : i32
)" + text + R"(
  %o = llvm.getelementptr %out[%cta, %tid] : (!llvm.ptr<1>, i32, i32) -> !llvm.ptr<1>, !llvm.array<64 x i32>
  llvm.store %sum6, %o : i32, !llvm.ptr<1>
)");
  EXPECT_EQ(values[0], 20202);
  EXPECT_EQ(values[3 * 64], 121212);
}

TEST_F(ClusterTest, FindsMissingBarriers) {
  Exchange exchange;
  exchange.before = "  nvvm.barrier0\n";
  breaks(exchange.text(), Problem::Race,
         {"llvm.load at", "nothing tells the thread that CTA", "has started"});
  // That the other CTA has started does not say what it has written.
  exchange.start = meet;
  build(exchange.text());
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Buffer in(4), out(4 * 64 * 4);
    Options options;
    options.seed = seed;
    Outcome outcome = run(clusters(64, 4, 2), {&in, &out}, options);
    // Who is first decides which of the two it is.
    EXPECT_TRUE(outcome.problem == Problem::Race ||
                outcome.problem == Problem::Unwritten)
        << outcome.text;
  }
  exchange = Exchange();
  exchange.before = "  nvvm.cluster.arrive.relaxed {aligned}\n"
                    "  nvvm.cluster.wait {aligned}\n";
  breaks(exchange.text(), Problem::Race, {"llvm.load at"});
  exchange = Exchange();
  exchange.behind = "";
  breaks(exchange.text(), Problem::Race,
         {"llvm.load at", "nothing tells CTA", "to stay until then"});
}

TEST_F(ClusterTest, FindsMisusedBarriers) {
  Exchange exchange;
  exchange.before = "  nvvm.cluster.wait {aligned}\n";
  breaks(exchange.text(), Problem::Barrier, {"waits without having arrived"});
  exchange.before = "  nvvm.cluster.arrive {aligned}\n";
  exchange.before += exchange.before;
  breaks(exchange.text(), Problem::Barrier, {"arrives twice"});
  exchange = Exchange();
  exchange.other = "llvm.add %rank, %c1 : i32";
  breaks(exchange.text(), Problem::Value, {"no CTA of rank 2"});
  // Only one of the CTAs comes.
  exchange = Exchange();
  exchange.before = R"(
  %one = llvm.icmp "eq" %rank, %c0 : i32
  llvm.cond_br %one, ^come, ^away
^come:
  nvvm.cluster.arrive {aligned}
  nvvm.cluster.wait {aligned}
  llvm.br ^away
^away:
)";
  exchange.behind = "";
  build(exchange.text());
  Buffer in(4), out(4 * 64 * 4);
  EXPECT_TRUE(run(clusters(64, 4, 2), {&in, &out}).problem);
}

TEST_F(ClusterTest, ChecksTheShapeOfALaunch) {
  build(Exchange().text());
  Buffer in(4), out(4 * 64 * 4);
  EXPECT_EQ(run(clusters(64, 4, 1), {&in, &out}).problem, Problem::Argument);
  EXPECT_EQ(run(clusters(32, 4, 2), {&in, &out}).problem, Problem::Argument);
  EXPECT_EQ(run(clusters(64, 3, 2), {&in, &out}).problem, Problem::Argument);
}

/// The threads of both CTAs arrive at a barrier of the first one, which then
/// reads what they have left.
std::string collect(const std::string &leave, const std::string &end) {
  return R"(
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %c128 = llvm.mlir.constant(128 : i32) : i32
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %b = llvm.mlir.addressof @b : !llvm.ptr<3>
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^make, ^go
^make:
  nvvm.mbarrier.init %b, %c128 : !llvm.ptr<3>, i32
  llvm.br ^go
^go:
)" + std::string(meet) +
         R"(
  %row = nvvm.mapa %s, %c0 : !llvm.ptr<3> -> !llvm.ptr<7>
  %theirs = nvvm.mapa %b, %c0 : !llvm.ptr<3> -> !llvm.ptr<7>
  %base = llvm.mul %rank, %c64 : i32
  %at = llvm.add %base, %tid : i32
  %to = llvm.getelementptr %row[%at] : (!llvm.ptr<7>, i32) -> !llvm.ptr<7>, i32
)" + leave +
         R"(
  %one = llvm.icmp "eq" %rank, %c0 : i32
  llvm.cond_br %one, ^read, ^end
^read:
  nvvm.mbarrier.try_wait.parity %b, %c0, %ticks : !llvm.ptr<3>, i32, i32
  %twin = llvm.add %tid, %c64 : i32
  %from = llvm.getelementptr %s[%twin] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %v = llvm.load %from : !llvm.ptr<3> -> i32
  %cta = nvvm.read.ptx.sreg.ctaid.x : i32
  %o = llvm.getelementptr %out[%cta, %tid] : (!llvm.ptr<1>, i32, i32) -> !llvm.ptr<1>, !llvm.array<64 x i32>
  llvm.store %v, %o : i32, !llvm.ptr<1>
  llvm.br ^end
^end:
)" + end;
}

TEST_F(ClusterTest, ArrivesAtBarriersOfOtherCtas) {
  std::string store = "  llvm.store %at, %to : i32, !llvm.ptr<7>\n";
  std::string arrive = "  nvvm.mbarrier.arrive %theirs : !llvm.ptr<7>\n";
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    std::vector<int> values = runs(collect(store + arrive, ""), seed);
    for (int i = 0; i < 64; ++i) {
      EXPECT_EQ(values[i], i + 64);
      EXPECT_EQ(values[128 + i], i + 64);
    }
  }
  breaks(collect(arrive + store, ""), Problem::Race, {"race: "});
  breaks(collect(store + arrive,
                 "  nvvm.mbarrier.try_wait.parity %theirs2, %c0, %ticks : "
                 "!llvm.ptr, i32, i32\n")
             .insert(0, R"(
  %g = llvm.mlir.addressof @b : !llvm.ptr<3>
  %g2 = llvm.addrspacecast %g : !llvm.ptr<3> to !llvm.ptr
  %theirs2 = nvvm.mapa %g2, %c0 : !llvm.ptr -> !llvm.ptr
)"),
         Problem::Barrier, {"the mbarrier is another CTA's"});
}

/// The first CTA brings a row into the memory of both.
std::string multicast(const std::string &bytes, const std::string &wait,
                      const std::string &mask = "3") {
  return R"(
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %size = llvm.mlir.constant(256 : i32) : i32
  %bytes = llvm.mlir.constant()" +
         bytes + R"( : i32) : i32
  %mask = llvm.mlir.constant()" +
         mask + R"( : i16) : i16
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %c = llvm.addrspacecast %s : !llvm.ptr<3> to !llvm.ptr<7>
  %b = llvm.mlir.addressof @b : !llvm.ptr<3>
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^make, ^go
^make:
  nvvm.mbarrier.init %b, %c1 : !llvm.ptr<3>, i32
  nvvm.fence.mbarrier.init
  nvvm.mbarrier.arrive.expect_tx %b, %bytes : !llvm.ptr<3>, i32
  llvm.br ^go
^go:
)" + std::string(meet) +
         R"(
  %leads = llvm.icmp "eq" %rank, %c0 : i32
  %copies = llvm.and %leads, %first : i1
  llvm.cond_br %copies, ^copy, ^wait
^copy:
  nvvm.cp.async.bulk.shared.cluster.global %c, %in, %b, %size multicast_mask = %mask : !llvm.ptr<7>, !llvm.ptr<1>
  llvm.br ^wait
^wait:
)" + wait +
         R"(
  %mine = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %v = llvm.load %mine : !llvm.ptr<3> -> i32
  %cta = nvvm.read.ptx.sreg.ctaid.x : i32
  %o = llvm.getelementptr %out[%cta, %tid] : (!llvm.ptr<1>, i32, i32) -> !llvm.ptr<1>, !llvm.array<64 x i32>
  llvm.store %v, %o : i32, !llvm.ptr<1>
)";
}

TEST_F(ClusterTest, CopiesToSeveralCtas) {
  std::string wait = "  nvvm.mbarrier.try_wait.parity %b, %c0, %ticks : "
                     "!llvm.ptr<3>, i32, i32\n";
  for (uint64_t seed = 0; seed < seeds; ++seed)
    EXPECT_EQ(runs(multicast("256", wait), seed), std::vector<int>(256, 1));
  breaks(multicast("256", wait, "1"), Problem::Deadlock, {"and 256 bytes"});
  breaks(multicast("256", wait, "5"), Problem::Value, {"the mask names CTAs"});
  breaks(multicast("256", meet), Problem::Race,
         {"llvm.load at", "which an asynchronous operation"});
}

class RegisterCountTest : public EmulatorTest {
protected:
  /// A warpgroup that gives, and others that take.
  Outcome exchange(const std::string &gives, const std::string &takes,
                   uint32_t block = 384) {
    kernel("", R"(
  %c128 = llvm.mlir.constant(128 : i32) : i32
  %leads = llvm.icmp "ult" %tid, %c128 : i32
  llvm.cond_br %leads, ^give, ^take
^give:
  )" + gives + R"(
  llvm.br ^end
^take:
  )" + takes + R"(
  llvm.br ^end
^end:)");
    return run(threads(block), {});
  }
};

TEST_F(RegisterCountTest, CountsTheRegistersOfACta) {
  // 384 threads have 168 registers each at the start.
  EXPECT_FALSE(exchange("nvvm.setmaxregister decrease 24",
                        "nvvm.setmaxregister increase 240")
                   .problem);
  Outcome outcome = exchange("nvvm.setmaxregister decrease 32",
                             "nvvm.setmaxregister increase 240");
  EXPECT_EQ(outcome.problem, Problem::Deadlock);
  EXPECT_NE(outcome.text.find("128 wait at nvvm.setmaxregister"),
            std::string::npos)
      << outcome.text;
  outcome = exchange("nvvm.setmaxregister increase 160", "");
  EXPECT_EQ(outcome.problem, Problem::Registers);
  EXPECT_NE(outcome.text.find("cannot go up to 160"), std::string::npos);
  outcome = exchange("nvvm.setmaxregister decrease 176", "");
  EXPECT_EQ(outcome.problem, Problem::Registers);
}

TEST_F(RegisterCountTest, FindsWarpsThatStayAway) {
  Outcome outcome = exchange(R"(
  %in = llvm.icmp "ult" %tid, %c64 : i32
  llvm.cond_br %in, ^some, ^end
^some:
  nvvm.setmaxregister decrease 24
)",
                             "");
  EXPECT_EQ(outcome.problem, Problem::Deadlock) << outcome.text;
}

} // namespace
