"""Arrays on their way to the library and back."""

from __future__ import annotations

import ctypes
from typing import Any, Optional, Tuple

import numpy as np
import numpy.typing as npt

from . import errors

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]
AnyArray = npt.NDArray[Any]


def int32(x: Any, what: str) -> IntArray:
    """As int32 in C order: the array itself where it is that already. Other whole numbers are
    converted; a value that is none, or does not fit, is refused with its place."""
    a = np.asarray(x)
    if a.dtype == np.int32:
        return np.ascontiguousarray(a)
    if a.dtype == np.bool_ or a.dtype.kind not in "iuf":
        raise TypeError(f"{what}: want whole numbers, got an array of {a.dtype}")
    with np.errstate(invalid="ignore"):
        out = a.astype(np.int32)
    wrong = np.argwhere(out != a)
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise errors.RangeError(f"{what}{list(place)} is {a[place]}: want a whole number of 32 bits")
    return np.ascontiguousarray(out)


def copy(address: Optional[int], shape: Tuple[int, ...], dtype: Any) -> AnyArray:
    """What lies at an address of the library, as an array of one's own."""
    out = np.empty(shape, dtype)
    if out.nbytes:
        assert address
        ctypes.memmove(out.ctypes.data, address, out.nbytes)
    return out


def view(address: int, shape: Tuple[int, ...], dtype: Any, owner: object) -> AnyArray:
    """The same without a copy, read-only; it keeps the owner of the memory alive."""
    n = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    buffer = (ctypes.c_uint8 * n).from_address(address)
    setattr(buffer, "owner", owner)
    return np.frombuffer(memoryview(buffer).toreadonly(), dtype).reshape(shape)
