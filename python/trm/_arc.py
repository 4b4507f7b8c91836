"""ARC: tasks, data sets of their copies, votes, submissions and their score."""

from __future__ import annotations

import ctypes
import operator
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union, overload

import numpy as np

from . import _c, errors
from ._arrays import IntArray, int32
from ._lib import Handle, Owner, PathLike, call, create, hold, instance, lib, path_bytes, real, text, whole
from ._data import Dataset, texts


class ArcTask(NamedTuple):
    """What is known of a task."""

    id: str
    train_pairs: int
    test_pairs: int


class ArcTasks(Owner, Sequence[ArcTask]):
    """Tasks of a file {"ID": task, …} or of one task, or of a folder with one in each file.

    Raises:
        trm.FormatError, trm.ShapeError, trm.RangeError: with file, task, pair and cell.
    """

    def __init__(self, path: PathLike) -> None:
        self._begin(create("trm_arc_tasks_load", path_bytes(path)))

    def _begin(self, address: int) -> None:
        self._handle = Handle(address, "trm_arc_tasks_free", "list of tasks")

    def possible(self, canvas: int = 0) -> ArcTasks:
        """Those that can be learned and answered on a canvas of so many cells a side (0: 30)."""
        made = ArcTasks.__new__(ArcTasks)
        made._begin(create("trm_arc_tasks_possible", self.address, whole(canvas, "canvas")))
        return made

    def __len__(self) -> int:
        return int(lib.trm_arc_tasks_count(self.address))

    @overload
    def __getitem__(self, i: int) -> ArcTask: ...
    @overload
    def __getitem__(self, i: slice) -> List[ArcTask]: ...
    def __getitem__(self, i: Union[int, slice]) -> Union[ArcTask, List[ArcTask]]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        at = operator.index(i)
        at += len(self) if at < 0 else 0
        if not 0 <= at < len(self):
            raise IndexError(f"task {i} of {len(self)}")
        return ArcTask(text(lib.trm_arc_tasks_id(self.address, at)), int(lib.trm_arc_tasks_train_pairs(self.address, at)),
                    int(lib.trm_arc_tasks_test_pairs(self.address, at)))

    def dataset(self, num_aug: int = 0, *, canvas: int = 0, seed: int = 0) -> Tuple[Dataset, Optional[Dataset], List[str]]:
        """The data set of the tasks and `num_aug` symmetric copies of each.

        Returns:
            Demonstrations, test pairs (None: there are none), and the names of the puzzle ids.
        """
        out = ctypes.c_void_p()
        call("trm_arc_data_create", self.address, whole(num_aug, "num_aug"), whole(canvas, "canvas"),
             whole(seed, "seed", 0, 2**32 - 1), ctypes.byref(out))
        assert out.value
        owner = hold(out.value, _free_data)
        raw = _c.trm_arc_data.from_address(out.value)
        listed = (ctypes.c_char_p * raw.n_names).from_address(raw.names or 0)
        names = [text(name) for name in listed]
        parts = [Dataset._of(part, owner, owned=False) if part else None  # pyright: ignore[reportPrivateUsage]
                 for part in (raw.train, raw.test)]
        assert parts[0]
        return parts[0], parts[1], names


def _free_data(address: int) -> None:
    lib.trm_arc_data_free(ctypes.cast(address, ctypes.POINTER(_c.trm_arc_data)))


class ArcAnswer(NamedTuple):
    """A grid that was answered to a test input."""

    grid: IntArray  #: int32 [rows, cols]: colours 0 to 9
    votes: int
    q: float  #: mean of sigmoid(q_halt)
    right: bool  #: equal to the right output, which is known


