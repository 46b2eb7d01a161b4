// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of warpgroups: layouts of shared memory, fragments, and what goes
// wrong when somebody does not wait.
#include "Emulated.h"

#include "llvm/ADT/bit.h"

using namespace emulated;

namespace {

/// Where the elements of a matrix of 16-bit numbers lie: row `mn` along M or N,
/// and depth `k`. The formulas are those of the figures of PTX ISA 9.7.15.5,
/// with tiles that follow each other.
struct Layout {
  unsigned width;  // of the swizzled pattern, 0 without one
  bool transposed; // M or N is contiguous
  unsigned extent; // rows

  unsigned leading() const {
    if (transposed)
      return width ? 16 * width : 128 * (extent / 8);
    return width ? 16 : 128 * (extent / 8);
  }
  unsigned stride() const {
    if (transposed)
      return width ? 8 * width : 128;
    return width ? 8 * width : 128;
  }
  unsigned offset(unsigned mn, unsigned k) const {
    unsigned line = transposed ? k : mn, along = transposed ? mn : k;
    unsigned chunk = along / 8, within = along % 8 * 2;
    if (!width && transposed)
      return chunk * 128 + line % 8 * 16 + line / 8 * leading() + within;
    if (!width)
      return chunk * leading() + line / 8 * 128 + line % 8 * 16 + within;
    unsigned perRow = width / 16, row = line % 8;
    // 128 bytes: by the row; 64: by each second one; 32: by each fourth.
    unsigned turned = row / (8 / perRow);
    unsigned tile = transposed ? chunk / perRow * leading() : 0;
    return tile + line / 8 * stride() + row * width +
           ((chunk % perRow) ^ turned) * 16 + within;
  }
  uint64_t descriptor(unsigned start) const {
    uint64_t mode = width == 128 ? 1 : width == 64 ? 2 : width == 32 ? 3 : 0;
    return start >> 4 | uint64_t(leading() >> 4) << 16 |
           uint64_t(stride() >> 4) << 32 | mode << 62;
  }
};

int valueOfA(unsigned i, unsigned k) {
  return int(i * 5 + k * 3 + i * k) % 7 - 3;
}
int valueOfB(unsigned k, unsigned j) {
  return int(k * 2 + j * 4 + k * j) % 5 - 2;
}
uint16_t bf16(int value) {
  return llvm::bit_cast<uint32_t>(float(value)) >> 16;
}

constexpr unsigned startOfB = 8192, imageBytes = 32768;

/// The product of A and B in the order of the threads' accumulators.
std::vector<float> expected(unsigned n, int sign = 1, unsigned depth = 16) {
  std::vector<float> result(128 * n / 2);
  for (unsigned thread = 0; thread < 128; ++thread)
    for (unsigned i = 0; i < n / 2; ++i) {
      unsigned row = thread / 32 * 16 + thread % 32 / 4 + 8 * (i / 2 % 2);
      unsigned column = 8 * (i / 4) + thread % 4 * 2 + i % 2;
      for (unsigned k = 0; k < depth; ++k)
        result[thread * n / 2 + i] +=
            sign * valueOfA(row, k) * valueOfB(k, column);
    }
  return result;
}

std::string repeat(const std::string &text, unsigned count) {
  std::string all;
  for (unsigned i = 0; i < count; ++i)
    all += (i ? ", " : "") + text;
  return all;
}

/// A kernel that brings an image into shared memory and multiplies what it
/// holds.
struct Text {
  unsigned n = 16;
  std::string layoutA = "row", layoutB = "col";
  std::string type = "bf16", depth = "16";
  std::string scaleD = "one", scaleA = "one";
  std::string proxyFence =
      "nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = "
      "#nvvm.shared_space<cta>}";
  std::string barrier = "nvvm.barrier0";
  std::string fence = "nvvm.wgmma.fence.aligned";
  std::string commit = "nvvm.wgmma.commit.group.sync.aligned";
  std::string wait = "nvvm.wgmma.wait.group.sync.aligned 0";
  std::string result = "%r"; // what is left in global memory
  std::string product, behind;

