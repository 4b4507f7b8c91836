"""Answering puzzles: all at once (:func:`solve`), as they come (:class:`Queue`), step by step
(:class:`Solver`)."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union, overload

import numpy as np
import numpy.typing as npt

from . import _c, errors
from ._arrays import AnyArray, FloatArray, IntArray, copy, int32
from ._lib import Closable, Handle, call, create, device as device_of, instance, lib, real, text, text_bytes, whole
from .model import Model
from .puzzle import Grids, Puzzle

Halt = Union[None, bool, float, str]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model answered to one puzzle. The arrays are its own.

    Attributes:
        puzzle: what the tokens mean.
        question, tokens: int32 [seq_len], what was asked and what was answered.
        q: how sure the model is, the logit of `q_halt` after the last step; above 0 it believes to be
            right. :attr:`confidence` is the same as a probability.
        steps: supervision steps, of all tries together.
        halted: the rule of `halt` stopped it.
        logits: float32 [seq_len, vocab_size], where they were asked for.
        trajectory: int32 [steps, seq_len], the answer after every step, where it was asked for; and
            q_trajectory: float32 [steps].
        latents: by the latent's name, int32 [seq_len], what the output head reads in it after the
            last step (Fig. 6 of the paper), where it was asked for.
        tries, agree: how often it was tried, and how many tries ended with this answer.
        accepted: the rules of the puzzle accepted it (`verify`).
        searched: runs of a search (`search`).
    """

    puzzle: Puzzle
    question: IntArray
    tokens: IntArray
    q: float
    steps: int
    halted: bool
    logits: Optional[FloatArray] = None
    trajectory: Optional[IntArray] = None
    q_trajectory: Optional[FloatArray] = None
    latents: Dict[str, IntArray] = field(default_factory=dict)
    tries: int = 1
    agree: int = 1
    accepted: bool = False
    searched: int = 0

    @property
    def grid(self) -> AnyArray:
        """The answer as people see it: :meth:`trm.Puzzle.decode`."""
        return self.puzzle.decode(self.tokens, self.question)

    @property
    def text(self) -> str:
        """The answer as one line of text."""
        return self.puzzle.format(self.tokens, self.question)

    @property
    def valid(self) -> Optional[bool]:
        """Right by the rules of the puzzle; None where no rules are known."""
        return self.puzzle.solves(self.question, self.tokens)

    @property
    def confidence(self) -> float:
        """sigmoid(q), from 0 to 1."""
        return 1 / (1 + math.exp(-self.q)) if self.q > -700 else 0.0

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        shown = self.text if len(self.text) <= 100 else self.text[:99] + "…"
        return f"<trm.Answer {shown} confidence {self.confidence:.3f} steps {self.steps}>"

    def _repr_svg_(self) -> str:
        return self.puzzle.svg(self.tokens, self.question)