class ArcVotes(Owner):
    """Answers to the copies of tasks, which vote: equal grids are counted.

    Args:
        of: a folder of ARC data; or :class:`ArcTasks`, with
        names: those of their puzzle ids, as :meth:`ArcTasks.dataset` gives them.
    """

    def __init__(self, of: Union[PathLike, ArcTasks], names: Optional[Sequence[str]] = None) -> None:
        if isinstance(of, ArcTasks):
            if names is None:
                raise TypeError("names: want those of the puzzle ids")
            address = create("trm_arc_votes_create_for", of.address, texts(names, "names"), len(names))
        else:
            address = create("trm_arc_votes_create", path_bytes(of))
        self._handle = Handle(address, "trm_arc_votes_free", "votes")

    def add(self, order: int, puzzle_id: int, inputs: Any, answer: Any, q_halt: float) -> None:
        """One prediction: tokens [side * side] of the input and the answer, q_halt as a logit. `order`
        is distinct for each, and says which of two equally good grids was first.

        Raises:
            trm.RangeError: an id without a name. trm.NumericError: q_halt is NaN.
        """
        x, y = int32(inputs, "inputs"), int32(answer, "answer")
        side = int(round(x.size ** 0.5))
        if x.ndim != 1 or x.shape != y.shape or side * side != x.size:
            raise errors.ShapeError(f"inputs {list(x.shape)}, answer {list(y.shape)}: want [side * side] each")
        with self._handle.lock:
            call("trm_arc_votes_add", self.address, whole(order, "order", 0, 2**62), whole(puzzle_id, "puzzle_id"), side,
                 x.ctypes.data, y.ctypes.data, real(q_halt, "q_halt"))

    def count(self, k: Sequence[int] = (1, 2, 5, 10, 100, 1000)) -> Dict[int, float]:
        """pass@K for each K; NaN where no right output is known."""
        wanted = np.array([whole(each, "k", 1) for each in k], np.int32)
        out = np.empty(len(wanted), np.float64)
        with self._handle.lock:
            call("trm_arc_votes_count", self.address, wanted.ctypes.data, len(wanted), out.ctypes.data, None)
        return dict(zip(wanted.tolist(), out.tolist()))

    def answers(self, task: int, test_input: int = 0, n: int = 2) -> List[ArcAnswer]:
        """The up to n best answers to a test input of a task, both counted from 0 in their order."""
        room = (_c.trm_arc_answer * whole(n, "n", 1, 10**6))()
        found = ctypes.c_int()
        with self._handle.lock:
            call("trm_arc_votes_answers", self.address, whole(task, "task", 0, 2**62), whole(test_input, "test_input"), n,
                 room, ctypes.byref(found))
        return [ArcAnswer(np.frombuffer(bytes(a.cell[:a.rows * a.cols]), np.uint8).astype(np.int32).reshape(a.rows, a.cols),
                         int(a.votes), float(a.q), bool(a.right)) for a in room[:found.value]]

    def submit(self, path: PathLike, tasks: Optional[ArcTasks] = None) -> int:
        """Writes Kaggle's submission: the two best grids of every test input that was answered.

        Args:
            tasks: of which the votes' are some: all of them are in the file, with the input as a
                stand-in where there is no answer.

        Returns:
            How many stand-ins there are.
        """
        stand_ins = ctypes.c_int64()
        with self._handle.lock:
            instance(tasks, ArcTasks, "tasks", True)
            if tasks is None:
                call("trm_arc_votes_submit", self.address, path_bytes(path))
            else:
                call("trm_arc_votes_submit_all", self.address, tasks.address, path_bytes(path), ctypes.byref(stand_ins))
        return stand_ins.value


class ArcScore(NamedTuple):
    """Of a submission, as ARC Prize counts it."""

    score: float  #: mean over tasks of the share of their test inputs that are right
    tasks: int
    solved: int
    inputs: int
    right: int
    missing: int  #: tasks that the submission lacks
    unanswered: int
    no_attempt: int
    foreign: int  #: tasks that are not in the solutions


def arc_score(submission: PathLike, solutions: PathLike) -> ArcScore:
    """Scores a submission against solutions, files or folders (docs/EVALUATION.md)."""
    out = _c.trm_arc_score()
    call("trm_arc_score_files", path_bytes(submission), path_bytes(solutions), ctypes.byref(out))
    return ArcScore(*(getattr(out, name) for name in ArcScore._fields))
