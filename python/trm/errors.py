"""What the library refuses, as exceptions.

Every error of the library is a :class:`Error` and, beside that, the exception of Python that fits:
a wrong value is a :class:`ValueError`, a file that cannot be read an :class:`OSError`. The message is
the library's: one sentence that says what was wrong, where, and what helps.
"""

from __future__ import annotations

from typing import Dict, Type

from . import _c


class Error(Exception):
    """An error of the library.

    Attributes:
        pos: the line or byte that the message speaks of, -1 where it speaks of none.
    """

    pos: int = -1


class ArgumentError(Error, ValueError):
    """An argument is out of its range."""


class ConfigError(Error, ValueError):
    """A configuration value is unknown or out of its range."""


class OutOfMemoryError(Error, MemoryError):
    """It would not fit into the memory that is left, or the system gave none."""


class FileError(Error, OSError):
    """A file could not be read or written."""


class FormatError(Error, ValueError):
    """A file or a text is not what its format promises."""


class ShapeError(Error, ValueError):
    """Two shapes that must agree do not."""


class RangeError(Error, ValueError):
    """A token, label or id is out of its range."""


class PuzzleError(Error, ValueError):
    """A puzzle or its answer breaks its own rules."""


class NumericError(Error, ArithmeticError):
    """A computation gave NaN or infinity."""


class RefusedError(Error, OSError):
    """The operating system, or a device, refused a request."""


class StoppedError(Error):
    """It was stopped on request: a callback returned False."""


_BY_CODE: Dict[int, Type[Error]] = {
    _c.TRM_E_ARGUMENT: ArgumentError,
    _c.TRM_E_CONFIG: ConfigError,
    _c.TRM_E_MEMORY: OutOfMemoryError,
    _c.TRM_E_IO: FileError,
    _c.TRM_E_FORMAT: FormatError,
    _c.TRM_E_SHAPE: ShapeError,
    _c.TRM_E_RANGE: RangeError,
    _c.TRM_E_PUZZLE: PuzzleError,
    _c.TRM_E_NUMERIC: NumericError,
    _c.TRM_E_SYSTEM: RefusedError,
    _c.TRM_E_INTERRUPTED: StoppedError,
}


def of(code: int, message: str, pos: int = -1) -> Error:
    """The exception of a status code of the library."""
    error = _BY_CODE.get(code, Error)(message)
    error.pos = pos
    return error
