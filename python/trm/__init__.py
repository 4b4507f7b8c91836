"""trm: Tiny Recursive Models. Load one, have it solve, train your own.

    import trm

    model = trm.load("sudoku9")
    answer = model.solve("53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79")
    print(answer.grid, answer.confidence, answer.steps)

docs/PYTHON.md is the manual. Everything is computed by the C library that is inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _lib, data
from ._data import Dataset, Stream
from ._evaluate import Evaluation, evaluate, finetune
from .errors import (ArgumentError, ConfigError, Error, FileError, FormatError, NumericError,
                     OutOfMemoryError, PuzzleError, RangeError, RefusedError, ShapeError, StoppedError)
from .model import Cost, Model, create_model, from_bytes, from_torch, load, models
from .puzzle import Puzzle, grid, named_rules
from .runs import RunRecord, Runs, runs
from .solve import Answer, Answers, Queue, Solver, solve
from .train import Plan, Progress, Run, State, Trainer, presets, resume, train

if TYPE_CHECKING:
    from .estimator import TRMSolver

__version__: str = _lib.lib.trm_version().decode()


def isa() -> str:
    """The instruction set whose kernels run here, as "avx512_bf16"."""
    return _lib.text(_lib.lib.trm_isa())


def default_threads() -> int:
    """Threads that are used where none are asked for."""
    return int(_lib.lib.trm_default_threads())


def __getattr__(name: str) -> Any:
    """The estimator is loaded when it is asked for: it looks for scikit-learn, which takes a second."""
    if name == "TRMSolver":
        from .estimator import TRMSolver

        return TRMSolver
    raise AttributeError(f"module 'trm' has no attribute {name!r}")


__all__ = [
    "Answer", "Answers", "ArgumentError", "ConfigError", "Cost", "Dataset", "Error", "Evaluation", "FileError", "FormatError",
    "Model", "NumericError", "OutOfMemoryError", "Plan", "Progress", "Puzzle", "PuzzleError", "Queue",
    "RangeError", "RefusedError", "Run", "RunRecord", "Runs", "ShapeError", "Solver", "State", "StoppedError",
    "Stream", "TRMSolver", "Trainer", "create_model", "data", "default_threads", "evaluate", "finetune", "from_bytes", "from_torch", "grid", "isa",
    "load", "models", "named_rules", "presets", "resume", "runs", "solve", "train",
]
