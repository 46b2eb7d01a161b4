# Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# What a page shows is what the commands print. A fenced block after a line
#
#   <!-- $ trowel build docs/pipeline/delta.trowel --emit rec -->
#
# holds the output of that command, run in the root of the sources with the built
# tools in PATH (and, as in a terminal, standard error too). Checks every such block;
# with --write, writes them. Usage: outputs.py FOLDER-OF-TOOLS [--write].
import difflib
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK = re.compile(r"^<!-- \$ (?P<command>.*?) -->\n(?P<open>```[^\n]*\n)(?P<body>.*?)^```$", re.M | re.S)


def pages():
    yield "README.md"
    for folder, folders, files in os.walk(os.path.join(ROOT, "docs")):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".md"):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def output_of(command, tools):
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([tools, environment.get("PATH", "")])
    ran = subprocess.run(
        command,
        shell=True,
        executable="/bin/bash",
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
    )
    text = ran.stdout.decode("utf-8", "replace")
    return text if not text or text.endswith("\n") else text + "\n"


def renewed(page, tools):
    """The page with every block as its command prints it."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        text = file.read()

    def block(match):
        body = output_of(match["command"], tools)
        return f"<!-- $ {match['command']} -->\n{match['open']}{body}```"

    return text, BLOCK.sub(block, text)


def main():
    write = sys.argv[2:] == ["--write"]
    if len(sys.argv) < 2 or (len(sys.argv) > 2 and not write):
        sys.exit("usage: outputs.py FOLDER-OF-TOOLS [--write]")
    tools = os.path.abspath(sys.argv[1])
    blocks = 0
    stale = False
    for page in pages():
        text, wanted = renewed(page, tools)
        blocks += len(BLOCK.findall(text))
        if text == wanted:
            continue
        stale = True
        if write:
            with open(os.path.join(ROOT, page), "w", encoding="utf-8") as file:
                file.write(wanted)
        else:
            sys.stdout.writelines(
                difflib.unified_diff(
                    text.splitlines(True), wanted.splitlines(True), page, "what the commands print"
                )
            )
    if blocks == 0:
        sys.exit("no page shows the output of a command")
    if stale and not write:
        sys.exit(f"run: python3 test/docs/outputs.py {sys.argv[1]} --write, and read the difference")


if __name__ == "__main__":
    main()
