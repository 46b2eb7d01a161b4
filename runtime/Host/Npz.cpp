// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An .npz is a zip archive with a member `name.npy` for each array. minizip,
// which comes with zlib, reads and writes the archive.
#include "runtime/Host/File.h"
#include "runtime/Host/Npy.h"

#include <minizip/unzip.h>
#include <minizip/zip.h>

#include <algorithm>

namespace trowel::host {

constexpr size_t chunkBytes = 1 << 16;
constexpr size_t maximalName = 4096;

namespace {

/// Reads one archive, and closes it.
class Reader {
public:
  Reader(const std::string &path, std::string &error)
      : path(path), error(error), archive(unzOpen64(path.c_str())) {}
  ~Reader() {
    if (archive)
      unzClose(archive);
  }
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  std::optional<ArrayMap> run();

private:
  const std::string &path;
  std::string &error;
  unzFile archive;

  bool fail(const std::string &message) {
    error = "`" + path + "` " + message;
    return false;
  }
  bool member(ArrayMap &arrays);
  bool inflate(const std::string &name, uint64_t size, std::string &bytes);
};

std::optional<ArrayMap> Reader::run() {
  if (!archive) {
    fail("is no .npz file");
    return std::nullopt;
  }
  unz_global_info64 info;
  if (unzGetGlobalInfo64(archive, &info) != UNZ_OK) {
    fail("is damaged");
    return std::nullopt;
  }
  if (info.number_entry == 0) {
    fail("holds no arrays");
    return std::nullopt;
  }
  ArrayMap arrays;
  for (ZPOS64_T i = 0; i < info.number_entry; ++i) {
    int status = i == 0 ? unzGoToFirstFile(archive) : unzGoToNextFile(archive);
    if (status != UNZ_OK) {
      fail("is damaged: its directory lists fewer members than it says");
      return std::nullopt;
    }
    if (!member(arrays))
      return std::nullopt;
  }
  return arrays;
}

bool Reader::member(ArrayMap &arrays) {
  unz_file_info64 info;
  std::string name(maximalName, '\0');
  if (unzGetCurrentFileInfo64(archive, &info, name.data(), name.size(), nullptr,
                              0, nullptr, 0) != UNZ_OK)
    return fail("is damaged");
  if (info.size_filename >= maximalName)
    return fail("has a member with a name of " +
                std::to_string(info.size_filename) + " characters");
  name.resize(info.size_filename);
  if (info.flag & 1)
    return fail("has an encrypted member");
  std::string_view suffix = ".npy";
  if (name.size() <= suffix.size() ||
      name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0)
    return fail("has a member `" + name + "` that is no .npy");

  std::string bytes;
  if (!inflate(name, info.uncompressed_size, bytes))
    return false;
  std::optional<Array> array = parseNpy(bytes, path + ":" + name, error);
  if (!array)
    return false;
  std::string key = name.substr(0, name.size() - suffix.size());
  if (!arrays.emplace(key, std::move(*array)).second)
    return fail("has two members `" + name + "`");
  return true;
}

/// Before a member is read whole, its first bytes must announce an array of the
/// size that the directory gives.
bool Reader::inflate(const std::string &name, uint64_t size,
                     std::string &bytes) {
  if (unzOpenCurrentFile(archive) != UNZ_OK)
    return fail("is damaged at `" + name + "`");
  int got;
  do {
    size_t before = bytes.size();
    bytes.resize(before + chunkBytes);
    got = unzReadCurrentFile(archive, &bytes[before], chunkBytes);
    bytes.resize(before + static_cast<size_t>(std::max(got, 0)));
    if (before == 0 && got > 0) {
      std::optional<uint64_t> announced =
          npySize(bytes, path + ":" + name, error);
      if (!announced || *announced != size) {
        unzCloseCurrentFile(archive);
        return announced ? fail("is damaged at `" + name +
                                "`: its size is not what its header says")
                         : false;
      }
    }
  } while (got > 0);
  int closed = unzCloseCurrentFile(archive); // checks the CRC
  if (got < 0 || closed != UNZ_OK || bytes.size() != size)
    return fail("is damaged at `" + name + "`");
  return true;
}

} // namespace

std::optional<ArrayMap> readNpz(const std::string &path, std::string &error) {
  // Tells a missing file from a damaged one.
  if (!isReadable(path, error))
    return std::nullopt;
  return Reader(path, error).run();
}

/// Adds one uncompressed member, as `numpy.savez` does.
static bool addMember(zipFile archive, const std::string &name,
                      const std::string &bytes) {
  zip_fileinfo info = {};
  info.tmz_date.tm_year = 1980; // the same bytes whenever it is written
  info.tmz_date.tm_mday = 1;
  bool isLarge = bytes.size() >= 0xFFFFFFFFu;
  if (zipOpenNewFileInZip64(archive, name.c_str(), &info, nullptr, 0, nullptr,
                            0, nullptr, 0, 0, isLarge) != ZIP_OK)
    return false;
  bool written = true;
  constexpr size_t step = 1 << 30; // a call takes an unsigned
  for (size_t at = 0; written && at < bytes.size(); at += step)
    written =
        zipWriteInFileInZip(
            archive, &bytes[at],
            static_cast<unsigned>(std::min(step, bytes.size() - at))) == ZIP_OK;
  return zipCloseFileInZip(archive) == ZIP_OK && written;
}

std::string writeNpz(const std::string &path, const ArrayMap &arrays) {
  std::string partial = partialName(path);
  zipFile archive = zipOpen64(partial.c_str(), APPEND_STATUS_CREATE);
  if (!archive)
    return "cannot write `" + path + "`";
  bool written = true;
  for (const auto &[name, array] : arrays)
    written = written && addMember(archive, name + ".npy", formatNpy(array));
  written = zipClose(archive, nullptr) == ZIP_OK && written;
  if (!written) {
    discardFile(partial, path);
    return "cannot write `" + path + "`";
  }
  return replaceFile(partial, path);
}

} // namespace trowel::host
