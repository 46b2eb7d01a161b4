# Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# lit: a file is a test when it has RUN lines. Folders whose .trowel files are
# data for other tests (errors, language, unit) are not searched.
import importlib.util
import os
import shutil

import lit.formats

config.name = "Trowel"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".mlir", ".trowel", ".test"]
config.excludes = ["unit", "errors", "language", "guard", "fuzz", "data", "docs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.trowel_binary_dir, "test", "lit")

config.environment["PATH"] = os.pathsep.join(
    [
        os.path.join(config.trowel_binary_dir, "bin"),
        config.llvm_tools_dir,
        os.environ.get("PATH", ""),
    ]
)
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "HOME"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions += [
    ("%root", config.trowel_source_dir),
    ("%examples", os.path.join(config.trowel_source_dir, "examples")),
    ("%build", config.trowel_binary_dir),
    ("%cmake", config.cmake),
    # What a host is built with: warnings of the headers are errors.
    ("%headers", f"-I{config.trowel_source_dir}/runtime/include -I{config.trowel_binary_dir}/include"),
    ("%cc", f"{config.c_compiler} -std=c99 -Wall -Wextra -pedantic -Werror"),
    ("%c++", f"{config.cxx_compiler} -std=c++17 -Wall -Wextra -pedantic -Werror"),
]
if importlib.util.find_spec("numpy"):
    config.available_features.add("numpy")
if shutil.which("qemu-x86_64"):
    config.available_features.add("qemu")