  std::string accumulators() const {
    return "!llvm.struct<(" + repeat("f32", n / 2) + ")>";
  }
  std::string multiply(const std::string &name, const std::string &from) const {
    return "  " + name + " = nvvm.wgmma.mma_async %da, %db, " + from +
           ", #nvvm.shape<m = 64, n = " + std::to_string(n) + ", k = " + depth +
           ">, D [<f32>, <" + scaleD + ">], A [<" + type + ">, <" + scaleA +
           ">, <" + layoutA + ">], B [<" + type + ">, <one>, <" + layoutB +
           ">] : " + accumulators() + " -> " + accumulators() + "\n";
  }
  std::string start() const {
    return R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %i64 = llvm.mlir.constant(0 : i64) : i64
  %c4 = llvm.mlir.constant(4 : i32) : i32
  %steps = llvm.mlir.constant(16 : i32) : i32
  %c128 = llvm.mlir.constant(128 : i32) : i32
  %z = llvm.mlir.zero : )" +
           accumulators() + R"(
  llvm.br ^turn(%c0 : i32)
^turn(%i: i32):
  %row = llvm.mul %i, %c128 : i32
  %at = llvm.add %row, %tid : i32
  %from = llvm.getelementptr %image[%at] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, vector<4xi32>
  %to = llvm.getelementptr %s[%at] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, vector<4xi32>
  %v = llvm.load %from : !llvm.ptr<1> -> vector<4xi32>
  llvm.store %v, %to : vector<4xi32>, !llvm.ptr<3>
  %j = llvm.add %i, %c1 : i32
  %again = llvm.icmp "ult" %j, %steps : i32
  llvm.cond_br %again, ^turn(%j : i32), ^go
^go:
  )" + proxyFence +
           "\n  " + barrier + R"(
  %base = llvm.ptrtoint %s : !llvm.ptr<3> to i32
  %units = llvm.lshr %base, %c4 : i32
  %wide = llvm.zext %units : i32 to i64
  %da = llvm.add %a, %wide : i64
  %db = llvm.add %b, %wide : i64
)";
  }
  std::string body() const {
    std::string text = start();
    text += "  " + fence + "\n";
    text += product.empty() ? multiply("%r", "%z") : product;
    text += "  " + commit + "\n  " + wait + "\n" + behind;
    std::string count = std::to_string(n / 2);
    text += "  %mine = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> "
            "!llvm.ptr<1>, !llvm.array<" +
            count + " x f32>\n";
    for (unsigned i = 0; i < n / 2; ++i) {
      std::string at = std::to_string(i);
      text += "  %e" + at + " = llvm.extractvalue " + result + "[" + at +
              "] : " + accumulators() + "\n  %p" + at +
              " = llvm.getelementptr %mine[" + at +
              "] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32\n  llvm.store %e" + at +
              ", %p" + at + " : f32, !llvm.ptr<1>\n";
    }
    return text;
  }
};

class WgmmaTest : public EmulatorTest {
protected:
  std::vector<uint8_t> image = std::vector<uint8_t>(imageBytes, 0);
  uint64_t a = 0, b = 0;

  void place(const Layout &layout, unsigned start,
             int (*value)(unsigned, unsigned), bool isB) {
    for (unsigned mn = 0; mn < layout.extent; ++mn)
      for (unsigned k = 0; k < 16; ++k) {
        uint16_t bits = bf16(isB ? value(k, mn) : value(mn, k));
        std::memcpy(&image[start + layout.offset(mn, k)], &bits, 2);
      }
  }

  /// A in its place, B behind it; both without a pattern.
  void placePlain(unsigned n, unsigned widthA = 0, unsigned widthB = 0,
                  bool transposedA = false, bool transposedB = false) {
    std::fill(image.begin(), image.end(), 0);
    Layout layoutA{widthA, transposedA, 64}, layoutB{widthB, transposedB, n};
    place(layoutA, 0, valueOfA, false);
    place(layoutB, startOfB, valueOfB, true);
    a = layoutA.descriptor(0);
    b = layoutB.descriptor(startOfB);
  }

