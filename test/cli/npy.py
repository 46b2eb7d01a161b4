# Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Writes and prints .npy files, with the standard library alone.
#
#   npy.py write FILE TYPE SHAPE VALUES   <f4 1,3,2 0.5,nan: values repeat
#   npy.py print FILE                     type, shape, then the values
import ast
import struct
import sys

CODES = {"<f4": "f", "<f8": "d", "<f2": "e", "<i4": "i", "<i8": "q", "<u2": "H", "|u1": "B"}


def write(path, kind, shape, values):
    shape = tuple(int(n) for n in shape.split(",") if n)
    parse = float if "f" in kind else int
    values = [parse(v) for v in values.split(",")]
    count = 1
    for extent in shape:
        count *= extent
    header = repr({"descr": kind, "fortran_order": False, "shape": shape})
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)))
        file.write(header.encode())
        data = [values[i % len(values)] for i in range(count)]
        file.write(struct.pack("<%d%s" % (count, CODES[kind]), *data))


def show(path):
    with open(path, "rb") as file:
        content = file.read()
    length = struct.unpack_from("<H", content, 8)[0]
    header = ast.literal_eval(content[10 : 10 + length].decode())
    data = content[10 + length :]
    code = CODES[header["descr"]]
    values = struct.unpack("<%d%s" % (len(data) // struct.calcsize(code), code), data)
    print(header["descr"], list(header["shape"]))
    print(" ".join("%g" % v for v in values))


if sys.argv[1] == "write":
    write(*sys.argv[2:])
else:
    show(sys.argv[2])
