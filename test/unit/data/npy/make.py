# Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Writes the files beside it that npy_test reads: by NumPy itself, and an archive
# by Python's zipfile with compression. Needs numpy; the test does not.
import io
import os
import zipfile

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(here, name)


grid = np.arange(24).reshape(2, 3, 4)
for name, dtype in [
    ("f2", "<f2"), ("f4", "<f4"), ("f8", "<f8"), ("f4_big", ">f4"),
    ("i4", "<i4"), ("i8", "<i8"), ("i8_big", ">i8"), ("u2", "<u2"), ("u1", "|u1"),
    ("complex", "<c8"),
]:
    np.save(path(name + ".npy"), (grid - 2).astype(dtype))
np.save(path("fortran.npy"), np.asfortranarray((grid - 2).astype("<f4")))
np.save(path("scalar.npy"), np.array(2.5, dtype="<f4"))
np.save(path("empty.npy"), np.zeros((0, 3), dtype="<f4"))
np.save(path("bool.npy"), np.array([True, False]))
np.save(path("records.npy"), np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
np.save(path("strings.npy"), np.array(["a", "bc"]))
with open(path("version2.npy"), "wb") as file:
    np.lib.format.write_array(file, np.arange(5, dtype="<f4"), version=(2, 0))
np.savez(path("two.npz"), q=(grid - 2).astype("<f4"), g=np.arange(3, dtype="<i8"))
with zipfile.ZipFile(path("deflated.npz"), "w", zipfile.ZIP_DEFLATED) as archive:
    member = io.BytesIO()
    np.save(member, np.zeros((300, 300), dtype="<f4"))
    archive.writestr("zeros.npy", member.getvalue())
with zipfile.ZipFile(path("other_member.npz"), "w") as archive:
    archive.writestr("readme.txt", "not an array")
