"""How good a model is on a data set, and a model that learns a new one."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np

from . import _c, errors
from ._arrays import AnyArray, FloatArray, IntArray
from ._lib import Handle, PathLike, call, device as device_of, instance, lib, path_bytes, real, whole
from ._listen import CALLBACK, Guard
from ._build import Progress, interruptible
from ._arc import ArcVotes
from ._data import Dataset, augmentation
from .model import Model
from .solve import Halt, halt_rule, thinking


class Evaluation(NamedTuple):
    """What an evaluation found.

    Intervals are Wilson's at 95 %. `valid` and what belongs to it is None where no rules are known.
    """

    examples: int  #: with at least one label
    exact: int  #: all of whose labels are hit
    exact_accuracy: float
    exact_interval: Tuple[float, float]
    accuracy: float  #: mean over examples of the share of right cells
    q_halt_accuracy: float  #: how often the model knows whether it is right
    lm_loss: float
    q_halt_loss: float
    mean_steps: float  #: of an example, all its tries together
    valid: Optional[int]  #: right by the rules
    valid_interval: Optional[Tuple[float, float]]
    halted: IntArray  #: [steps]: rows whose last step was each; empty of several tries
    step_accuracy: FloatArray  #: [steps, 2]: accuracy and exact accuracy after each step
    predictions: Optional[IntArray]  #: [n, seq_len], in the order of the data, where they were asked for
    q: Optional[FloatArray]  #: [n], logits of the same


def evaluate(model: Model, data: Dataset, *, limit: int = 0, steps: Optional[int] = None, halt: Halt = None,
             views: int = 1, rollouts: int = 1, noise: float = 0.0, select: str = "q", bar: float = 2.0,
             verify: bool = False, search: int = 0, seed: int = 0, predictions: bool = False, votes: Any = None,
             batch: int = 0, threads: int = 0, device: str = "cpu", state: Optional[PathLike] = None,
             progress: Progress = None) -> Evaluation:
    """Answers every example of a data set and counts what is right, as `trm eval` does.

    Args:
        limit: examples from the start; 0: all.
        steps, halt, views, rollouts, noise, select, bar, verify, search, seed: as of :class:`trm.Queue`.
        predictions: keep the answers.
        votes: a :class:`trm.data.ArcVotes` in which every answer votes.
        state: a file with which an evaluation that was stopped goes on.
        progress: a function (done, total); False stops, as Ctrl-C does.

    Raises:
        trm.ShapeError: the model may not be used on the data.
        trm.NumericError: logits are NaN or infinite.
    """
    kind, margin = halt_rule(halt)
    think = thinking(views, rollouts, noise, select, bar, verify, search, seed)
    config = _c.trm_eval_config(limit=whole(limit, "limit", 0, 2**62), halt=kind, halt_margin=margin, think=think,
                                steps=whole(0 if steps is None else steps, "steps", 0 if steps is None else 1),
                                batch=whole(batch, "batch"), threads=whole(threads, "threads"),
                                device=device_of(device), votes=instance(votes, ArcVotes, "votes", True) and votes.address,
                                state=None if state is None else path_bytes(state))
    instance(model, Model, "model")
    instance(data, Dataset, "data")
    n = min(limit, len(data)) if limit else len(data)
    answers: Optional[IntArray] = np.zeros((n, data.seq_len), np.int32) if predictions else None
    q: Optional[FloatArray] = np.zeros(n, np.float32) if predictions else None
    if answers is not None and q is not None:
        if state is not None:
            raise errors.ArgumentError("predictions: rows that are done are not told again by a state: want one of the two")
        config.row = CALLBACK["row"](_keeper(answers, q))
    report = _c.trm_eval_report()
    interruptible("trm_evaluate", config, progress, model.address, data.address, ctypes.byref(config),
                  ctypes.byref(report))
    return _evaluation(report, answers, q)


def _keeper(answers: IntArray, q: FloatArray) -> Callable[[Any, Any, Any], int]:
    width = answers.shape[1]

    def keep(_: Any, row: Any, error: Any) -> int:
        r = row.contents
        ctypes.memmove(answers[r.example].ctypes.data, r.answer, 4 * width)
        q[r.example] = r.q_halt
        return _c.TRM_OK

    return keep


def _evaluation(r: _c.trm_eval_report, answers: Optional[IntArray], q: Optional[FloatArray]) -> Evaluation:
    walked = [(s.accuracy, s.exact_accuracy, s.halted) for s in r.step[:r.n_steps]]
    table: AnyArray = np.array(walked, np.float64).reshape(-1, 3)
    rules = bool(r.rules)
    return Evaluation(
        examples=int(r.examples), exact=int(r.exact), exact_accuracy=float(r.exact_accuracy),
        exact_interval=(r.exact_interval.low, r.exact_interval.high), accuracy=float(r.accuracy),
        q_halt_accuracy=float(r.q_halt_accuracy), lm_loss=float(r.lm_loss), q_halt_loss=float(r.q_halt_loss),
        mean_steps=float(r.mean_steps), valid=int(r.valid) if rules else None,
        valid_interval=(r.valid_interval.low, r.valid_interval.high) if rules else None,
        halted=table[:, 2].astype(np.int32), step_accuracy=table[:, :2].astype(np.float32), predictions=answers, q=q)


def finetune(model: Model, data: Dataset, *, steps: int = 100, warmup: int = 0, batch_size: int = 32,
             lr: float = 1e-4, puzzle_emb_lr: float = 1e-2, weight_decay: float = 0.0, freeze_weights: bool = False,
             augment: str = "none", seed: int = 0, threads: int = 0, device: str = "cpu",
             state: Optional[PathLike] = None,
             progress: Optional[Callable[[int, int, Dict[str, float]], Optional[bool]]] = None) -> Model:
    """A trained model learns puzzles whose ids it has never seen: a copy that did.

    Args:
        data: demonstrations; its ids are new.
        steps: updates; warmup: of them the first so many, in which the rates grow; 0: a tenth.
        freeze_weights: train the puzzle embeddings only.
        state: a file with which a fine-tuning that was stopped goes on.
        progress: a function (update, total, metrics) of the sums over the rows; False stops.

    Raises:
        trm.ConfigError: `freeze_weights` of a model without puzzle embeddings.
        trm.ShapeError: model and data disagree.
        trm.StoppedError, KeyboardInterrupt: stopped; with `state` the same call goes on.
    """
    config = _c.trm_finetune_config(
        steps=whole(steps, "steps", 0, 2**62), warmup=whole(warmup, "warmup", 0, 2**62),
        batch_size=whole(batch_size, "batch_size"), lr=real(lr, "lr"), puzzle_emb_lr=real(puzzle_emb_lr, "puzzle_emb_lr"),
        weight_decay=real(weight_decay, "weight_decay"), freeze_weights=bool(freeze_weights), augment=augmentation(augment),
        seed=whole(seed, "seed", 0, 2**64 - 1), threads=whole(threads, "threads"), device=device_of(device),
        state=None if state is None else path_bytes(state))
    instance(model, Model, "model")
    instance(data, Dataset, "data")
    guard = Guard()

    def follow(_: Any, update: int, total: int, metrics: Any) -> bool:
        def told() -> Optional[bool]:
            m = metrics.contents
            return progress(update, total, {f[0]: float(getattr(m, f[0])) for f in m._fields_}) if progress else None

        return guard.run(told)

    config.progress = _c.trm_finetune_progress_fn(follow)
    out = ctypes.c_void_p()
    try:
        with guard.interrupts:
            call("trm_finetune", model.address, data.address, ctypes.byref(config), ctypes.byref(out))
    except (errors.StoppedError, KeyboardInterrupt):
        if out.value:
            lib.trm_model_free(out.value)
        guard.check()
        if guard.interrupts.came:
            raise KeyboardInterrupt from None
        raise
    assert out.value
    return Model(Handle(out.value, "trm_model_free", "model"))
