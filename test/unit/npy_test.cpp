// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that NumPy wrote (data/npy, made by make.py there), files of our own,
// and files that lie.
#include "runtime/Host/Npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

using namespace trowel;
using namespace trowel::host;

namespace {

std::string dataPath(const std::string &name) {
  return std::string(TROWEL_SOURCE_DIR) + "/test/unit/data/npy/" + name;
}

/// A folder of this test's own, removed behind it.
class Npy : public testing::Test {
protected:
  void SetUp() override {
    const auto *test = testing::UnitTest::GetInstance()->current_test_info();
    folder = std::filesystem::temp_directory_path() /
             (std::string("trowel-npy-") + test->name() + "-" +
              std::to_string(reinterpret_cast<uintptr_t>(this)));
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) { return folder / name; }
  std::string write(const std::string &name, const std::string &bytes) {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  int filesInFolder() {
    int count = 0;
    for (const auto &entry : std::filesystem::directory_iterator(folder))
      count += entry.exists();
    return count;
  }

  std::filesystem::path folder;
};

std::string slurp(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What NumPy wrote: -2, -1, … 21 as [2, 3, 4].
void expectGrid(const std::string &file, ElementType type, DType dtype) {
  SCOPED_TRACE(file);
  std::string error;
  std::optional<Array> array = readNpy(dataPath(file), error);
  ASSERT_TRUE(array) << error;
  EXPECT_EQ(array->type, type);
  EXPECT_EQ(array->shape, (std::vector<int64_t>{2, 3, 4}));
  std::optional<Tensor> tensor = toTensor(*array, dtype, error);
  ASSERT_TRUE(tensor) << error;
  for (int i = 0; i < 24; ++i)
    EXPECT_EQ(tensor->data[i], i - 2);
}

TEST_F(Npy, ReadsWhatNumPyWrites) {
  expectGrid("f2.npy", ElementType::F16, DType::F16);
  expectGrid("f4.npy", ElementType::F32, DType::F32);
  expectGrid("f8.npy", ElementType::F64, DType::F32);
  expectGrid("f4_big.npy", ElementType::F32, DType::BF16);
  expectGrid("i4.npy", ElementType::I32, DType::I32);
  expectGrid("i8.npy", ElementType::I64, DType::I32);
  expectGrid("i8_big.npy", ElementType::I64, DType::I32);
  expectGrid("fortran.npy", ElementType::F32, DType::F32);
}

TEST_F(Npy, ReadsScalarsAndEmptyArraysAndTheSecondFormat) {
  std::string error;
  std::optional<Array> scalar = readNpy(dataPath("scalar.npy"), error);
  ASSERT_TRUE(scalar) << error;
  EXPECT_TRUE(scalar->shape.empty());
  EXPECT_EQ(toTensor(*scalar, DType::F32, error)->data[0], 2.5);
  std::optional<Array> empty = readNpy(dataPath("empty.npy"), error);
  ASSERT_TRUE(empty) << error;
  EXPECT_EQ(empty->shape, (std::vector<int64_t>{0, 3}));
  std::optional<Array> second = readNpy(dataPath("version2.npy"), error);
  ASSERT_TRUE(second) << error;
  EXPECT_EQ(toTensor(*second, DType::F32, error)->data[4], 4);
}

TEST_F(Npy, ReadsSixteenBitViews) {
  Array bits{ElementType::U16, {2}, std::string("\x80\x3F\x00\x3C", 4)};
  std::string error;
  EXPECT_EQ(toTensor(bits, DType::BF16, error)->data[0], 1.0);
  EXPECT_EQ(toTensor(bits, DType::F16, error)->data[1], 1.0);
  EXPECT_FALSE(toTensor(bits, DType::F32, error));
  EXPECT_EQ(error, "holds uint16, not float32");
  Array bytes{ElementType::U8, {1}, "\x38"};
  EXPECT_EQ(toTensor(bytes, DType::E4M3, error)->data[0], 1.0);
}

TEST_F(Npy, RefusesValuesOfAnotherKind) {
  std::string error;
  Array floats{ElementType::F32, {1}, std::string(4, '\0')};
  EXPECT_FALSE(toTensor(floats, DType::I32, error));
  EXPECT_EQ(error, "holds float32, not int32 or another integer type");
  Array integers{ElementType::I32, {1}, std::string(4, '\0')};
  EXPECT_FALSE(toTensor(integers, DType::BF16, error));
  EXPECT_EQ(error, "holds int32, not float32, or uint16 with the bits of bf16");
  Array large{ElementType::I64, {1}, std::string("\0\0\0\0\1\0\0\0", 8)};
  EXPECT_FALSE(toTensor(large, DType::I32, error));
  EXPECT_EQ(error, "holds an integer that does not fit i32");
}

TEST_F(Npy, RoundsToTheDeclaredType) {
  float third = 1.0f / 3;
  std::string bytes(4, '\0');
  std::memcpy(&bytes[0], &third, 4);
  std::string error;
  Array array{ElementType::F32, {1}, bytes};
  EXPECT_EQ(toTensor(array, DType::BF16, error)->data[0], 0.333984375);
  EXPECT_EQ(toTensor(array, DType::F32, error)->data[0], third);
}

TEST_F(Npy, WritesWhatNumPyWrites) {
  for (const char *file :
       {"f2.npy", "f4.npy", "f8.npy", "i4.npy", "i8.npy", "u2.npy", "u1.npy",
        "scalar.npy", "empty.npy", "bool.npy"}) {
    SCOPED_TRACE(file);
    std::string error;
    std::optional<Array> array = readNpy(dataPath(file), error);
    ASSERT_TRUE(array) << error;
    EXPECT_EQ(writeNpy(path(file), *array), "");
    std::optional<Array> again = readNpy(path(file), error);
    ASSERT_TRUE(again) << error;
    EXPECT_EQ(again->type, array->type);
    EXPECT_EQ(again->shape, array->shape);
    EXPECT_EQ(again->bytes, array->bytes);
    // The header, too, but for the padding, which NumPy made longer later.
    std::string ours = slurp(path(file)), theirs = slurp(dataPath(file));
    EXPECT_EQ(ours.substr(10, ours.find('}') - 9),
              theirs.substr(10, theirs.find('}') - 9));
    EXPECT_EQ((ours.size() - array->bytes.size()) % 64, 0u);
  }
}

TEST_F(Npy, ConvertsResults) {
  Tensor tensor({3});
  tensor.data = {1, -2.5, 1.0 / 3};
  Array values = fromTensor(tensor, DType::BF16, false);
  EXPECT_EQ(values.type, ElementType::F32);
  std::string error;
  EXPECT_EQ(toTensor(values, DType::F32, error)->data[2],
            static_cast<double>(1.0f / 3));
  Array raw = fromTensor(tensor, DType::BF16, true);
  EXPECT_EQ(raw.type, ElementType::U16);
  EXPECT_EQ(raw.bytes, std::string("\x80\x3F\x20\xC0\xAB\x3E", 6));
  EXPECT_EQ(fromTensor(tensor, DType::F16, true).type, ElementType::F16);
  EXPECT_EQ(fromTensor(tensor, DType::E4M3, true).bytes.size(), 3u);
  EXPECT_EQ(fromTensor(tensor, DType::I32, false).type, ElementType::I32);
}

TEST_F(Npy, PackingIsUnpackedAgain) {
  Tensor tensor({2, 2});
  tensor.data = {1, -2, 0.5, 16};
  for (DType dtype : {DType::F32, DType::TF32, DType::BF16, DType::F16,
                      DType::E4M3, DType::E5M2}) {
    std::string bytes = pack(tensor, dtype);
    EXPECT_EQ(bytes.size(), static_cast<size_t>(4 * sizeOf(dtype)));
    EXPECT_EQ(unpack(bytes.data(), tensor.shape, dtype).data, tensor.data);
  }
  tensor.data = {1, -2, INT32_MAX, INT32_MIN};
  std::string bytes = pack(tensor, DType::I32);
  EXPECT_EQ(unpack(bytes.data(), tensor.shape, DType::I32).data, tensor.data);
}

TEST_F(Npy, ReadsArchives) {
  std::string error;
  std::optional<ArrayMap> two = readNpz(dataPath("two.npz"), error);
  ASSERT_TRUE(two) << error;
  ASSERT_EQ(two->size(), 2u);
  EXPECT_EQ(two->at("q").shape, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(toTensor(two->at("g"), DType::I32, error)->data[2], 2);
  std::optional<ArrayMap> deflated = readNpz(dataPath("deflated.npz"), error);
  ASSERT_TRUE(deflated) << error;
  EXPECT_EQ(deflated->at("zeros").bytes, std::string(300 * 300 * 4, '\0'));
}

TEST_F(Npy, WritesArchives) {
  std::string error;
  ArrayMap arrays = *readNpz(dataPath("two.npz"), error);
  EXPECT_EQ(writeNpz(path("out.npz"), arrays), "");
  std::optional<ArrayMap> again = readNpz(path("out.npz"), error);
  ASSERT_TRUE(again) << error;
  ASSERT_EQ(again->size(), 2u);
  for (const auto &[name, array] : arrays) {
    EXPECT_EQ(again->at(name).bytes, array.bytes);
    EXPECT_EQ(again->at(name).shape, array.shape);
  }
  EXPECT_EQ(writeNpz(path("again.npz"), arrays), "");
  EXPECT_EQ(slurp(path("out.npz")), slurp(path("again.npz")));
  EXPECT_EQ(filesInFolder(), 2);
}

TEST_F(Npy, WritingFailsWhole) {
  Array array{ElementType::F32, {1}, std::string(4, '\0')};
  EXPECT_EQ(writeNpy(path("no/such/o.npy"), array),
            "cannot write `" + path("no/such/o.npy") +
                "`: No such file or directory");
  EXPECT_EQ(writeNpz(path("no/o.npz"), {{"o", array}}),
            "cannot write `" + path("no/o.npz") + "`");
  std::filesystem::create_directory(path("taken.npy"));
  EXPECT_NE(writeNpy(path("taken.npy"), array), "");
  EXPECT_EQ(filesInFolder(), 1);
}

TEST_F(Npy, ADeviceIsWrittenToAndNotReplaced) {
  Array array{ElementType::F32, {1}, std::string(4, '\0')};
  EXPECT_EQ(writeNpy("/dev/null", array), "");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

//===--- Files that lie ---------------------------------------------------===//

std::string errorOf(const std::string &bytes) {
  std::string error;
  EXPECT_FALSE(parseNpy(bytes, "q.npy", error));
  return error;
}

std::string frame(const std::string &dictionary, const std::string &data = "",
                  char version = 1) {
  std::string bytes("\x93NUMPY", 6);
  bytes += {version, '\0', static_cast<char>(dictionary.size() & 0xFF),
            static_cast<char>(dictionary.size() >> 8)};
  if (version > 1)
    bytes += std::string(2, '\0');
  return bytes + dictionary + data;
}

TEST_F(Npy, NamesTheFileThatItCannotRead) {
  std::string error;
  EXPECT_FALSE(readNpy(path("none.npy"), error));
  EXPECT_EQ(error, "cannot read `" + path("none.npy") +
                       "`: No such file or directory");
  EXPECT_FALSE(readNpz(path("none.npz"), error));
  EXPECT_EQ(error, "cannot read `" + path("none.npz") +
                       "`: No such file or directory");
  EXPECT_FALSE(readNpy(folder, error));
  EXPECT_EQ(error, "cannot read `" + folder.string() + "`: Is a directory");
}

TEST_F(Npy, RefusesOtherFiles) {
  EXPECT_EQ(errorOf(""), "`q.npy` is no .npy file");
  EXPECT_EQ(errorOf("PK\3\4"), "`q.npy` is no .npy file");
  EXPECT_EQ(errorOf("\x93NUMPY"), "`q.npy` is truncated");
  EXPECT_EQ(errorOf(frame("{}", "", 9)),
            "`q.npy` has .npy format 9; 1 to 3 can be read");
}

TEST_F(Npy, RefusesTypesItCannotHold) {
  std::string error;
  EXPECT_FALSE(readNpy(dataPath("complex.npy"), error));
  EXPECT_EQ(error,
            "`" + dataPath("complex.npy") +
                "` holds elements of type '<c8', which is not supported");
  EXPECT_FALSE(readNpy(dataPath("strings.npy"), error));
  EXPECT_FALSE(readNpy(dataPath("records.npy"), error));
  EXPECT_EQ(error, "`" + dataPath("records.npy") +
                       "` holds records; plain numbers are needed");
}

TEST_F(Npy, EveryTruncationIsAnError) {
  std::string whole = slurp(dataPath("f4.npy"));
  for (size_t size = 0; size < whole.size(); ++size) {
    std::string error = errorOf(whole.substr(0, size));
    EXPECT_NE(error.find("`q.npy` is "), std::string::npos) << error;
  }
  EXPECT_EQ(errorOf(whole + "x"), "`q.npy` is too long: 97 bytes of elements, "
                                  "96 expected");
}

TEST_F(Npy, EveryFlippedByteOfTheHeaderIsSafe) {
  std::string whole = slurp(dataPath("f4.npy"));
  int refused = 0;
  for (size_t at = 0; at < 128; ++at)
    for (int flip = 1; flip < 256; ++flip) {
      std::string bytes = whole, error;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      std::optional<Array> array = parseNpy(bytes, "q.npy", error);
      refused += !array;
      if (array) // whatever it now says, bytes and shape agree
        EXPECT_EQ(array->bytes.size(),
                  static_cast<size_t>(Tensor(array->shape).elementCount()) *
                      sizeOf(array->type));
      else
        EXPECT_EQ(error.substr(0, 8), "`q.npy` ");
    }
  EXPECT_GT(refused, 128 * 255 / 2);
}

TEST_F(Npy, ImpossibleShapes) {
  auto withShape = [](const std::string &shape) {
    return errorOf(frame(
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }"));
  };
  EXPECT_EQ(withShape("(4611686018427387904, 4)"),
            "`q.npy` has an impossible shape");
  EXPECT_EQ(withShape("(99999999999999999999999,)"),
            "`q.npy` has an impossible shape");
  EXPECT_EQ(withShape("(8796093022208, 1048576, 0)"),
            "`q.npy` has an impossible shape");
  EXPECT_EQ(
      withShape("(1000000000000,)"),
      "`q.npy` is truncated: 0 bytes of elements, 4000000000000 expected");
  EXPECT_EQ(withShape("(-1,)"), "`q.npy` has a malformed header");
  EXPECT_EQ(withShape("(2"), "`q.npy` has a malformed header");
  std::string many = "(";
  for (int i = 0; i < 33; ++i)
    many += "1, ";
  EXPECT_EQ(withShape(many + ")"), "`q.npy` has more than 32 axes");
}

TEST_F(Npy, MalformedHeaders) {
  for (const char *dictionary :
       {"", "{", "{}", "{'descr': '<f4'}", "{'descr'}", "{'descr': }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': Perhaps, 'shape': ()}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x",
        "{'descr: 1"})
    EXPECT_EQ(errorOf(frame(dictionary)), "`q.npy` has a malformed header")
        << dictionary;
}

TEST_F(Npy, EveryTruncationOfAnArchiveIsAnError) {
  std::string whole = slurp(dataPath("two.npz"));
  for (size_t size = 0; size < whole.size(); size += 3) {
    std::string file = write("cut.npz", whole.substr(0, size)), error;
    std::optional<ArrayMap> arrays = readNpz(file, error);
    if (size < whole.size() - 2) { // the rest says that there is no comment
      EXPECT_FALSE(arrays) << size;
      EXPECT_NE(error.find(file), std::string::npos) << error;
    }
  }
}

TEST_F(Npy, EveryFlippedByteOfAnArchiveIsSafe) {
  std::string whole = slurp(dataPath("deflated.npz"));
  int refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole, error;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    std::optional<ArrayMap> arrays = readNpz(write("flip.npz", bytes), error);
    refused += !arrays;
    if (!arrays)
      EXPECT_NE(error, "");
    else // names, dates and such: the elements are checked by a CRC
      for (const auto &[name, array] : *arrays)
        EXPECT_EQ(array.bytes, std::string(300 * 300 * 4, '\0'));
  }
  EXPECT_GT(refused, static_cast<int>(whole.size()) / 2);
}

TEST_F(Npy, ArchivesOfOtherThings) {
  std::string error;
  EXPECT_FALSE(readNpz(dataPath("f4.npy"), error));
  EXPECT_EQ(error, "`" + dataPath("f4.npy") + "` is no .npz file");
  EXPECT_FALSE(readNpz(dataPath("other_member.npz"), error));
  EXPECT_EQ(error, "`" + dataPath("other_member.npz") +
                       "` has a member `readme.txt` that is no .npy");
}

} // namespace