class Answers(Sequence[Answer]):
    """Answers in the order of the puzzles: a sequence of :class:`Answer`, and their fields as arrays.

    ``tokens`` and ``question`` are int32 [n, seq_len], ``q`` float32 [n], ``steps`` int32 [n],
    ``valid`` bool [n] (None without rules), ``logits`` float32 [n, seq_len, vocab_size] or None.
    """

    def __init__(self, answers: Iterable[Answer], seq_len: int) -> None:
        self._answers = list(answers)
        self._seq_len = seq_len

    def __len__(self) -> int:
        return len(self._answers)

    @overload
    def __getitem__(self, index: int) -> Answer: ...
    @overload
    def __getitem__(self, index: slice) -> Answers: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[Answer, Answers]:
        if isinstance(index, slice):
            return Answers(self._answers[index], self._seq_len)
        return self._answers[index]

    def __repr__(self) -> str:
        return f"<trm.Answers: {len(self)}>"

    def _rows(self, name: str) -> AnyArray:
        rows = [getattr(answer, name) for answer in self._answers]
        return np.stack(rows) if rows else np.empty((0, self._seq_len), np.int32)

    @property
    def tokens(self) -> IntArray:
        return self._rows("tokens")

    @property
    def question(self) -> IntArray:
        return self._rows("question")

    @property
    def q(self) -> FloatArray:
        return np.array([answer.q for answer in self._answers], np.float32)

    @property
    def steps(self) -> IntArray:
        return np.array([answer.steps for answer in self._answers], np.int32)

    @property
    def halted(self) -> npt.NDArray[np.bool_]:
        return np.array([answer.halted for answer in self._answers], np.bool_)

    @property
    def valid(self) -> Optional[npt.NDArray[np.bool_]]:
        valid = [answer.valid for answer in self._answers]
        return None if None in valid else np.array(valid, np.bool_)

    @property
    def logits(self) -> Optional[FloatArray]:
        if not self._answers or self._answers[0].logits is None:
            return None
        return self._rows("logits")

    @property
    def grids(self) -> List[AnyArray]:
        return [answer.grid for answer in self._answers]

    @property
    def texts(self) -> List[str]:
        return [answer.text for answer in self._answers]


def halt_rule(rule: Halt) -> Tuple[int, float]:
    """A rule of early exit and its margin in logits."""
    if rule is None or rule is False or rule == "never":
        return _c.TRM_HALT_NEVER, 0.0
    if rule is True:
        return _c.TRM_HALT_Q, 0.0
    if isinstance(rule, str):
        name, _, margin = rule.partition("=")
        kinds = {"q": _c.TRM_HALT_Q, "twice": _c.TRM_HALT_TWICE}
        try:
            return kinds[name], float(margin) if margin else 0.0
        except (KeyError, ValueError):
            raise errors.ArgumentError(f"halt={rule!r}: want None, a margin in logits, 'q', 'q=LOGIT', "
                                       "'twice' or 'twice=LOGIT'") from None
    return _c.TRM_HALT_Q, real(rule, "halt")


def thinking(views: int, rollouts: int, noise: float, select: str, bar: float, verify: bool, search: int,
             seed: int) -> _c.trm_thinking:
    """How a puzzle is tried; :class:`Queue` has the arguments."""
    chosen = ctypes.c_int()
    if not lib.trm_select_from_name(text_bytes(select, "select"), ctypes.byref(chosen)):
        raise errors.ArgumentError(f"select={select!r}: want q, first, vote, mode or residual")
    return _c.trm_thinking(views=whole(views, "views", 1), rollouts=whole(rollouts, "rollouts", 1),
                           noise=real(noise, "noise"), select=chosen.value, bar=real(bar, "bar"), verify=bool(verify),
                           search=whole(search, "search"), seed=whole(seed, "seed", 0, 2**64 - 1))


