"""The library, loaded: its functions with the types of the headers, and how its objects are held.

`libtrm` lies beside this file; the environment variable TRM_LIBRARY names another one, as a
developer's build (whose mirror of the headers, `_c.py`, python/mirror.py writes). It must be of the
same version, which is looked at.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Optional, Tuple, Type, TypeVar, Union

import numpy as np
import numpy.typing as npt

from . import _c, errors

PathLike = Union[str, "os.PathLike[str]"]
Memory = npt.NDArray[np.uintp]  # of an object of the library: `hold`
Self = TypeVar("Self", bound="Closable")


class Library:
    """Functions by their names. A call lets other threads of Python run."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)

    def has(self, name: str) -> bool:
        return hasattr(self._library, name)

    def __getattr__(self, name: str) -> Any:
        result, arguments = _c.FUNCTIONS[name]
        function = getattr(self._library, name)
        function.restype = result
        function.argtypes = arguments
        setattr(self, name, function)
        return function


def _load() -> Library:
    ending = "dylib" if sys.platform == "darwin" else "so"
    path = os.environ.get("TRM_LIBRARY") or str(Path(__file__).parent / f"libtrm.{ending}")
    try:
        library = Library(path)
    except OSError as e:
        raise ImportError(f"{path}: {e}; install trm, or name a build of its library in TRM_LIBRARY") from e

    # Another version may lack functions, or lay structures out otherwise: all that it can tell of are compared.
    missing = [name for name in _c.FUNCTIONS if not library.has(name)]
    if missing:
        raise ImportError(f"{path} lacks {missing[0]}: it is no libtrm, or another than this package is of")
    want = f"{_c.TRM_VERSION_MAJOR}.{_c.TRM_VERSION_MINOR}.{_c.TRM_VERSION_PATCH}"
    found = library.trm_version().decode()
    if found != want:
        raise ImportError(f"{path} is version {found}, this package is of {want}")
    i = 0
    while True:
        record = library.trm_record_at(i)
        if not record:
            return library
        name = library.trm_record_name(record).decode()
        if not hasattr(_c, name) or library.trm_record_size(record) != ctypes.sizeof(getattr(_c, name)):
            raise ImportError(f"{path}: {name} has another size than in this package")
        i += 1


lib = _load()


def call(function: str, *arguments: Any) -> None:
    """Calls a function that returns a status and takes a trm_error last; raises what it refuses."""
    error = _c.trm_error()
    status = getattr(lib, function)(*arguments, ctypes.byref(error))
    if status:
        raise errors.of(status, error.msg.decode("utf-8", "replace"), error.pos)


def create(function: str, *arguments: Any) -> int:
    """The same for a function that hands out an object just before the trm_error: its address."""
    out = ctypes.c_void_p()
    call(function, *arguments, ctypes.byref(out))
    assert out.value
    return out.value


def _nothing(_: int) -> None:
    pass


def _let_go(address: int, free: Callable[[int], Any], on: Tuple[Any, ...]) -> None:
    free(address)


def hold(address: int, free: Callable[[int], Any], *on: Any) -> Memory:
    """An object of the library, as its memory: who keeps that keeps the object, and with the last
    one it is freed.

    It is an array, for at those the collector of cycles does not look: in a cycle it dies after
    every `__del__`, which may still use the object, and by its references alone.

    Args:
        free: the function of its address that frees it.
        on: what must live longer, the memory of others or arrays; nothing that can know whoever
            keeps the object, or neither would ever be freed.
    """
    memory: Memory = np.array(address, np.uintp)
    memory.flags.writeable = False
    weakref.finalize(memory, _let_go, address, free, on).atexit = False  # a thread may be in it then; the system takes it
    return memory


class Handle:
    """An object of the library, which is freed with its last user.

    The library wants one thread at a time for each object: whoever calls it with `address` holds
    `lock`, and other threads wait. The lock is there for the same thread twice.
    """

    def __init__(self, address: int, free: Optional[str], what: str, *on: Any) -> None:
        """`free` None: it is a part of something else. `on`: what must live as long, as of `hold`."""
        self.lock = threading.RLock()
        self._what = what
        self._memory: Optional[Memory] = hold(address, getattr(lib, free) if free else _nothing, *on)

    @property
    def memory(self) -> Memory:
        """Who keeps it keeps the object, though not open."""
        if self._memory is None:
            raise ValueError(f"the {self._what} is closed")
        return self._memory

    @property
    def address(self) -> int:
        return int(self.memory)

    @property
    def is_open(self) -> bool:
        return self._memory is not None

    def close(self) -> None:
        with self.lock:
            self._memory = None


class Owner:
    """An object of Python that has one of the library."""

    _handle: Handle

    @property
    def address(self) -> int:
        """The pointer of the library, a `trm_model *` or the like, for calls of your own."""
        return self._handle.address

    @property
    def memory(self) -> Memory:
        """Who keeps it keeps the object of the library."""
        return self._handle.memory


class Closable:
    """What can be closed, and used in a `with` statement."""

    _handle: Handle

    def close(self) -> None:
        """Frees its memory and threads now; what is used after it raises ValueError."""
        self._handle.close()

    def __enter__(self: Self) -> Self:
        self._handle.address  # it must be open
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()


def instance(value: Any, kind: type, what: str, may_lack: bool = False) -> Any:
    """An object of the package: what only looks like one would give the library another one's memory."""
    if not isinstance(value, kind) and not (may_lack and value is None):
        raise TypeError(f"{what}: want a trm.{kind.__name__}, got {type(value).__name__}")
    return value


def text(value: Optional[bytes]) -> str:
    """A text of the library; "" for NULL."""
    return value.decode("utf-8", "replace") if value else ""


def path_bytes(path: PathLike) -> bytes:
    """A path as the library takes it."""
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError("a path cannot hold a zero byte")
    return encoded


def text_bytes(value: str, what: str = "a text") -> bytes:
    """A text as the library takes it."""
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{what}: want a str, got {type(value).__name__}")
    encoded = value.encode("utf-8", "surrogateescape")
    if b"\0" in encoded:
        raise ValueError(f"{what} cannot hold a zero byte")
    return encoded


def device(name: str) -> _c.trm_device:
    """"cpu", "auto", "cuda" or "cuda:N"."""
    out = _c.trm_device()
    if not lib.trm_device_from_name(text_bytes(name, "device"), ctypes.byref(out)):
        raise errors.ConfigError(f"device={name!r}: want cpu, auto, cuda or cuda:N")
    return out


def whole(value: Any, what: str, low: int = 0, high: int = 2**31 - 1) -> int:
    """A whole number within bounds, for a member of a structure: ctypes would cut it silently."""
    import operator

    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what}: want a whole number, got {type(value).__name__}") from None
    if isinstance(value, bool) or not low <= number <= high:
        raise errors.ArgumentError(f"{what}={value!r}: want a whole number from {low} to {high}")
    return number


def real(value: Any, what: str) -> float:
    """A number for a member of a structure; its range is the library's to check."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{what}: want a number, got {value!r}") from None