  void build(const Text &text) {
    kernel("%image: !llvm.ptr<1>, %a: i64, %b: i64, %out: !llvm.ptr<1>",
           text.body(),
           "llvm.mlir.global internal @s() {addr_space = 3 : i32, alignment = "
           "1024 : i64} : !llvm.array<32768 x i8>");
  }

  std::vector<float> product(const Text &text, uint64_t seed = 0) {
    build(text);
    Buffer in(image), out(128 * text.n / 2 * 4);
    Options options;
    options.seed = seed;
    Outcome outcome = run(threads(128), {&in, a, b, &out}, options);
    EXPECT_FALSE(outcome.problem) << outcome.text;
    if (seed == 0)
      assembles();
    return out.as<float>();
  }

  void breaks(const Text &text, Problem problem,
              std::initializer_list<const char *> says) {
    build(text);
    Buffer in(image), out(128 * text.n / 2 * 4);
    fails(problem, threads(128), {&in, a, b, &out}, says);
  }
};

TEST_F(WgmmaTest, MultipliesInEachLayout) {
  for (unsigned n : {8u, 64u})
    for (unsigned width : {0u, 32u, 64u, 128u})
      for (bool transposedA : {false, true})
        for (bool transposedB : {false, true}) {
          unsigned widthB = width;
          // A row of the pattern has to be full.
          if (transposedB && width / 2 > n)
            widthB = 0;
          placePlain(n, width, widthB, transposedA, transposedB);
          Text text;
          text.n = n;
          text.layoutA = transposedA ? "col" : "row";
          text.layoutB = transposedB ? "row" : "col";
          EXPECT_EQ(product(text), expected(n))
              << n << " " << width << " " << transposedA << transposedB;
        }
}

TEST_F(WgmmaTest, ReadsThePartOfAPatternThatStartsInside) {
  placePlain(16, 128, 128);
  // The same 16 columns of K, 64 bytes further along the rows.
  std::fill(image.begin(), image.end(), 0);
  for (auto [start, extent, isB] :
       {std::tuple{0u, 64u, false}, std::tuple{startOfB, 16u, true}})
    for (unsigned mn = 0; mn < extent; ++mn)
      for (unsigned k = 0; k < 16; ++k) {
        unsigned at =
            start + mn * 128 + (((k / 8 + 4) ^ mn % 8) * 16) + k % 8 * 2;
        uint16_t bits = bf16(isB ? valueOfB(k, mn) : valueOfA(mn, k));
        std::memcpy(&image[at], &bits, 2);
      }
  a += 64 >> 4;
  b += 64 >> 4;
  EXPECT_EQ(product(Text()), expected(16));
}

TEST_F(WgmmaTest, ScalesByOneOrNothing) {
  placePlain(16);
  Text text;
  text.scaleA = "neg";
  EXPECT_EQ(product(text), expected(16, -1));
  text = Text();
  // The second product adds to the first one without a wait in between.
  text.product = text.multiply("%q", "%z") + text.multiply("%r", "%q");
  std::vector<float> twice = expected(16);
  for (float &value : twice)
    value *= 2;
  for (uint64_t seed = 0; seed < seeds; ++seed)
    EXPECT_EQ(product(text, seed), twice);
  text.scaleD = "zero";
  text.product = text.multiply("%q", "%z") + text.multiply("%r", "%q");
  EXPECT_EQ(product(text), expected(16));
}

/// 8 numbers of tf32 along K have the bytes of 16 of bf16.
TEST_F(WgmmaTest, MultipliesTF32) {
  Layout layoutA{128, false, 64}, layoutB{128, false, 16};
  for (unsigned k = 0; k < 8; ++k) {
    for (unsigned i = 0; i < 64; ++i) {
      float value = valueOfA(i, k);
      std::memcpy(&image[layoutA.offset(i, 2 * k)], &value, 4);
    }
    for (unsigned j = 0; j < 16; ++j) {
      float value = valueOfB(k, j);
      std::memcpy(&image[startOfB + layoutB.offset(j, 2 * k)], &value, 4);
    }
  }
  a = layoutA.descriptor(0);
  b = layoutB.descriptor(startOfB);
  Text text;
  text.type = "tf32";
  text.depth = "8";
  EXPECT_EQ(product(text), expected(16, 1, 8));
  image[0] = 1;
  breaks(text, Problem::Value, {"more bits than tf32"});
}