class Queue(Closable):
    """Many puzzles over one solver: what waits takes the rows of what is done.

        with trm.Queue(model, halt="q=2") as queue:
            for key, answer in queue.map(puzzles):
                print(key, answer)

    Answers are the same bits whatever else is asked, for any rows and threads (of a CPU). Several
    threads may use one queue; each waits for the other's step.

    Args:
        model: the model; it is kept alive.
        steps: supervision steps of a puzzle at most; None: as the model was trained.
        halt: early exit: None (never), "q" or "q=LOGIT" (once the model is as sure of its answer as
            that, in logits), "twice=LOGIT" (after two steps in a row), or the logit alone.
        views: symmetric images of each puzzle that are tried, itself the first.
        rollouts: tries of each view, with `noise` on the latents before each step.
        select: whose answer counts: "q" (the surest), "first" (the first that is above `bar` logits
            after two steps in a row), "vote", "mode" or "residual".
        bar: of "first".
        verify: an answer that the puzzle's rules accept ends it.
        search: runs with guessed cells at most where none is accepted (with `verify`).
        seed: of images, noise, and what the model draws itself.
        trajectory, logits, latents: keep these of every answer; a trajectory and latents of a single
            try only.
        rows: puzzles that are solved side by side; 0: as many as keep the threads busy.
        waiting: puzzles beyond these that may wait.
        threads: 0: as many as the process may use.
        device: "cpu", "auto", "cuda" or "cuda:N".

    Raises:
        trm.ArgumentError, trm.ConfigError: an option is out of its range, or needs what the puzzle
            does not have (symmetries, rules).
        trm.OutOfMemoryError: so many rows do not fit.
    """

    def __init__(self, model: Model, *, steps: Optional[int] = None, halt: Halt = None, views: int = 1,
                 rollouts: int = 1, noise: float = 0.0, select: str = "q", bar: float = 2.0,
                 verify: bool = False, search: int = 0, seed: int = 0, trajectory: bool = False,
                 logits: bool = False, latents: bool = False, rows: int = 0, waiting: int = 256,
                 threads: int = 0, device: str = "cpu", puzzles: int = 0) -> None:
        self.model = instance(model, Model, "model")
        self._steps = whole(0 if steps is None else steps, "steps", 0 if steps is None else 1, _c.TRM_MAX_STEPS)
        self._halt, self._margin = halt_rule(halt)
        how = thinking(views, rollouts, noise, select, bar, verify, search, seed)
        if not lib.trm_thinking_differs(ctypes.byref(how), ctypes.byref(model.raw_config)):
            raise errors.ArgumentError(f"rollouts={rollouts} would all be the same: they want noise, or a "
                                       "model that draws itself")
        if search and not verify:
            raise errors.ArgumentError(f"search={search}: want verify=True with it, for it goes by the rules")
        kept = (self._steps or int(model.raw_config.halt_max_steps)) if trajectory else 0
        config = _c.trm_queue_config(rows=whole(rows, "rows"), waiting=whole(waiting, "waiting"),
                                     puzzles=whole(puzzles, "puzzles", 0, 2**62), trajectory=kept,
                                     logits=bool(logits), latents=bool(latents),
                                     threads=whole(threads, "threads"), device=device_of(device),
                                     noise=0.0, seed=how.seed)
        address = create("trm_thinker_create", model.address, ctypes.byref(config), ctypes.byref(how), None)
        self._handle = Handle(address, "trm_thinker_free", "queue", model.memory)
        self._keeps = bool(trajectory), bool(logits), bool(latents)
        self._keys: Dict[int, Any] = {}
        self._names = _latent_names(lib.trm_queue_solver(lib.trm_thinker_queue(address)))

    def __repr__(self) -> str:
        return f"<trm.Queue of {self.model!r}{'' if self._handle.is_open else ', closed'}>"

    @property
    def room(self) -> int:
        """So many puzzles can be submitted now."""
        with self._handle.lock:
            return int(lib.trm_thinker_room(self._handle.address))

    @property
    def busy(self) -> int:
        """Puzzles that are not done."""
        with self._handle.lock:
            return int(lib.trm_thinker_busy(self._handle.address))

    def submit(self, puzzle: Grids, key: Any = None, puzzle_id: int = 0) -> None:
        """One puzzle more, in any form; `key` comes back with its answer.

        Args:
            puzzle_id: of a model that knows tasks by ids (ARC).

        Raises:
            trm.RangeError: a token or id that the model does not know.
            trm.ArgumentError: there is no room (:attr:`room`), or "first" with `halt`.
        """
        tokens, single = self.model.puzzle.encode_all(puzzle)
        if not single:
            raise errors.ShapeError(f"want one puzzle, got {len(tokens)}: `map` takes many")
        self._submit(tokens[0], key, whole(puzzle_id, "puzzle_id"))

    def _submit(self, tokens: IntArray, key: Any, puzzle_id: int) -> None:
        if tokens.shape != (self.model.seq_len,):
            raise errors.ShapeError(f"tokens: want [{self.model.seq_len}], got {list(tokens.shape)}")
        place = ctypes.c_int()
        asked = _c.trm_queue_puzzle(inputs=tokens.ctypes.data, puzzle_id=puzzle_id, steps=self._steps,
                                    halt=self._halt, halt_margin=self._margin)
        with self._handle.lock:
            call("trm_thinker_submit", self._handle.address, ctypes.byref(asked), ctypes.byref(place))
            self._keys[place.value] = key

    def step(self) -> None:
        """Those that wait take the rows that are free; then one supervision step of all rows."""
        with self._handle.lock:
            call("trm_thinker_step", self._handle.address)

    def take(self) -> List[Tuple[Any, Answer]]:
        """The answers that are done, with their keys, in the order in which they were."""
        found: List[Tuple[Any, Answer]] = []
        raw, choice = _c.trm_queue_answer(), _c.trm_choice()
        with self._handle.lock:
            while lib.trm_thinker_take(self._handle.address, ctypes.byref(raw), ctypes.byref(choice)):
                found.append((self._keys.pop(raw.place), self._answer(raw, choice)))
        return found

    def _answer(self, raw: _c.trm_queue_answer, choice: _c.trm_choice) -> Answer:
        n, m = self.model.seq_len, self.model
        trajectory, logits, latents = self._keeps
        read: AnyArray = copy(raw.latents, (len(self._names), n), np.int32) if latents else np.empty((0, n))
        return Answer(
            puzzle=m.puzzle, question=copy(raw.inputs, (n,), np.int32), tokens=copy(raw.answer, (n,), np.int32),
            q=float(raw.q_halt), steps=int(raw.steps), halted=bool(raw.halted),
            logits=copy(raw.logits, (n, m.vocab_size), np.float32) if logits else None,
            trajectory=copy(raw.trajectory, (raw.steps, n), np.int32) if trajectory else None,
            q_trajectory=copy(raw.q_trajectory, (raw.steps,), np.float32) if trajectory else None,
            latents=dict(zip(self._names, read)), tries=int(choice.tries), agree=int(choice.agree),
            accepted=bool(choice.accepted), searched=int(choice.searched))

    def map(self, puzzles: Iterable[Grids]) -> Iterator[Tuple[int, Answer]]:
        """Answers of puzzles as they are done, each with the number of its puzzle, from 0. Puzzles are
        drawn as there is room, so that an endless iterable will do. An answer goes to whoever takes it
        first, so only one thread at a time may map, or take."""
        coming = enumerate(puzzles)
        more = True
        while more or self.busy:
            while more and self.room:
                i, puzzle = next(coming, (-1, ""))
                more = i >= 0
                if more:
                    self.submit(puzzle, i)
            self.step()
            yield from self.take()


