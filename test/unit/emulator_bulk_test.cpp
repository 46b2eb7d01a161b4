// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bulk and tensor copies, their mbarriers, groups and proxy fences.
#include "Emulated.h"

using namespace emulated;

namespace {

const char *storage =
    "llvm.mlir.global internal @s() {addr_space = 3 : i32, alignment = 1024 : "
    "i64} : !llvm.array<16384 x i8>\n"
    "llvm.mlir.global internal @full() {addr_space = 3 : i32, alignment = 8 : "
    "i64} : i64\n"
    "llvm.mlir.global internal @empty() {addr_space = 3 : i32, alignment = 8 : "
    "i64} : i64";

const char *mapArgument =
    "%map: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>, llvm.align = 64 : "
    "i64, nvvm.grid_constant}, %in: !llvm.ptr<1>, %out: !llvm.ptr<1>, %x: i32, "
    "%y: i32";

const char *proxyFence = "nvvm.fence.proxy {kind = "
                         "#nvvm.proxy_kind<async.shared>, space = "
                         "#nvvm.shared_space<cta>}";

/// What thread 0 alone does.
std::string byFirst(const std::string &name, const std::string &text) {
  return "  llvm.cond_br %first, ^" + name + ", ^behind" + name + "\n^" + name +
         ":\n" + text + "  llvm.br ^behind" + name + "\n^behind" + name + ":\n";
}

const char *constants = R"(
  %first = llvm.icmp "eq" %tid, %c0 : i32
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %cluster = llvm.addrspacecast %s : !llvm.ptr<3> to !llvm.ptr<7>
  %full = llvm.mlir.addressof @full : !llvm.ptr<3>
  %ticks = llvm.mlir.constant(1000 : i32) : i32
)";

/// Each thread moves words between shared memory and `global`, which is as
/// large: 4 words of 16 bytes.
std::string moveAll(const std::string &name, bool fromShared,
                    const std::string &global) {
  std::string text;
  for (int i = 0; i < 8; ++i) {
    std::string at = name + std::to_string(i), bytes = std::to_string(i * 2048);
    text += "  %g" + at + " = llvm.getelementptr " + global +
            "[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, vector<4xi32>\n"
            "  %h" +
            at + " = llvm.getelementptr %g" + at + "[" + bytes +
            "] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8\n"
            "  %t" +
            at +
            " = llvm.getelementptr %s[%tid] : (!llvm.ptr<3>, i32) -> "
            "!llvm.ptr<3>, vector<4xi32>\n  %u" +
            at + " = llvm.getelementptr %t" + at + "[" + bytes +
            "] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8\n";
    text += fromShared
                ? "  %v" + at + " = llvm.load %u" + at +
                      " : !llvm.ptr<3> -> vector<4xi32>\n  llvm.store "
                      "%v" +
                      at + ", %h" + at + " : vector<4xi32>, !llvm.ptr<1>\n"
                : "  %v" + at + " = llvm.load %h" + at +
                      " : !llvm.ptr<1> -> vector<4xi32>\n  llvm.store "
                      "%v" +
                      at + ", %u" + at + " : vector<4xi32>, !llvm.ptr<3>\n";
  }
  return text;
}

constexpr unsigned sharedBytes = 16384;

struct Load {
  std::string before; // the barrier is made
  std::string make = "  nvvm.mbarrier.init %full, %c1 : !llvm.ptr<3>, i32\n";
  std::string announce = "  nvvm.fence.mbarrier.init\n";
  std::string barrier = "  nvvm.barrier0\n";
  std::string bytes = "16384";
  std::string copy = "  nvvm.cp.async.bulk.tensor.shared.cluster.global "
                     "%cluster, %map, %full, "
                     "box[%x, %y] : !llvm.ptr<7>, !llvm.ptr\n";
  std::string wait = "  nvvm.mbarrier.try_wait.parity %full, %c0, %ticks : "
                     "!llvm.ptr<3>, i32, i32\n";

  std::string text() const {
    return constants + before + byFirst("make", make + announce) + barrier +
           "  %bytes = llvm.mlir.constant(" + bytes + " : i32) : i32\n" +
           byFirst("copy", "  nvvm.mbarrier.arrive.expect_tx %full, %bytes : "
                           "!llvm.ptr<3>, i32\n" +
                               copy) +
           wait + moveAll("r", true, "%out");
  }
};