/// A in registers, by inline assembly: they come from where A would lie, row by
/// row without a pattern.
std::string inRegisters(const std::string &statement =
                            "wgmma.mma_async.sync.aligned.m64n16k16.f32."
                            "bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7}, "
                            "{$16, $17, $18, $19}, $20, p, 1, 1, 0;",
                        const std::string &between = "") {
  std::string text = R"(
  %c3 = llvm.mlir.constant(3 : i32) : i32
  %c16 = llvm.mlir.constant(16 : i32) : i32
  %warp0 = llvm.mlir.constant(5 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %lane = nvvm.read.ptx.sreg.laneid : i32
  %warp = llvm.lshr %tid, %warp0 : i32
  %tile = llvm.mul %warp, %c16 : i32
  %group = llvm.lshr %lane, %c2 : i32
  %quad = llvm.and %lane, %c3 : i32
  %firstRow = llvm.add %tile, %group : i32
  %word = llvm.getelementptr %image[%firstRow, %quad] : (!llvm.ptr<1>, i32, i32) -> !llvm.ptr<1>, !llvm.array<8 x i32>
)";
  const char *bytes[] = {"0", "256", "16", "272"};
  for (int i = 0; i < 4; ++i) {
    std::string at = std::to_string(i);
    text += "  %w" + at + " = llvm.getelementptr %word[" + bytes[i] +
            "] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8\n  %f" + at +
            " = llvm.load %w" + at + " : !llvm.ptr<1> -> i32\n";
  }
  for (int i = 0; i < 8; ++i) {
    std::string at = std::to_string(i);
    text += "  %z" + at + " = llvm.extractvalue %z[" + at +
            "] : !llvm.struct<(" + repeat("f32", 8) + ")>\n";
  }
  text += between + "\n";
  text +=
      R"(  nvvm.wgmma.fence.aligned
  %r = llvm.inline_asm has_side_effects asm_dialect = att "{\0A.reg .pred p;\0Asetp.ne.b32 p, $21, 0;\0A)" +
      statement +
      R"(\0A}\0A", "=f,=f,=f,=f,=f,=f,=f,=f,0,1,2,3,4,5,6,7,r,r,r,r,l,r" %z0, %z1, %z2, %z3, %z4, %z5, %z6, %z7, %f0, %f1, %f2, %f3, %db, %one : (f32, f32, f32, f32, f32, f32, f32, f32, i32, i32, i32, i32, i64, i32) -> !llvm.struct<()" +
      repeat("f32", 8) + ")>\n";
  return text;
}

class WgmmaRegistersTest : public WgmmaTest {
protected:
  WgmmaRegistersTest() {
    placePlain(16, 0, 128);
    // Row by row.
    for (unsigned i = 0; i < 64; ++i)
      for (unsigned k = 0; k < 16; ++k) {
        uint16_t bits = bf16(valueOfA(i, k));
        std::memcpy(&image[i * 32 + k * 2], &bits, 2);
      }
  }
};

TEST_F(WgmmaRegistersTest, MultipliesByInlineAssembly) {
  Text text;
  text.product = inRegisters();
  EXPECT_EQ(product(text), expected(16));
  text.product =
      inRegisters("wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 "
                  "{$0,$1,$2,$3,$4,$5,$6,$7},{$16,$17,$18,$19},$20,p,-1,1,0;");
  EXPECT_EQ(product(text), expected(16, -1));
}

