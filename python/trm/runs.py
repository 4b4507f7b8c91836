"""Runs that are there: what they say without training them."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np

from . import _c, _tensorboard, errors
from ._arrays import AnyArray, copy
from ._lib import Handle, PathLike, call, create, lib, path_bytes, text, text_bytes
from ._listen import tell
from .train import config_dict


@dataclass(frozen=True)
class RunRecord:
    """A run as its folder tells of it.

    Attributes:
        stage: "new", "stopped", "running", "diverged" or "done".
        updates, end: done, and where it ends (0: not known yet).
        seconds: of training, without pauses.
        examples: of the last evaluation.
        best_exact, last_exact: share of puzzles that are exactly right, from 0 to 1; -1: no evaluation.
        config: all its settings.
    """

    folder: str
    stage: str
    seed: int
    updates: int
    end: int
    seconds: float
    examples: int
    best_update: int
    best_exact: float
    last_exact: float
    last_update: int
    diverged_at: int
    config: Dict[str, Any] = field(repr=False)

    def curve(self, key: str) -> AnyArray:
        """A figure of its log, "train/lm_loss" or "all/exact_accuracy" (docs/TRAINING.md has the keys).

        Returns:
            A structured array [n] of float64 `update`, `seconds`, `samples`, `value`.
        """
        record = Handle(create("trm_run_record_open", path_bytes(self.folder)), "trm_run_record_free", "record")
        points, n = ctypes.c_void_p(), ctypes.c_int64()
        call("trm_run_record_curve", record.address, text_bytes(key, "key"), ctypes.byref(points), ctypes.byref(n))
        try:
            return copy(points.value, (n.value,), [(name, np.float64) for name in ("update", "seconds", "samples", "value")])
        finally:
            lib.trm_run_points_free(ctypes.cast(points, ctypes.POINTER(_c.trm_run_point)))

    def to_tensorboard(self, folder: Optional[PathLike] = None) -> None:
        """Writes its log as an event file of TensorBoard, which takes the place of an older one of trm.
        Wants the package tensorboard.

        Args:
            folder: where the file lies; None: in the run's.

        Raises:
            trm.RefusedError: the run is being trained, and may be writing such a file in its folder itself.
            trm.FormatError: the log cannot be read, with its line.
        """
        _tensorboard.load()
        if folder is None and any(run.stage == "running" for run in runs(self.folder)):
            raise errors.RefusedError(f"{self.folder} is being trained: want a folder for its events elsewhere, or "
                                      "train it with tensorboard=True")
        place = Path(self.folder if folder is None else folder)
        _tensorboard.EventFile(Path(self.folder), place, self.config).close()


class Runs(List[RunRecord]):
    """A list of runs.

    Attributes:
        keys: settings in which they differ.
    """

    keys: List[str]

    def to_pandas(self) -> Any:
        """A table with a row for each run and a column for each of `keys`. Wants pandas."""
        import pandas  # pyright: ignore[reportMissingImports,reportMissingTypeStubs]

        named = [f.name for f in RunRecord.__dataclass_fields__.values() if f.name != "config"]
        rows = [{**{name: getattr(run, name) for name in named}, **{key: run.config[key] for key in self.keys}}
                for run in self]
        return pandas.DataFrame(rows, columns=[*named, *(key for key in self.keys if key not in named)])


def runs(folders: Union[PathLike, Sequence[PathLike]] = "runs") -> Runs:
    """The runs in folders, each of which is a run or has runs below it. Nothing is locked or changed.

    Raises:
        trm.FileError: a folder cannot be looked into.
    """
    paths: List[PathLike] = [folders] if isinstance(folders, (str, os.PathLike)) else list(folders)
    listed = (ctypes.c_char_p * len(paths))(*(path_bytes(path) for path in paths))
    listener = _c.trm_run_listener(message=tell)
    found = Handle(create("trm_runs_find", listed, len(paths), ctypes.byref(listener)), "trm_runs_free", "list of runs")
    out = Runs()
    out.keys = []
    while (key := lib.trm_runs_key(found.address, len(out.keys))) is not None:
        out.keys.append(text(key))
    for i in range(lib.trm_runs_count(found.address)):
        record = lib.trm_runs_at(found.address, i)
        s = lib.trm_run_record_summary(record).contents
        named = {name: getattr(s, name) for name, *_ in s._fields_ if name != "stage"}
        out.append(RunRecord(folder=text(lib.trm_run_record_folder(record)),
                             stage=text(lib.trm_run_stage_name(s.stage)),
                             config=config_dict(lib.trm_run_record_config(record)), **named))
    return out
