# Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# The rules of the house that a compiler does not check, over the text of the
# sources: who may include whom, the licence header, no variant by name in the
# compiler, no promise for later. Prints each breach; exit status 1 if any.
import os
import re
import sys

# Each may include itself and what stands before it.
LAYERS = ["dialect", "frontend", "runtime", "passes", "codegen", "tools"]

# Files and folders that must build without MLIR, and without the parser generator.
WITHOUT_MLIR = [
    "dialect/Reference/Rounding.cpp",
    "dialect/Reference/Rounding.h",
    "dialect/Reference/Tensor.h",
    "frontend/AST",
    "frontend/Grammar",
    "frontend/Sema",
    "frontend/Reference",
    "runtime",
]
ONLY_ANTLR = "frontend/Grammar"

SOURCES = (".cpp", ".h", ".td", ".g4", ".py", ".c")
COMMENTED = SOURCES + (".cfg.py", ".mlir")
HEADER = "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception"

VARIANTS = re.compile(
    r"gated_?delta|delta_?net|\bkimi|\bkda\b|rwkv|mamba|retnet|lightning|\bgla\b"
    r"|hgrn|\bcomba\b|mlstm|longhorn|\btitans\b|\blstm\b|\bgru\b",
    re.IGNORECASE,
)
COMPILER = ("dialect", "frontend", "passes", "codegen", "runtime")
LATER = re.compile(r"\b(TODO|FIXME|XXX)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def inside(path, folder):
    return path == folder or path.startswith(folder + "/")


def check_include(path, target):
    """The breach of including `target` (as written) in `path`, or None."""
    if target.startswith("antlr4") and not inside(path, ONLY_ANTLR):
        return f"includes {target}; only {ONLY_ANTLR} may meet ANTLR"
    if target.startswith(("mlir/", "llvm/", "mlir-c/", "llvm-c/")):
        for folder in WITHOUT_MLIR:
            if inside(path, folder):
                return f"includes {target}; {folder} is built without MLIR and LLVM"
    own, other = path.split("/")[0], target.split("/")[0]
    if own in LAYERS and other in LAYERS:
        if LAYERS.index(other) > LAYERS.index(own):
            return f"includes {target}; {own} stands before {other}"
    return None


def check_file(path, text):
    """Yields (line, breach) for one file; line 0 means the whole file."""
    layer = path.split("/")[0]
    if path.endswith(SOURCES) and text.strip():
        if HEADER not in "\n".join(text.splitlines()[:3]):
            yield 0, "the licence header is missing"
    this_script = path.startswith("test/guard/")
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        if include and path.endswith((".cpp", ".h")):
            breach = check_include(path, include.group(2))
            if breach:
                yield number, breach
        if layer in COMPILER and path.endswith(COMMENTED):
            variant = VARIANTS.search(line)
            if variant:
                yield number, f"names a variant ({variant.group(0)})"
        if path.endswith(COMMENTED) and not this_script and LATER.search(line):
            yield number, "promises something for later"


def sources(root):
    for folder, folders, files in os.walk(root):
        here = os.path.relpath(folder, root)
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(".")
            and not (here == "." and name in ("build", "third_party", "shared"))
            and name != "__pycache__"
        ]
        for name in sorted(files):
            if name.endswith(COMMENTED):
                yield os.path.normpath(os.path.join(here, name)).replace(os.sep, "/")


def check_tree(root):
    breaches = []
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            text = file.read()
        for line, breach in check_file(path, text):
            breaches.append(f"{path}:{line}: {breach}" if line else f"{path}: {breach}")
    return breaches


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: guard.py ROOT")
    breaches = check_tree(sys.argv[1])
    print("\n".join(breaches) or "no rule of the house is broken")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