def solve(model: Model, puzzles: Grids, *, puzzle_ids: Any = None, check: bool = True,
          steps: Optional[int] = None, halt: Halt = None, views: int = 1, rollouts: int = 1,
          noise: float = 0.0, select: str = "q", bar: float = 2.0, verify: bool = False, search: int = 0,
          seed: int = 0, trajectory: bool = False, logits: bool = False, latents: bool = False,
          rows: int = 0, threads: int = 0, device: str = "cpu") -> Union[Answer, Answers]:
    """Answers one puzzle or many.

    Args:
        puzzles: text, grids or tokens, one or several, in the forms of :class:`trm.Puzzle`.
        puzzle_ids: int [n], of a model that knows tasks by ids (ARC); None: 0.
        check: refuse questions that no answer can be right to by the rules.
        steps, halt, views, …: as of :class:`Queue`.

    Returns:
        :class:`Answer` for one puzzle, :class:`Answers` for several. Interrupted (Ctrl-C), it stops
        after the step in progress.

    Raises:
        trm.PuzzleError: a question that can have no answer.
        trm.FormatError, trm.RangeError, trm.ShapeError: what is no puzzle, with its place.
    """
    tokens, single = instance(model, Model, "model").puzzle.encode_all(puzzles)
    if tokens.shape[1] != model.seq_len:
        raise errors.ShapeError(f"tokens: want [n, {model.seq_len}], got {list(tokens.shape)}")
    n = len(tokens)
    ids = np.zeros(n, np.int32) if puzzle_ids is None else np.atleast_1d(int32(puzzle_ids, "puzzle_ids"))
    if ids.shape != (n,):
        raise errors.ShapeError(f"puzzle_ids: want [{n}], got {list(ids.shape)}")
    if check and model.puzzle.rules:
        for i, row in enumerate(tokens):
            try:
                model.puzzle.check(row)
            except errors.PuzzleError as e:
                raise errors.PuzzleError(str(e) if single else f"puzzle {i}: {e}") from None

    answers: Dict[int, Answer] = {}
    at = 0
    with Queue(model, steps=steps, halt=halt, views=views, rollouts=rollouts, noise=noise, select=select,
               bar=bar, verify=verify, search=search, seed=seed, trajectory=trajectory, logits=logits,
               latents=latents, rows=rows, threads=threads, device=device, puzzles=max(n, 1),
               waiting=min(n, 256)) as queue:
        while len(answers) < n:
            for i in range(at, min(n, at + queue.room)):
                queue._submit(tokens[i], i, int(ids[i]))  # pyright: ignore[reportPrivateUsage]
                at = i + 1
            queue.step()
            answers.update(queue.take())
    found = Answers((answers[i] for i in range(n)), model.seq_len)
    return found[0] if single else found


