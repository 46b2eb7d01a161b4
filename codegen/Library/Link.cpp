// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The linker reads and writes files: they are in a folder that lives as long as
// the link.
#include "codegen/Library/Link.h"

#include "codegen/Library/Runtime.h"
#include "codegen/TemporaryFolder.h"

#include "lld/Common/Driver.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/MemoryBuffer.h"

#include <dlfcn.h>

LLD_HAS_DRIVER(elf)

namespace trowel::library {
namespace {

/// This machine's C library, as the dynamic loader found it: by a function that
/// no other library, such as a sanitizer, puts its own in front of.
llvm::Expected<std::string> findLibc() {
  Dl_info info;
  void *symbol = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
  if (symbol && dladdr(symbol, &info) && info.dli_fname)
    return info.dli_fname;
  return llvm::createStringError("the C library of this machine is not found");
}

llvm::Expected<std::string> link(std::vector<std::string> arguments,
                                 llvm::ArrayRef<std::string> objects) {
  codegen::TemporaryFolder folder;
  if (llvm::Error failure = folder.check())
    return std::move(failure);
  arguments.insert(arguments.begin(), "ld.lld");
  for (size_t i = 0; i <= objects.size(); ++i) {
    bool isRuntime = i == objects.size();
    std::string path = folder.file(
        isRuntime ? "runtime.a" : "object" + std::to_string(i) + ".o");
    if (llvm::Error failure =
            codegen::writeFile(path, isRuntime ? runtimeArchive() : objects[i]))
      return std::move(failure);
    arguments.push_back(path);
  }
  std::string output = folder.file("output");
  arguments.insert(arguments.end(), {"-o", output});
  std::vector<const char *> words;
  for (const std::string &argument : arguments)
    words.push_back(argument.c_str());
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  const lld::DriverDef drivers[] = {{lld::Gnu, &lld::elf::link}};
  if (lld::lldMain(words, stream, stream, drivers).retCode != 0)
    return llvm::createStringError("linking failed: " + messages);
  return codegen::readFile(output);
}

} // namespace

llvm::Expected<std::string> linkLibrary(llvm::ArrayRef<std::string> objects,
                                        const std::string &name) {
  auto libc = findLibc();
  if (!libc)
    return libc.takeError();
  // Its threads outlive a dlclose: it is never unloaded.
  return link({"-shared", "-soname", name, "-z", "defs", "-z", "now", "-z",
               "relro", "-z", "nodelete", "-z", "noexecstack", "--gc-sections",
               "--hash-style=gnu", *libc},
              objects);
}

llvm::Expected<std::string> linkObject(llvm::ArrayRef<std::string> objects) {
  auto linked = link({"-r"}, objects);
  if (!linked)
    return linked.takeError();
  auto object = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(*linked, "object"));
  if (!object)
    return object.takeError();
  llvm::objcopy::ConfigManager config;
  config.ELF.LocalizeHidden = true;
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  if (llvm::Error failure =
          llvm::objcopy::executeObjcopyOnBinary(config, **object, stream))
    return std::move(failure);
  return bytes.str().str();
}

} // namespace trowel::library
