"""Long work in the library: what it tells, and how it is stopped."""

from __future__ import annotations

import ctypes
import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Callable, Optional, Type

from . import _c
from ._lib import text

log = logging.getLogger("trm")
_LEVELS = {_c.TRM_RUN_WARNING: logging.WARNING}

# The types of the functions of a listener.
CALLBACK = {field[0]: field[1] for field in _c.trm_run_listener._fields_}


def _tell(_: Any, level: int, words: bytes) -> None:
    log.log(_LEVELS.get(level, logging.INFO), "%s", text(words))


# What the library notes goes to the logger "trm".
tell: Any = CALLBACK["message"](_tell)


class Interrupts:
    """While it is entered, Ctrl-C is remembered instead of raised: an exception could not pass the
    library, which is to stop where its work is saved; too late for that, it is raised at the end.
    Elsewhere than in the main thread, and where the program has a handler of its own, nothing
    changes."""

    def __init__(self) -> None:
        self.came = False
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        self.came = False
        if (threading.current_thread() is threading.main_thread()
                and signal.getsignal(signal.SIGINT) is signal.default_int_handler):
            self._before = signal.signal(signal.SIGINT, self._remember)
        return self

    def _remember(self, number: int, frame: Optional[FrameType]) -> None:
        self.came = True

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
        if self.came and kind is None:
            raise KeyboardInterrupt("it came when the work was done")


class Guard:
    """Functions of Python that the library calls: what one raises is kept, the library is told to
    stop, and `check` raises it when the call is back."""

    def __init__(self) -> None:
        self.interrupts = Interrupts()
        self.raised: Optional[BaseException] = None

    @property
    def stops(self) -> bool:
        return self.raised is not None or self.interrupts.came

    def run(self, work: Callable[[], Optional[bool]]) -> bool:
        """Calls; False where the library is to stop."""
        try:
            return work() is not False and not self.stops
        except BaseException as e:  # noqa: BLE001 - raised again by check()
            self.raised = e
            return False

    def refuse(self, error: Any, status: int = _c.TRM_E_INTERRUPTED) -> int:
        """A status with its message, for functions that return one."""
        error.contents.code = status
        error.contents.msg = (str(self.raised) or type(self.raised).__name__).encode("utf-8", "replace")[:480]
        return status

    def check(self) -> None:
        raised, self.raised = self.raised, None
        if raised is not None:
            raise raised


def progress_function(guard: Guard, progress: Optional[Callable[[int, int], Optional[bool]]]) -> Any:
    """A trm_progress_fn of a function (done, total); None: only Ctrl-C is looked for."""

    def follow(_: Any, done: int, total: int) -> bool:
        return guard.run(lambda: progress(done, total) if progress else None)

    return _c.trm_progress_fn(follow)


def address_of(function: Any) -> int:
    """Of a callback, for what takes any address."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0