struct Store {
  std::string fence = std::string("  ") + proxyFence + "\n";
  std::string barrier = "  nvvm.barrier0\n";
  std::string copy = "  nvvm.cp.async.bulk.tensor.global.shared.cta %map, %s, "
                     "box[%x, %y] : !llvm.ptr, !llvm.ptr<3>\n";
  std::string commit = "  nvvm.cp.async.bulk.commit.group\n";
  std::string wait = "  nvvm.cp.async.bulk.wait_group 0 {read}\n";
  std::string behind;

  std::string text() const {
    return constants + moveAll("w", false, "%in") + fence + barrier +
           byFirst("copy", copy + commit + wait) + behind;
  }
};

class BulkTest : public EmulatorTest {
protected:
  static constexpr unsigned width = 200, height = 150; // numbers of 16 bits
  std::vector<uint16_t> tensor = std::vector<uint16_t>(width * height);
  TensorMap map;

  BulkTest() {
    for (unsigned i = 0; i < tensor.size(); ++i)
      tensor[i] = i + 1;
    describe(128);
  }

  /// A box of 16 KB, as wide as the pattern.
  void describe(unsigned swizzle, unsigned rowBytes = 0) {
    rowBytes = rowBytes ? rowBytes : swizzle ? swizzle : 128;
    map.sizes = {width, height};
    map.strides = {width * 2};
    map.box = {rowBytes / 2, 16384 / rowBytes};
    while (map.box[1] > 256)
      map.box[1] /= 2;
    map.swizzle = swizzle;
  }
  uint64_t boxBytes() const { return map.box[0] * map.box[1] * 2; }

  /// Where an element of the box lies in shared memory, by the figures.
  unsigned offset(unsigned row, unsigned column) const {
    unsigned pitch = map.swizzle ? map.swizzle : map.box[0] * 2;
    unsigned linear = row * pitch + column * 2;
    if (!map.swizzle)
      return linear;
    unsigned chunk = linear / 16, line = linear / 128;
    return ((chunk ^ line % (map.swizzle / 16)) * 16) + linear % 16;
  }

  /// What a load leaves in shared memory.
  std::vector<uint16_t> loaded(int x, int y) const {
    std::vector<uint16_t> image(sharedBytes / 2);
    for (int row = 0; row < int(map.box[1]); ++row)
      for (int column = 0; column < int(map.box[0]); ++column) {
        int i = y + row, j = x + column;
        bool inside = i >= 0 && i < int(height) && j >= 0 && j < int(width);
        image[offset(row, column) / 2] = inside ? tensor[i * width + j] : 0;
      }
    return image;
  }

  void build(const std::string &text) { kernel(mapArgument, text, storage); }

  Outcome launch(Buffer &data, Buffer &in, Buffer &out, int x, int y,
                 uint64_t seed = 0) {
    map.buffer = &data;
    Options options;
    options.seed = seed;
    options.limit = 1 << 22;
    return run(threads(128), {&map, &in, &out, uint64_t(x), uint64_t(y)},
               options);
  }

  void loads(const Load &load) {
    build(load.text());
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      Buffer data(tensor), in(16384), out(16384);
      Outcome outcome = launch(data, in, out, 8, 10, seed);
      ASSERT_FALSE(outcome.problem) << outcome.text;
      std::vector<uint16_t> expected = loaded(8, 10), got = out.as<uint16_t>();
      expected.resize(boxBytes() / 2);
      got.resize(boxBytes() / 2);
      EXPECT_EQ(got, expected);
    }
    assembles();
  }

  void breaks(const std::string &text, Problem problem,
              std::initializer_list<const char *> says) {
    build(text);
    Buffer data(tensor), in(std::vector<uint8_t>(16384, 3)), out(16384);
    map.buffer = &data;
    fails(problem, threads(128), {&map, &in, &out, uint64_t(8), uint64_t(10)},
          says);
  }
};

