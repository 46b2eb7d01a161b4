# Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# docs/errors.md is the tests of test/errors, made readable: every wrong program
# with what it is told. Checks that the page is theirs; with --write, writes it.
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "test", "errors")
PAGE = os.path.join(ROOT, "docs", "errors.md")

START = """# What the compiler says

Every message of the front end with a program that causes it. A message has one
primary place with a caret, notes at other places that explain it, and `help:`
where there is a fix. Several independent ones are reported in one run.

This page is made from the tests in [test/errors](../test/errors) by
`python3 test/docs/errors_index.py --write`; a test keeps the two together.
"""

GROUPS = [
    ("Text and syntax", lambda name: name.startswith("syntax-")),
    ("Not supported yet", lambda name: name.endswith("-not-supported")),
    ("Names, axes and types", lambda name: True),
]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def names():
    return sorted(
        name[: -len(".trowel")] for name in os.listdir(FOLDER) if name.endswith(".trowel")
    )


def title(name):
    words = name[len("syntax-") :] if name.startswith("syntax-") else name
    words = words.replace("-", " ")
    return words[0].upper() + words[1:]


def messages(expected):
    """The text of each error and warning, in order, once each."""
    found = re.findall(r"^[^\s:]+\.trowel:(?:\d+:\d+:)? (?:error|warning): (.*)$", expected, re.M)
    return list(dict.fromkeys(found))


def entry(name):
    expected = read(os.path.join(FOLDER, name + ".expected"))
    lines = [f'<a id="{name}"></a>', f"### {title(name)}", ""]
    lines += [f"[The program](../test/errors/{name}.trowel) is told:", ""]
    lines += ["```", expected.rstrip("\n"), "```", ""]
    return lines


def page():
    lines = [START]
    left = names()
    groups = []
    for heading, belongs in GROUPS:
        groups.append((heading, [name for name in left if belongs(name)]))
        left = [name for name in left if not belongs(name)]
    groups.sort(key=lambda group: group[0] == "Not supported yet")
    lines += ["## Index", ""]
    for heading, members in groups:
        lines += [f"**{heading}**", ""]
        for name in members:
            first = messages(read(os.path.join(FOLDER, name + ".expected")))[0]
            lines.append(f"- [{title(name)}](#{name}): {first}")
        lines.append("")
    for heading, members in groups:
        lines += [f"## {heading}", ""]
        for name in members:
            lines += entry(name)
    return "\n".join(lines).rstrip("\n") + "\n"


def main():
    if sys.argv[1:] == ["--write"]:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(page())
    elif read(PAGE) != page():
        sys.exit(
            "docs/errors.md is not what the tests in test/errors say; run\n"
            "  python3 test/docs/errors_index.py --write\nand read the difference"
        )


if __name__ == "__main__":
    main()