/// The wait has the accumulators as results, so that nothing moves over it.
TEST_F(WgmmaRegistersTest, WaitsByInlineAssembly) {
  Text text;
  text.product = inRegisters();
  text.wait = "";
  for (int i = 0; i < 8; ++i) {
    std::string at = std::to_string(i);
    text.wait += "  %r" + at + " = llvm.extractvalue %r[" + at +
                 "] : " + text.accumulators() + "\n";
  }
  std::string asmWait =
      R"("=f,=f,=f,=f,=f,=f,=f,=f,0,1,2,3,4,5,6,7,~{memory}" %r0, %r1, %r2, %r3, %r4, %r5, %r6, %r7 : ()" +
      repeat("f32", 8) + ") -> " + text.accumulators();
  std::string extracts = text.wait;
  text.result = "%w";
  text.wait = extracts +
              "  %w = llvm.inline_asm has_side_effects asm_dialect = att "
              "\"wgmma.wait_group.sync.aligned 0;\", " +
              asmWait;
  EXPECT_EQ(product(text), expected(16));
  text.wait = extracts +
              "  %w = llvm.inline_asm has_side_effects asm_dialect = att "
              "\"wgmma.wait_group.sync.aligned 1;\", " +
              asmWait;
  breaks(text, Problem::Registers, {"llvm.store at", "reads an accumulator"});
}

TEST_F(WgmmaRegistersTest, RefusesOtherAssemblyByName) {
  auto refuses = [&](const std::string &statement, const char *says) {
    Text text;
    text.product = inRegisters(statement);
    build(text);
    std::string reason = refusal();
    EXPECT_NE(reason.find("llvm.inline_asm at k.mlir:"), std::string::npos);
    EXPECT_NE(reason.find(says), std::string::npos) << reason;
  };
  refuses("wgmma.mma_async.sync.aligned.m64n16k32.f32.e4m3.e4m3 "
          "{$0, $1, $2, $3, $4, $5, $6, $7}, {$16, $17, $18, $19}, $20, p, 1, "
          "1;",
          "m64n16k32.f32.e4m3.e4m3");
  refuses("tanh.approx.f32 $0, $16;", "'tanh.approx.f32'");
  refuses("wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 "
          "{$0, $1, $2, $3}, {$16, $17, $18, $19}, $20, p, 1, 1, 0;",
          "not those of the shape");
  refuses("wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 "
          "{$0, $1, $2, $3, $4, $5, $6, $7}, {$16, $17, $18, $19}, $20, p, 1, "
          "2, 0;",
          "the operands of");
}

TEST_F(WgmmaRegistersTest, FindsRegistersThatAreOverwritten) {
  // In a loop the same registers get new values, before the wait or behind it.
  auto loop = [&](const std::string &inside, const std::string &behind) {
    Text text;
    std::string all = inRegisters();
    size_t loads = all.find("  %word = ");
    all.insert(loads, "  llvm.br ^again(%c0 : i32)\n^again(%turn: i32):\n");
    text.product = all;
    text.commit += "\n" + inside;
    text.wait = R"(
  %nextTurn = llvm.add %turn, %c1 : i32
  %more = llvm.icmp "ult" %nextTurn, %c2 : i32
  llvm.cond_br %more, ^again(%nextTurn : i32), ^done
^done:
)" + behind;
    return text;
  };
  const char *wait = "nvvm.wgmma.wait.group.sync.aligned 0";
  EXPECT_EQ(product(loop(wait, "")), expected(16));
  breaks(loop("", wait), Problem::Registers,
         {"llvm.load at", "overwrites a register that a product in flight"});
}

TEST_F(WgmmaTest, FindsMissingWaits) {
  placePlain(16);
  Text text;
  text.wait = "";
  breaks(text, Problem::Registers,
         {"llvm.store at", "reads an accumulator of nvvm.wgmma.mma_async",
          "in flight"});
  text.wait = "nvvm.wgmma.wait.group.sync.aligned 1";
  breaks(text, Problem::Registers, {"reads an accumulator"});
  text = Text();
  text.commit = "";
  breaks(text, Problem::Registers, {"reads an accumulator"});
}