TEST_F(BulkTest, LoadsBoxes) {
  for (unsigned swizzle : {0u, 32u, 64u, 128u}) {
    describe(swizzle);
    // A row of 32 bytes is too short for 256 rows to fill the memory.
    Load load;
    load.bytes = std::to_string(boxBytes());
    if (boxBytes() < sharedBytes)
      load.before = moveAll("w", false, "%in") + proxyFence + "\n";
    build(load.text());
    for (auto [x, y] :
         {std::pair{0, 0}, {8, 10}, {16, 100}, {-8, -5}, {192, 3}}) {
      Buffer data(tensor), in(std::vector<uint8_t>(16384, 0)), out(16384);
      Outcome outcome = launch(data, in, out, x, y);
      ASSERT_FALSE(outcome.problem) << outcome.text;
      EXPECT_EQ(out.as<uint16_t>(), loaded(x, y)) << swizzle << " " << x;
    }
    assembles();
  }
}

TEST_F(BulkTest, LoadsRowsShorterThanThePattern) {
  for (auto [swizzle, rowBytes] :
       {std::pair{128u, 64u}, {128u, 32u}, {64u, 16u}, {0u, 16u}}) {
    describe(swizzle, rowBytes);
    map.box[1] = 128;
    Load load;
    load.before = moveAll("w", false, "%in") + proxyFence + "\n";
    load.bytes = std::to_string(boxBytes());
    build(load.text());
    Buffer data(tensor), in(std::vector<uint8_t>(16384, 0)), out(16384);
    Outcome outcome = launch(data, in, out, 8, 10);
    ASSERT_FALSE(outcome.problem) << outcome.text;
    EXPECT_EQ(out.as<uint16_t>(), loaded(8, 10)) << swizzle << " " << rowBytes;
  }
  // Nor may rows start anywhere.
  build(Load().text());
  Buffer data(tensor), in(16384), out(16384);
  EXPECT_EQ(launch(data, in, out, 9, 0).problem, Problem::Address);
}

TEST_F(BulkTest, LoadsBytes) {
  Load load;
  load.copy = "  %from = llvm.getelementptr %in[%x] : (!llvm.ptr<1>, i32) -> "
              "!llvm.ptr<1>, i8\n"
              "  nvvm.cp.async.bulk.shared.cluster.global %cluster, %from, "
              "%full, %bytes : !llvm.ptr<7>, !llvm.ptr<1>\n";
  build(load.text());
  std::vector<uint16_t> values(16384 / 2 + 8);
  for (unsigned i = 0; i < values.size(); ++i)
    values[i] = i;
  Buffer data(tensor), in(values), out(16384);
  Outcome outcome = launch(data, in, out, 16, 0);
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<uint16_t>(),
            std::vector<uint16_t>(values.begin() + 8, values.end()));
  EXPECT_EQ(outcome.counters.globalRead, 16384u);
  EXPECT_EQ(outcome.counters.globalSectorsRead, 16384 / 32 + 1u);
  assembles();
  EXPECT_EQ(launch(data, in, out, 8, 0).problem, Problem::Address);
}

TEST_F(BulkTest, StoresBoxes) {
  for (unsigned swizzle : {0u, 64u, 128u}) {
    describe(swizzle);
    build(Store().text());
    for (auto [x, y] : {std::pair{8, 10}, {192, 100}, {0, 148}}) {
      std::vector<uint16_t> values(16384 / 2);
      for (unsigned i = 0; i < values.size(); ++i)
        values[i] = 7 * i;
      Buffer data(tensor), in(values), out(16384);
      Outcome outcome = launch(data, in, out, x, y);
      ASSERT_FALSE(outcome.problem) << outcome.text;
      std::vector<uint16_t> expected = tensor;
      for (int row = 0; row < int(map.box[1]); ++row)
        for (int column = 0; column < int(map.box[0]); ++column) {
          int i = y + row, j = x + column;
          if (i >= 0 && i < int(height) && j >= 0 && j < int(width))
            expected[i * width + j] = values[offset(row, column) / 2];
        }
      EXPECT_EQ(data.as<uint16_t>(), expected) << swizzle << " " << x;
    }
    assembles();
  }
  // Loads may start before the tensor, stores may not.
  for (auto [x, y] : {std::pair{-8, 5}, {8, -5}}) {
    Buffer data(tensor), in(std::vector<uint8_t>(16384, 3)), out(16384);
    EXPECT_EQ(launch(data, in, out, x, y).problem, Problem::Address);
  }
}

