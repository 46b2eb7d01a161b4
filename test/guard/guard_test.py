# Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# The guard notices each kind of breach, and lets right files through.
import os
import tempfile
import unittest

import guard

HEADER = (
    "// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.\n"
    "// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n"
)


def breaches(path, text):
    return [breach for _, breach in guard.check_file(path, text)]


class GuardTest(unittest.TestCase):
    def only(self, path, line, part):
        found = breaches(path, HEADER + line + "\n")
        self.assertEqual(len(found), 1, found)
        self.assertIn(part, found[0])

    def test_layers(self):
        self.only("dialect/Rec/A.cpp", '#include "frontend/AST/Program.h"', "stands before")
        self.only("passes/A.cpp", '#include "codegen/CPU/B.h"', "stands before")
        self.only("runtime/Host/A.cpp", '#include "passes/B.h"', "stands before")
        self.assertEqual(breaches("passes/A.cpp", HEADER + '#include "dialect/Rec/A.h"\n'), [])
        self.assertEqual(breaches("codegen/A.cpp", HEADER + '#include "runtime/Host/A.h"\n'), [])
        self.assertEqual(breaches("tools/t/A.cpp", HEADER + '#include "codegen/A.h"\n'), [])

    def test_libraries(self):
        self.only("frontend/Sema/A.cpp", "#include <mlir/IR/Value.h>", "without MLIR")
        self.only("frontend/Sema/A.cpp", '#include "antlr4-runtime.h"', "meet ANTLR")
        parser = HEADER + "#include <antlr4-runtime/antlr4-runtime.h>\n"
        self.assertEqual(breaches("frontend/Grammar/A.cpp", parser), [])

    def test_header(self):
        self.assertIn("licence", breaches("passes/A.cpp", "int x;\n")[0])
        self.assertEqual(breaches("passes/A.cpp", HEADER), [])

    def test_names_and_promises(self):
        self.only("passes/A.cpp", "// the Gated DeltaNet case".replace(" D", "D"), "variant")
        self.only("codegen/A.cpp", "bool isKda = name == " + '"kda";', "variant")
        self.only("tools/A.cpp", "// TO" + "DO: the rest", "later")
        self.assertEqual(breaches("passes/A.cpp", HEADER + "int mamb, glade;\n"), [])

    def test_tree(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "dialect"))
            os.makedirs(os.path.join(root, "build"))
            for path in ("dialect/A.cpp", "build/B.cpp"):
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write("int x;\n")
            self.assertEqual(
                guard.check_tree(root), ["dialect/A.cpp: the licence header is missing"]
            )


if __name__ == "__main__":
    unittest.main()
