// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Host/NpyHeader.h"

#include <cstring>
#include <limits>

namespace trowel::host {

constexpr std::string_view magic("\x93NUMPY", 6);
constexpr size_t maximalRank = 32; // NumPy's own limit
constexpr size_t maximalHeader = 60000;

namespace {

struct Code {
  char kind;
  int size;
  ElementType type;
};

constexpr Code codes[] = {
    {'b', 1, ElementType::Bool}, {'i', 1, ElementType::I8},
    {'u', 1, ElementType::U8},   {'i', 2, ElementType::I16},
    {'u', 2, ElementType::U16},  {'i', 4, ElementType::I32},
    {'u', 4, ElementType::U32},  {'i', 8, ElementType::I64},
    {'u', 8, ElementType::U64},  {'f', 2, ElementType::F16},
    {'f', 4, ElementType::F32},  {'f', 8, ElementType::F64}};

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, the
/// keys in any order, each once.
class Dictionary {
public:
  Dictionary(std::string_view text, NpyHeader &header, std::string &error)
      : text(text), header(header), error(error) {}

  bool parse() {
    if (!expect('{'))
      return false;
    while (!accept('}')) {
      std::string key;
      if (!string(key) || !expect(':') || !entry(key))
        return false;
      if (!accept(',') && !peek('}'))
        return fail("has a malformed header");
    }
    skipSpace();
    if (at != text.size() || !hasType || !hasOrder || !hasShape)
      return fail("has a malformed header");
    return true;
  }

private:
  std::string_view text;
  NpyHeader &header;
  std::string &error;
  size_t at = 0;
  bool hasType = false, hasOrder = false, hasShape = false;

  bool fail(const std::string &message) {
    error = message;
    return false;
  }
  void skipSpace() {
    while (at < text.size() &&
           (text[at] == ' ' || text[at] == '\n' || text[at] == '\t'))
      ++at;
  }
  bool peek(char c) {
    skipSpace();
    return at < text.size() && text[at] == c;
  }
  bool accept(char c) {
    if (!peek(c))
      return false;
    ++at;
    return true;
  }
  bool expect(char c) { return accept(c) || fail("has a malformed header"); }

  bool string(std::string &value) {
    skipSpace();
    char quote = at < text.size() ? text[at] : '\0';
    if (quote != '\'' && quote != '"')
      return fail("has a malformed header");
    size_t end = text.find(quote, at + 1);
    if (end == std::string_view::npos)
      return fail("has a malformed header");
    value = text.substr(at + 1, end - at - 1);
    at = end + 1;
    return true;
  }

  bool entry(const std::string &key) {
    if (key == "descr" && !hasType)
      return hasType = true, type();
    if (key == "fortran_order" && !hasOrder)
      return hasOrder = true, order();
    if (key == "shape" && !hasShape)
      return hasShape = true, shape();
    return fail("has a malformed header");
  }

  bool type() {
    if (peek('['))
      return fail("holds records; plain numbers are needed");
    std::string descr;
    if (!string(descr))
      return false;
    bool prefixed = !descr.empty() && std::strchr("<>|=", descr[0]);
    std::string code = prefixed ? descr.substr(1) : descr;
    for (const Code &known : codes)
      if (code == known.kind + std::to_string(known.size)) {
        header.type = known.type;
        header.bigEndian = descr[0] == '>';
        return true;
      }
    return fail("holds elements of type '" + descr.substr(0, 20) +
                "', which is not supported");
  }

  bool order() {
    skipSpace();
    for (bool value : {false, true}) {
      std::string_view word = value ? "True" : "False";
      if (text.substr(at, word.size()) == word) {
        at += word.size();
        header.fortranOrder = value;
        return true;
      }
    }
    return fail("has a malformed header");
  }

  bool shape() {
    if (!expect('('))
      return false;
    while (!accept(')')) {
      int64_t size;
      if (!integer(size))
        return false;
      header.shape.push_back(size);
      if (header.shape.size() > maximalRank)
        return fail("has more than 32 axes");
      if (!accept(',') && !peek(')'))
        return fail("has a malformed header");
    }
    return true;
  }

  bool integer(int64_t &value) {
    skipSpace();
    size_t start = at;
    value = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      if (value > std::numeric_limits<int64_t>::max() / 10 - 1)
        return fail("has an impossible shape");
      value = value * 10 + (text[at] - '0');
    }
    return at > start || fail("has a malformed header");
  }
};

} // namespace

/// The bytes that the shape asks for; false if they exceed an int64.
static bool countBytes(NpyHeader &header) {
  uint64_t limit = std::numeric_limits<int64_t>::max();
  uint64_t bytes = sizeOf(header.type);
  bool empty = false;
  for (int64_t size : header.shape) {
    empty |= size == 0;
    if (size != 0 && bytes > limit / static_cast<uint64_t>(size))
      return false;
    bytes *= size == 0 ? 1 : static_cast<uint64_t>(size);
  }
  header.dataBytes = empty ? 0 : bytes;
  return true;
}

std::optional<NpyHeader> parseNpyHeader(std::string_view bytes,
                                        std::string &error) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.substr(0, magic.size()) != magic) {
    error = "is no .npy file";
    return std::nullopt;
  }
  if (bytes.size() < 10) {
    error = "is truncated";
    return std::nullopt;
  }
  int version = byte(6);
  if (version < 1 || version > 3) {
    error =
        "has .npy format " + std::to_string(version) + "; 1 to 3 can be read";
    return std::nullopt;
  }
  size_t start = version == 1 ? 10 : 12;
  size_t length = byte(8) | size_t(byte(9)) << 8;
  if (version > 1 && bytes.size() >= start)
    length |= size_t(byte(10)) << 16 | size_t(byte(11)) << 24;
  if (length > maximalHeader) {
    error = "has a header of " + std::to_string(length) + " bytes";
    return std::nullopt;
  }
  if (bytes.size() < start + length) {
    error = "is truncated";
    return std::nullopt;
  }
  NpyHeader header;
  header.headerBytes = start + length;
  if (!Dictionary(bytes.substr(start, length), header, error).parse())
    return std::nullopt;
  if (!countBytes(header)) {
    error = "has an impossible shape";
    return std::nullopt;
  }
  return header;
}

std::string formatNpyHeader(const Array &array) {
  std::string descr;
  for (const Code &code : codes)
    if (code.type == array.type)
      descr = (code.size == 1 ? "|" : "<") +
              (code.kind + std::to_string(code.size));
  std::string shape;
  for (int64_t size : array.shape)
    shape += std::to_string(size) + ", ";
  if (array.shape.size() > 1)
    shape.resize(shape.size() - 2);
  else if (array.shape.size() == 1)
    shape.resize(shape.size() - 1);
  std::string text = "{'descr': '" + descr +
                     "', 'fortran_order': False, 'shape': (" + shape + "), }";
  size_t unpadded = 10 + text.size() + 1;
  text.append((64 - unpadded % 64) % 64, ' ');
  text += '\n';
  std::string header(magic);
  header += {'\1', '\0', static_cast<char>(text.size() & 0xFF),
             static_cast<char>(text.size() >> 8)};
  return header + text;
}

} // namespace trowel::host