TEST_F(BulkTest, FindsWrongCountsOfBytes) {
  Load load;
  load.bytes = "16400";
  breaks(load.text(), Problem::Deadlock,
         {"wait at nvvm.mbarrier.try_wait.parity at k.mlir:",
          "waits for 0 arrivals and 16 bytes"});
  load.bytes = "16368";
  breaks(load.text(), Problem::Deadlock,
         {"waits for 0 arrivals and -16 bytes"});
  load.bytes = "1048576";
  breaks(load.text(), Problem::Barrier, {"does not count so many bytes"});
}

TEST_F(BulkTest, FindsLoadsThatNobodyWaitsFor) {
  // That the copy has started is known behind the barrier, not that it ended.
  Load load;
  load.wait = "  nvvm.barrier0\n";
  breaks(load.text(), Problem::Race,
         {"llvm.load at", "which an asynchronous operation",
          "wrote in nvvm.cp.async.bulk.tensor"});
  // The other parity is complete before the copy, and not complete behind it.
  load.wait = "  nvvm.barrier0\n"
              "  nvvm.mbarrier.try_wait.parity %full, %c1, %ticks : "
              "!llvm.ptr<3>, i32, i32\n";
  build(load.text());
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Buffer data(tensor), in(16384), out(16384);
    Outcome outcome = launch(data, in, out, 8, 10, seed);
    EXPECT_TRUE(outcome.problem == Problem::Race ||
                outcome.problem == Problem::Deadlock)
        << outcome.text;
  }
  // Only the thread that copies waits.
  load.wait = "  nvvm.barrier0\n" + byFirst("wait", Load().wait);
  breaks(load.text(), Problem::Race, {"llvm.load at", "nothing orders"});
  load.wait += "  nvvm.barrier0\n";
  loads(load);
  // Nobody reads what comes.
  std::string text = Load().text();
  text = text.substr(0, text.find("  nvvm.mbarrier.try_wait"));
  breaks(text, Problem::Race, {"nobody waits for the copy"});
}

TEST_F(BulkTest, FindsBarriersThatCopiesDoNotSee) {
  Load load;
  load.announce = "";
  breaks(load.text(), Problem::Race,
         {"missing proxy fence", "nvvm.cp.async.bulk.tensor",
          "wrote in nvvm.mbarrier.init"});
  load.announce = std::string("  ") + proxyFence + "\n";
  loads(load);
  // A thread copies that was not told that the barrier is there.
  load = Load();
  load.barrier = "";
  std::string text = load.text();
  text.replace(text.find("llvm.cond_br %first, ^copy"), 19,
               "%second = llvm.icmp \"eq\" %tid, %c1 : i32\n"
               "  llvm.cond_br %second");
  build(text);
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Buffer data(tensor), in(16384), out(16384);
    Outcome outcome = launch(data, in, out, 8, 10, seed);
    EXPECT_TRUE(outcome.problem == Problem::Race ||
                outcome.problem == Problem::Barrier)
        << outcome.text;
  }
}

TEST_F(BulkTest, FindsWritesThatACopyMayOvertake) {
  Load load;
  load.before = moveAll("w", false, "%in");
  breaks(load.text(), Problem::Race,
         {"missing proxy fence: writes", "wrote in llvm.store"});
  // Who copies can fence for all that it knows of.
  load.copy = std::string("  ") + proxyFence + "\n" + load.copy;
  build(load.text());
  Buffer data(tensor), in(std::vector<uint8_t>(16384, 3)), out(16384);
  Outcome outcome = launch(data, in, out, 8, 10);
  EXPECT_FALSE(outcome.problem) << outcome.text;
}

TEST_F(BulkTest, FindsStoresOfWhatIsNotThere) {
  Store store;
  store.fence = "";
  breaks(store.text(), Problem::Race,
         {"missing proxy fence: reads", "wrote in llvm.store"});
  store = Store();
  store.barrier = "";
  build(store.text());
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Buffer data(tensor), in(std::vector<uint8_t>(16384, 3)), out(16384);
    Outcome outcome = launch(data, in, out, 8, 10, seed);
    // Who is first decides which of the two it is.
    EXPECT_TRUE(outcome.problem == Problem::Race ||
                outcome.problem == Problem::Unwritten)
        << outcome.text;
  }
}