TEST_F(WgmmaTest, FindsMissingFences) {
  placePlain(16);
  Text text;
  text.fence = "";
  breaks(text, Problem::Registers,
         {"nvvm.wgmma.mma_async at", "no wgmma.fence comes before"});
  // Between a read of an accumulator and the next product that adds to it.
  text = Text();
  std::string read = "  nvvm.wgmma.commit.group.sync.aligned\n"
                     "  nvvm.wgmma.wait.group.sync.aligned 0\n"
                     "  %first = llvm.extractvalue %q[0] : " +
                     text.accumulators() +
                     "\n  %sum = llvm.fadd %first, %first : f32\n";
  text.product = text.multiply("%q", "%z") + read + text.multiply("%r", "%q");
  breaks(text, Problem::Registers, {"no wgmma.fence comes between"});
  // Who else reads the zeros that a product starts from does not matter.
  text.product = "  %zero = llvm.extractvalue %z[0] : " + text.accumulators() +
                 "\n  %none = llvm.fadd %zero, %zero : f32\n" +
                 text.multiply("%r", "%z");
  product(text);
  text.product = text.multiply("%q", "%z") + read + "  " + text.fence + "\n" +
                 text.multiply("%r", "%q");
  product(text);
}

TEST_F(WgmmaTest, FindsOperandsThatAreNotThereYet) {
  placePlain(16);
  Text text;
  text.proxyFence = "";
  breaks(text, Problem::Race,
         {"missing proxy fence", "nvvm.wgmma.mma_async at",
          "wrote in llvm.store"});
  text = Text();
  text.barrier = "";
  breaks(text, Problem::Race, {"race: ", "nvvm.wgmma.mma_async at"});
  // The fence is for those who know of the writes.
  text = Text();
  std::swap(text.proxyFence, text.barrier);
  product(text);
  text.proxyFence = "nvvm.barrier0";
  text.barrier = "nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.global>}";
  breaks(text, Problem::Race, {"missing proxy fence"});
}

TEST_F(WgmmaTest, FindsOperandsThatAreOverwritten) {
  placePlain(16);
  Text text;
  text.behind = R"(
  nvvm.barrier0
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^write, ^end
^write:
  llvm.store %tid, %s : i32, !llvm.ptr<3>
  llvm.br ^end
^end:
)";
  product(text);
  std::swap(text.wait, text.behind);
  breaks(text, Problem::Race,
         {"llvm.store at", "which an asynchronous operation", "read in nvvm."});
}

TEST_F(WgmmaTest, FindsWarpsThatStayAway) {
  placePlain(16);
  Text text;
  text.barrier = R"(nvvm.barrier0
  %late = llvm.mlir.constant(96 : i32) : i32
  %in = llvm.icmp "ult" %tid, %late : i32
  llvm.cond_br %in, ^multiply, ^stop
^stop:
  llvm.return
^multiply:)";
  breaks(text, Problem::Deadlock,
         {"96 wait at nvvm.wgmma.mma_async", "32 have exited"});
}

TEST_F(WgmmaTest, ChecksDescriptors) {
  placePlain(16);
  Text text;
  // Inside of a row of the pattern, but not in its first one.
  placePlain(16, 128, 128);
  a += 128 >> 4;
  breaks(text, Problem::Value, {"swizzled pattern"});
  placePlain(16, 128, 128);
  a |= uint64_t(1) << 50;
  breaks(text, Problem::Value, {"swizzled pattern"});
  placePlain(16, 128, 128);
  a |= 1 << 14;
  breaks(text, Problem::Value, {"bits that mean nothing"});
  placePlain(16, 128, 128);
  b += (imageBytes - startOfB) >> 4;
  breaks(text, Problem::Address, {"outside of shared memory"});
  // A wrong distance gives a wrong product, and so does a wrong pattern.
  placePlain(16, 128, 128);
  a += uint64_t(1024 >> 4) << 32;
  EXPECT_NE(product(text), expected(16));
  placePlain(16, 0, 0);
  b += uint64_t(64 >> 4) << 16;
  EXPECT_NE(product(text), expected(16));
  placePlain(16, 128, 128);
  a ^= uint64_t(3) << 62;
  EXPECT_NE(product(text), expected(16));
}

} // namespace