class Solver(Closable):
    """Supervision steps one by one, and what the model thinks meanwhile.

        with trm.Solver(model) as solver:
            solver.start(puzzle)
            for _ in range(16):
                solver.step()
                print(solver.tokens, solver.q, solver.latents["z_H"].std())

    All arrays are copies of what was found in the last step; row i belongs to the i-th puzzle.

    Args:
        model: the model; it is kept alive.
        batch: puzzles at most.
        threads: 0: as many as the process may use.
        device: "cpu", "auto", "cuda" or "cuda:N".
        noise: standard deviation of what the latents of the reasoning get more before each step.
        seed: of that noise, and of what the model draws itself.
    """

    def __init__(self, model: Model, *, batch: int = 1, threads: int = 0, device: str = "cpu",
                 noise: float = 0.0, seed: int = 0) -> None:
        self.model = instance(model, Model, "model")
        self.batch = whole(batch, "batch", 1)
        config = _c.trm_solver_config(batch=self.batch, threads=whole(threads, "threads"),
                                      device=device_of(device), noise=real(noise, "noise"),
                                      seed=whole(seed, "seed", 0, 2**64 - 1))
        address = create("trm_solver_create", model.address, ctypes.byref(config))
        self._handle = Handle(address, "trm_solver_free", "solver", model.memory)
        self._names = _latent_names(address)

    def __repr__(self) -> str:
        return f"<trm.Solver of {self.model!r}, batch {self.batch}{'' if self._handle.is_open else ', closed'}>"

    def start(self, puzzles: Grids, puzzle_ids: Any = None) -> None:
        """Begins puzzles in place of all there were: one or several, in any form.

        Raises:
            trm.ArgumentError: they are more than `batch`, or none.
            trm.RangeError: a token or id that the model does not know.
        """
        tokens, _ = self.model.puzzle.encode_all(puzzles)
        n = len(tokens)
        if tokens.shape[1] != self.model.seq_len:
            raise errors.ShapeError(f"tokens: want [n, {self.model.seq_len}], got {list(tokens.shape)}")
        ids = None if puzzle_ids is None else np.atleast_1d(int32(puzzle_ids, "puzzle_ids"))
        if ids is not None and ids.shape != (n,):
            raise errors.ShapeError(f"puzzle_ids: want [{n}], got {list(ids.shape)}")
        with self._handle.lock:
            call("trm_solver_start", self._handle.address, n, tokens.ctypes.data,
                 None if ids is None else ids.ctypes.data)

    def step(self) -> None:
        """One supervision step on all puzzles."""
        with self._handle.lock:
            call("trm_solver_step", self._handle.address)

    @property
    def rows(self) -> int:
        """Puzzles that were started."""
        with self._handle.lock:
            return int(lib.trm_solver_rows(self._handle.address))

    def _read(self, function: str, shape: Tuple[int, ...], dtype: Any) -> AnyArray:
        with self._handle.lock:
            n = self.rows
            return copy(getattr(lib, function)(self._handle.address) if n else None, (n, *shape), dtype)

    @property
    def steps(self) -> IntArray:
        """int32 [n]: supervision steps taken."""
        return self._read("trm_solver_steps_taken", (), np.int32)

    @property
    def tokens(self) -> IntArray:
        """int32 [n, seq_len]: the answers."""
        return self._read("trm_solver_answer", (self.model.seq_len,), np.int32)

    @property
    def grids(self) -> List[AnyArray]:
        """The answers as people see them."""
        return [self.model.puzzle.decode(row) for row in self.tokens]

    @property
    def logits(self) -> FloatArray:
        """float32 [n, seq_len, vocab_size]."""
        return self._read("trm_solver_logits", (self.model.seq_len, self.model.vocab_size), np.float32)

    @property
    def q(self) -> FloatArray:
        """float32 [n]: logits; above 0 the model believes its answer to be right."""
        return self._read("trm_solver_q_halt", (), np.float32)

    @property
    def q_continue(self) -> FloatArray:
        """float32 [n]."""
        return self._read("trm_solver_q_continue", (), np.float32)

    @property
    def latent_names(self) -> Tuple[str, ...]:
        """"z_H", "z_L" and the like."""
        return self._names

    @property
    def latents(self) -> Dict[str, FloatArray]:
        """By name, float32 [n, positions, hidden_size]; positions: the puzzle's own, then the cells."""
        c = self.model.raw_config
        positions = self.model.cost.positions
        out: Dict[str, FloatArray] = {}
        with self._handle.lock:
            n = self.rows
            for i, name in enumerate(self._names):
                at = lib.trm_solver_latent(self._handle.address, i, None)
                if n and not at:
                    raise errors.RefusedError(f"{name}: the device failed, or memory is out")
                out[name] = copy(at, (n, positions, int(c.hidden_size)), np.float32)
        return out

    def read_latent(self, name: str) -> Tuple[IntArray, FloatArray]:
        """What the output head reads in a latent (Fig. 6 of the paper): tokens int32 [n, seq_len] and
        logits float32 [n, seq_len, vocab_size].

        Raises:
            KeyError: no latent is called so.
        """
        if name not in self._names:
            raise KeyError(f"{name!r}: the latents are {', '.join(self._names)}")
        with self._handle.lock:
            tokens = np.empty((self.rows, self.model.seq_len), np.int32)
            logits = np.empty((self.rows, self.model.seq_len, self.model.vocab_size), np.float32)
            call("trm_solver_decode_latent", self._handle.address, self._names.index(name),
                 tokens.ctypes.data, logits.ctypes.data)
        return tokens, logits

    @property
    def kernels(self) -> str:
        """What computes: "avx512_bf16", "cuda 9.0" and the like; others round differently."""
        with self._handle.lock:
            return text(lib.trm_solver_kernels(self._handle.address))

    @property
    def nbytes(self) -> int:
        """Memory that it holds beside the model's weights."""
        with self._handle.lock:
            return int(lib.trm_solver_bytes(self._handle.address))


def _latent_names(solver: int) -> Tuple[str, ...]:
    return tuple(text(lib.trm_solver_latent_name(solver, i))
                 for i in range(lib.trm_solver_latent_count(solver)))