TEST_F(BulkTest, FindsStoresThatNobodyWaitsFor) {
  Store store;
  store.wait = "";
  breaks(store.text(), Problem::Race,
         {"exits before its bulk copies have read shared memory"});
  store.commit = "";
  store.wait = Store().wait;
  breaks(store.text(), Problem::Race, {"exits before its bulk copies"});
  // Shared memory is written again too early.
  store = Store();
  store.wait = "  nvvm.cp.async.bulk.wait_group 1 {read}\n";
  std::string again = "  llvm.store %tid, %s : i32, !llvm.ptr<3>\n";
  store.behind =
      byFirst("again", again + "  nvvm.cp.async.bulk.wait_group 0\n");
  breaks(store.text(), Problem::Race,
         {"llvm.store at", "read in nvvm.cp.async.bulk.tensor"});
  store.wait = Store().wait;
  build(store.text());
  Buffer data(tensor), in(std::vector<uint8_t>(16384, 3)), out(16384);
  Outcome outcome = launch(data, in, out, 8, 10);
  EXPECT_FALSE(outcome.problem) << outcome.text;
  // To have read is not to have written.
  store = Store();
  store.copy = "  %size = llvm.mlir.constant(16384 : i32) : i32\n"
               "  nvvm.cp.async.bulk.global.shared.cta %out, %s, %size : "
               "!llvm.ptr<1>, !llvm.ptr<3>\n";
  store.behind =
      byFirst("look", "  %seen = llvm.load %out : !llvm.ptr<1> -> i32\n");
  breaks(store.text(), Problem::Race, {"llvm.load at", "reads buffer"});
  store.wait = "  nvvm.cp.async.bulk.wait_group 0\n";
  build(store.text());
  outcome = launch(data, in, out, 8, 10);
  EXPECT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<uint8_t>(), std::vector<uint8_t>(16384, 3));
  assembles();
}

TEST_F(BulkTest, ChecksTensorMaps) {
  build(Load().text());
  auto problem = [&](auto change) {
    Buffer data(tensor), in(16384), out(16384);
    describe(128);
    map.offset = 0;
    map.buffer = &data;
    change();
    return run(threads(128), {&map, &in, &out, uint64_t(0), uint64_t(0)})
        .problem;
  };
  EXPECT_EQ(problem([] {}), std::nullopt);
  EXPECT_EQ(problem([&] { map.strides = {2 * width + 8}; }), Problem::Argument);
  EXPECT_EQ(problem([&] { map.sizes[1] = height + 1; }), Problem::Argument);
  EXPECT_EQ(problem([&] { map.box[1] = 257; }), Problem::Argument);
  EXPECT_EQ(problem([&] { map.box[0] = 128; }), Problem::Argument);
  EXPECT_EQ(problem([&] { map.offset = 8; }), Problem::Argument);
  EXPECT_EQ(problem([&] {
              map.sizes.pop_back();
              map.box.pop_back();
              map.strides.pop_back();
            }),
            Problem::Value);
  describe(128);
  Load load;
  load.copy = "  %odd = llvm.getelementptr %cluster[64] : (!llvm.ptr<7>) -> "
              "!llvm.ptr<7>, i8\n"
              "  nvvm.cp.async.bulk.tensor.shared.cluster.global %odd, %map, "
              "%full, box[%x, %y] : !llvm.ptr<7>, !llvm.ptr\n";
  breaks(load.text(), Problem::Address, {"multiple of 128"});
}

/// Thread 0 brings rows through two stages; the warps behind it add them up.
struct Pipeline {
  std::string emptyParity = "%other", fullParity = "%parity";
  std::string release = "  nvvm.mbarrier.arrive %empty : !llvm.ptr<3>\n";
  std::string source = "%row"; // what is read
  std::string waitForEmpty = "  nvvm.mbarrier.try_wait.parity %empty, ";
  unsigned stages = 2;

