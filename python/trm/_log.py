"""log.jsonl of a run, read while it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator

from . import errors
from ._lib import whole

Line = Dict[str, Any]  # docs/TRAINING.md has the keys


class Log:
    """Reads on where it was.

    Args:
        path: of the file; it need not be there yet.
        at: the byte to begin at.
    """

    def __init__(self, path: Path, at: int = 0) -> None:
        self._path = path
        self._at = at
        self._line = 0
        if at:
            with open(path, "rb") as file:
                self._line = file.read(at).count(b"\n")

    def more(self) -> Iterator[Line]:
        """Lines that came since the last call. Half a line waits for its other half."""
        if not self._path.exists():
            return
        with open(self._path, "rb") as file:
            file.seek(self._at)
            found = file.read().split(b"\n")[:-1]
        for text in found:
            self._at += len(text) + 1
            self._line += 1
            try:
                line = json.loads(text)
                whole(line["step"], "step", 0, 2**62)
                float(line["time"])
            except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as e:
                raise self.refused(e) from None
            yield line

    def refused(self, why: object) -> errors.FormatError:
        """Of the line that came last."""
        return errors.FormatError(f"{self._path}:{self._line}: no line of a log: {why}")
