# Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# A host in Python: trowel/trowel.h through ctypes, with the standard library
# alone. Whatever has an address, a shape and strides can be a tensor.
import ctypes
import json
from typing import NamedTuple, Sequence

CPU, CUDA = 1, 2  # DLPack's types of devices

# DLPack's code and bits of each element type.
DTYPES = {
    "f32": (2, 32),
    "tf32": (2, 32),
    "f16": (2, 16),
    "bf16": (4, 16),
    "e4m3": (10, 8),
    "e5m2": (12, 8),
    "i32": (0, 32),
    "u8": (1, 8),
}
FUNCTIONS = {"forward": 0, "step": 1, "verify": 2, "commit": 3, "backward": 4}


class Tensor(NamedTuple):
    address: int
    dtype: str
    shape: Sequence[int]
    strides: Sequence[int]  # in elements
    device: tuple = (CPU, 0)


class _DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Call(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        ("threads", ctypes.c_int32),
        ("tensors", ctypes.c_void_p),
        ("tensor_count", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("cu_seqlens", ctypes.c_void_p),
        ("boundaries", ctypes.c_void_p),
        ("carry_in", ctypes.c_void_p),
        ("carry_out", ctypes.c_void_p),
        ("carry_at", ctypes.c_void_p),
        ("workspace", ctypes.c_void_p),
        ("workspace_size", ctypes.c_size_t),
        ("stream", ctypes.c_void_p),
        ("parallel_for", ctypes.c_void_p),
        ("parallel_for_host", ctypes.c_void_p),
        ("state_in", ctypes.c_void_p),
        ("state_out", ctypes.c_void_p),
        ("accepted", ctypes.c_void_p),
        ("function", ctypes.c_uint32),
        ("reserved2", ctypes.c_uint32),
        ("segments", ctypes.c_int64),
    ]


class Error(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Library:
    """A library that `trowel build` made of the attention `name`."""

    def __init__(self, path, name):
        self._library, self._name = ctypes.CDLL(path), name
        for text in ("describe", "last_error"):
            self._find(text).restype = ctypes.c_char_p
        self.description = json.loads(self._find("describe")())
        self.symbols = [tensor["symbol"] for tensor in self.description["tensors"]]

    def workspace_size(self, function, **arguments):
        call, kept = self._call(function, arguments)
        size = ctypes.c_size_t()
        self._check(self._find("workspace_size")(ctypes.byref(call), ctypes.byref(size)))
        return size.value

    def run(self, function, **arguments):
        """Tensors by symbol (in_q, state_in_S, out_o, …) or by their field of
        trowel_call (cu_seqlens, carry_in, …); other fields as numbers."""
        call, kept = self._call(function, arguments)
        self._check(self._find(function)(ctypes.byref(call)))

    def _find(self, function):
        return getattr(self._library, f"{self._name}_{function}")

    def _check(self, status):
        if status:
            raise Error(status, self._find("last_error")().decode())

    def _call(self, function, arguments):
        kept = []  # what the call points to, as long as it lives

        def keep(made):
            kept.append(made)
            return ctypes.addressof(made)

        def dlpack(tensor):
            numbers = [*tensor.shape, *tensor.strides]
            sizes = keep((ctypes.c_int64 * max(1, len(numbers)))(*numbers))
            rank = len(tensor.shape)
            return keep(_DLTensor(tensor.address, *tensor.device, rank, *DTYPES[tensor.dtype], 1,
                                  sizes, sizes + 8 * rank, 0))

        values = {name: dlpack(value) if isinstance(value, Tensor) else value
                  for name, value in arguments.items()}
        places = [values.pop(symbol, None) for symbol in self.symbols]
        pointers = keep((ctypes.c_void_p * len(places))(*places))
        call = _Call(struct_size=ctypes.sizeof(_Call), tensors=pointers,
                     tensor_count=len(places), function=FUNCTIONS[function])
        for name, value in values.items():
            if name not in dict(_Call._fields_):
                raise KeyError(f"`{self._name}` has no tensor `{name}`")
            setattr(call, name, value)
        return call, kept