  std::string text() const {
    std::string count = std::to_string(stages);
    // A stage: 512 bytes, then both barriers.
    std::string place = R"(
  %stage = llvm.urem %i, %stages : i32
  %turn = llvm.udiv %i, %stages : i32
  %parity = llvm.and %turn, %c1 : i32
  %other = llvm.xor %parity, %c1 : i32
  %row = llvm.getelementptr %s[%stage] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<1024 x i8>
  %full = llvm.getelementptr %row[512] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
  %empty = llvm.getelementptr %row[520] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
)";
    auto named = [&](const std::string &suffix) {
      std::string all = place;
      for (const char *name : {"%stage ", "%turn", "%parity", "%other", "%row",
                               "%full", "%empty", "%i,"}) {
        std::string from = name;
        std::string base = from.substr(0, from.find_first_of(" ,"));
        for (size_t at = 0; (at = all.find(base, at)) != std::string::npos;) {
          size_t end = at + base.size();
          bool whole = !isalnum(all[end]);
          if (whole)
            all.insert(end, suffix);
          at = end + (whole ? suffix.size() : 0);
        }
      }
      return all;
    };
    auto with = [](std::string text, const std::string &suffix) {
      for (const char *name : {"%parity", "%other", "%row", "%full", "%empty"})
        for (size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
          at += std::string(name).size();
          text.insert(at, suffix);
        }
      return text;
    };
    std::string text = R"(
  %s = llvm.mlir.addressof @s : !llvm.ptr<3>
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %chunks = llvm.mlir.constant(7 : i32) : i32
  %bytes = llvm.mlir.constant(512 : i32) : i32
  %c96 = llvm.mlir.constant(96 : i32) : i32
  %stages = llvm.mlir.constant()" +
                       count + R"( : i32) : i32
  %first = llvm.icmp "eq" %tid, %c0 : i32
)";
    std::string make;
    for (unsigned stage = 0; stage < stages; ++stage) {
      std::string at = std::to_string(stage);
      make += "  %f" + at + " = llvm.getelementptr %s[" +
              std::to_string(1024 * stage + 512) +
              "] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8\n  %e" + at +
              " = llvm.getelementptr %s[" + std::to_string(1024 * stage + 520) +
              "] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8\n"
              "  nvvm.mbarrier.init %f" +
              at +
              ", %c1 : !llvm.ptr<3>, i32\n"
              "  nvvm.mbarrier.init %e" +
              at + ", %c96 : !llvm.ptr<3>, i32\n";
    }
    text += byFirst("make", make + "  nvvm.fence.mbarrier.init\n");
    text += R"(
  nvvm.barrier0
  %consumes = llvm.icmp "uge" %tid, %c32 : i32
  llvm.cond_br %consumes, ^consume(%c0, %c0 : i32, i32), ^ask
^ask:
  llvm.cond_br %first, ^produce(%c0 : i32), ^end
^produce(%ip: i32):
)" + named("p") +
            with(waitForEmpty, "p") + with(emptyParity, "p") +
            R"(, %ticks : !llvm.ptr<3>, i32, i32
  nvvm.mbarrier.arrive.expect_tx %fullp, %bytes : !llvm.ptr<3>, i32
  %from = llvm.getelementptr %in[%ip] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<512 x i8>
  %to = llvm.addrspacecast %rowp : !llvm.ptr<3> to !llvm.ptr<7>
  nvvm.cp.async.bulk.shared.cluster.global %to, %from, %fullp, %bytes : !llvm.ptr<7>, !llvm.ptr<1>
  %jp = llvm.add %ip, %c1 : i32
  %morep = llvm.icmp "ult" %jp, %chunks : i32
  llvm.cond_br %morep, ^produce(%jp : i32), ^end
^consume(%ic: i32, %sum: i32):
)" + named("c") +
            "  nvvm.mbarrier.try_wait.parity %fullc, " + with(fullParity, "c") +
            R"(, %ticks : !llvm.ptr<3>, i32, i32
  %mine = llvm.getelementptr )" +
            with(source, "c") +
            R"([%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %v = llvm.load %mine : !llvm.ptr<3> -> i32
  %more = llvm.add %sum, %v : i32
)" + with(release, "c") +
            R"(
  %jc = llvm.add %ic, %c1 : i32
  %morec = llvm.icmp "ult" %jc, %chunks : i32
  llvm.cond_br %morec, ^consume(%jc, %more : i32, i32), ^write
^write:
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.store %more, %o : i32, !llvm.ptr<1>
  llvm.br ^end
^end:
)";
    return text;
  }
};

TEST_F(BulkTest, RunsAPipelineOfStages) {
  for (unsigned stages : {1u, 2u, 3u}) {
    Pipeline pipeline;
    pipeline.stages = stages;
    build(pipeline.text());
    for (uint64_t seed = 0; seed < 4 * seeds; ++seed) {
      std::vector<int> rows(7 * 128);
      for (int i = 0; i < int(rows.size()); ++i)
        rows[i] = i / 128 * 1000 + i % 128;
      Buffer data(tensor), in(rows), out(512);
      Outcome outcome = launch(data, in, out, 0, 0, seed);
      ASSERT_FALSE(outcome.problem) << outcome.text;
      for (int i = 32; i < 128; ++i)
        EXPECT_EQ(out.as<int>()[i], 21000 + 7 * i);
    }
    assembles();
  }
}

TEST_F(BulkTest, FindsBugsInThePipeline) {
  std::vector<int> rows(7 * 128, 1);
  auto problemOf = [&](const Pipeline &pipeline, uint64_t seed) {
    build(pipeline.text());
    Buffer data(tensor), in(rows), out(512);
    return launch(data, in, out, 0, 0, seed).problem;
  };
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Pipeline parity; // the stage is taken for empty too early
    parity.emptyParity = "%parity";
    EXPECT_TRUE(problemOf(parity, seed) == Problem::Race ||
                problemOf(parity, seed) == Problem::Deadlock);
    Pipeline early; // the row is taken for full too early
    early.fullParity = "%other";
    EXPECT_TRUE(problemOf(early, seed) == Problem::Race ||
                problemOf(early, seed) == Problem::Unwritten);
    Pipeline release; // nobody gives stages back
    release.release = "";
    EXPECT_EQ(problemOf(release, seed), Problem::Deadlock);
    Pipeline stage; // the first stage is read instead of the right one
    stage.source = "%s";
    EXPECT_TRUE(problemOf(stage, seed) == Problem::Race ||
                problemOf(stage, seed) == Problem::Unwritten);
    Pipeline wrong; // nobody waits until a stage is given back
    wrong.waitForEmpty = "  nvvm.mbarrier.try_wait.parity %full, ";
    EXPECT_TRUE(problemOf(wrong, seed).has_value());
  }
}

TEST_F(EmulatorTest, TestsMbarriersByTokensToo) {
  kernel("%out: !llvm.ptr<1>", R"(
  %b = llvm.mlir.addressof @s : !llvm.ptr<3>
  %first = llvm.icmp "eq" %tid, %c0 : i32
  llvm.cond_br %first, ^make, ^go
^make:
  nvvm.mbarrier.init %b, %c32 : !llvm.ptr<3>, i32
  llvm.br ^go
^go:
  nvvm.barrier0
  %token = nvvm.mbarrier.arrive %b : !llvm.ptr<3> -> i64
  llvm.br ^turn
^turn:
  %done = nvvm.mbarrier.try_wait %b, %token : !llvm.ptr<3>, i64 -> i1
  llvm.cond_br %done, ^ask, ^turn
^ask:
  %again = nvvm.mbarrier.test.wait %b, %c0 : !llvm.ptr<3>, i32 -> i1
  %next = nvvm.mbarrier.test.wait %b, %c1 : !llvm.ptr<3>, i32 -> i1
  %a = llvm.zext %again : i1 to i32
  %n = llvm.zext %next : i1 to i32
  %twice = llvm.shl %n, %c1 : i32
  %both = llvm.or %a, %twice : i32
  %o = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.store %both, %o : i32, !llvm.ptr<1>)",
         shared);
  Buffer out(32 * 4);
  Outcome outcome = run(threads(32), {&out});
  ASSERT_FALSE(outcome.problem) << outcome.text;
  EXPECT_EQ(out.as<int>(), std::vector<int>(32, 1));
}

} // namespace
