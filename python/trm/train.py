"""Training: runs in folders (:func:`train`, :func:`resume`), and one update at a time
(:class:`Trainer`)."""

from __future__ import annotations

import ctypes
import os
import shlex
import sys
import weakref
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

from . import _c, _tensorboard, errors
from ._arrays import AnyArray, FloatArray, IntArray, copy, int32
from ._lib import Closable, Handle, PathLike, call, create, instance, lib, path_bytes, text, text_bytes, whole
from ._listen import CALLBACK, Guard, _tell  # pyright: ignore[reportPrivateUsage]
from ._log import Line, Log
from ._data import Batch, Dataset, folder_of, texts
from .model import Model, setting, typed

Settings = Union[None, str, Mapping[str, Any]]


class Progress(NamedTuple):
    """Where a run is: after every update, and during evaluations."""

    evaluating: bool  #: `done` and `total` count examples of an evaluation, else updates
    done: int
    total: int
    loss: float  #: of the training, smoothed; -1: none yet
    exact: float  #: share of puzzles that are exactly right in training, smoothed; -1: none yet
    run: Optional[Run]


class Plan(NamedTuple):
    """What a run will do."""

    total: int  #: updates of all epochs
    end: int  #: where it ends
    updates_per_epoch: float
    groups: int  #: of puzzles to train on
    tests: int  #: examples to evaluate on
    held_back: bool  #: they are a share of the training data


class State(NamedTuple):
    """Where a run stands."""

    folder: Optional[str]
    update: int  #: updates done
    saved: int  #: that of the newest checkpoint
    best_update: int  #: of the best evaluation
    best_exact: float  #: its share of puzzles that are exactly right; -1: there was none


Callback = Callable[[Progress], Optional[bool]]
OnLog = Callable[[Line], Any]
Transform = Callable[[int, Batch, npt.NDArray[np.bool_]], Optional[Batch]]


class Tracking(NamedTuple):
    """Who follows the log of a run beside its folder."""

    on_log: Optional[OnLog] = None
    tensorboard: bool = False


# --- settings ---


def settings_list(settings: Settings, keys: Mapping[str, Any]) -> List[str]:
    """Settings as `trm train` takes them. A text is a preset; of keywords `__` stands for a dot."""
    found: Dict[str, Any] = {"preset": settings} if isinstance(settings, str) else dict(settings or {})
    found.update({key.replace("__", "."): value for key, value in keys.items()})
    return [f"{key}={_value(value, key)}" for key, value in found.items()]


def _value(value: Any, key: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return _quoted(value) if key in _TEXTS else value
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_quoted(os.fspath(item)) for item in value) + "]"
    return setting(value, key).decode()


# Values that are any text: paths and names, in which Hydra's notation would see brackets or quotes.
_TEXTS = {"preset", "project_name", "run_name", "load_checkpoint", "checkpoint_path", "out"}


def _quoted(value: str) -> str:
    for quote in "\"'":
        if quote not in value:
            return f"{quote}{value}{quote}"
    raise errors.ConfigError(f"{value!r}: a text with both kinds of quotes cannot be a setting")


def _load_config(settings: Sequence[str], config: Optional[PathLike]) -> int:
    yaml = None if config is None else path_bytes(config)
    return create("trm_run_config_load", yaml, texts(settings, "a setting"), len(settings))


def config_dict(address: int) -> Dict[str, Any]:
    """All keys of a `trm_run_config *` with their values."""
    out: Dict[str, Any] = {}
    buffer = ctypes.create_string_buffer(4 * _c.TRM_PATH_SIZE)
    i = 0
    while True:
        field = lib.trm_run_config_field(i)
        if not field:
            return out
        bounds = lib.trm_field_bounds(field)
        key, kind = text(bounds.key or bounds.name), text(bounds.type)
        call("trm_run_config_get", address, key.encode(), buffer, len(buffer))
        told = buffer.value.decode("utf-8", "replace")
        if kind == "list":
            items: List[str] = []
            while (item := lib.trm_run_config_item(address, key.encode(), len(items))) is not None:
                items.append(text(item))
            out[key] = items
        elif told == "null":
            out[key] = None
        elif kind == "text|null":
            out[key] = text(lib.trm_run_config_item(address, key.encode(), 0))
        else:
            try:
                out[key] = typed(told, kind.partition("|")[0])
            except ValueError:
                out[key] = told  # "${.hidden_size}", "2GiB"
        i += 1


def presets() -> Dict[str, str]:
    """The presets of :func:`train`, and what each is."""
    found: Dict[str, str] = {}
    while (preset := lib.trm_run_preset_at(len(found))):
        found[text(preset.contents.name)] = text(preset.contents.about)
    return found


# --- runs ---


class _Listener:
    """What the library tells a run, and asks it."""

    def __init__(self, callbacks: Iterable[Callback], transform: Optional[Transform], bar: bool,
                 tracking: Tracking) -> None:
        self.guard = Guard()
        self.callbacks = list(callbacks)
        self.transform = transform
        self.run: Callable[[], Optional[Run]] = lambda: None
        self.stopped = False  # a callback said so
        self.shape: Tuple[int, int] = (0, 0)
        self._bar: Any = None
        self._shows = bar
        self._tracking = tracking
        self._log: Optional[Log] = None
        self._events: Optional[_tensorboard.EventFile] = None
        self.begun_at = 0  # the update that the run begins with
        self.raw = _c.trm_run_listener(message=CALLBACK["message"](self._message),
                                       progress=CALLBACK["progress"](self._progress))
        if transform is not None:
            self.raw.batch = CALLBACK["batch"](self._batch)

    def _message(self, _: Any, level: int, words: bytes) -> None:
        self.guard.run(lambda: _tell(None, level, words))

    def _progress(self, _: Any, p: Any) -> bool:
        return self.guard.run(lambda: self._follow(p.contents))

    def _follow(self, p: _c.trm_run_progress) -> bool:
        told = Progress(bool(p.evaluating), int(p.done), int(p.total), float(p.loss), float(p.exact), self.run())
        self._show(told)
        self._track()
        for callback in self.callbacks:
            if callback(told) is False:
                self.stopped = True
        return not self.stopped

    def _show(self, p: Progress) -> None:
        """A bar by tqdm, where that is installed and somebody is looking."""
        if not self._shows or p.evaluating:
            return
        if self._bar is None:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                self._shows = False
                return
            self._bar = tqdm(total=p.total, initial=p.done - 1, unit=" updates", disable=None)
        self._bar.update(p.done - self._bar.n)
        self._bar.set_postfix(loss=f"{p.loss:.3f}", exact=f"{max(p.exact, 0):.1%}", refresh=False)

    def _track(self) -> None:
        """What the log has more. The first time the run has begun: a log that was ahead of it is cut."""
        if self._log is None:
            run = self.run() if any(self._tracking) else None
            if run is None or run.folder is None:
                return
            folder, goes_on = Path(run.folder), run.state.update == self.begun_at
            path = folder / "log.jsonl"
            self._log = Log(path, path.stat().st_size if goes_on and path.exists() else 0)
            if self._tracking.tensorboard:
                self._events = _tensorboard.EventFile(folder, folder, run.config)
        if self._events is not None:
            self._events.follow()
        if self._tracking.on_log is not None:
            for line in self._log.more():
                self._tracking.on_log(line)

    def end(self) -> None:
        """The library has returned."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._log is not None:
            self._track()
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        if self._events is not None:
            self._events.close()

    def _batch(self, _: Any, update: int, wants: int, x: int, y: int, ids: int, error: Any) -> int:
        if self.guard.run(lambda: self._change(update, wants, x, y, ids)):
            return _c.TRM_OK
        return self.guard.refuse(error, _c.TRM_E_ARGUMENT if self.guard.raised else _c.TRM_E_INTERRUPTED)

    def _change(self, update: int, wants: int, x: int, y: int, ids: int) -> None:
        assert self.transform
        rows, cells = self.shape
        given = Batch(copy(x, (rows, cells), np.int32), copy(y, (rows, cells), np.int32), copy(ids, (rows,), np.int32))
        made = self.transform(update, given, copy(wants, (rows,), np.uint8).astype(np.bool_))
        if made is None:
            made = given  # changed in place
        if not isinstance(made, Batch):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"transform: want a trm.data.Batch or None of it, got {type(made).__name__}")
        for name, array, address in (("inputs", made.inputs, x), ("labels", made.labels, y),
                                     ("puzzle_ids", made.puzzle_ids, ids)):
            new = int32(array, f"transform: {name}")
            if new.shape != getattr(given, name).shape:
                raise errors.ShapeError(f"transform: {name}: want {list(getattr(given, name).shape)}, "
                                        f"got {list(new.shape)}")
            ctypes.memmove(address, new.ctypes.data, new.nbytes)


class Run:
    """A training run: a folder of checkpoints, and what goes on with it.

    It comes from :func:`train` or :func:`resume`, and holds the folder (nobody else can train it) until
    all its updates are done, or it is closed, left by `with`, or dropped. What it knows can be asked
    after that, too.

    Attributes:
        finished: all updates were done.
    """

    def __init__(self, function: str, arguments: Tuple[Any, ...], callbacks: Iterable[Callback],
                 transform: Optional[Transform], progress: bool, tracking: Tracking) -> None:
        if tracking.tensorboard:
            _tensorboard.load()
        self._listener = _Listener(callbacks, transform, progress, tracking)
        address = create(function, *arguments, ctypes.byref(self._listener.raw))
        self._handle = Handle(address, "trm_run_free", "run")
        call("trm_run_set_command", address, os.fsencode(shlex.join(getattr(sys, "orig_argv", sys.argv))))
        self._listener.run = weakref.ref(self)
        self._listener.begun_at = int(lib.trm_run_get_state(address).update)
        plan = lib.trm_run_get_plan(address).contents
        self._listener.shape = int(plan.trainer.batch_size), int(plan.model.contents.seq_len)
        self._working = False
        self._kept: Optional[Tuple[State, Plan, Dict[str, Any], Optional[Model]]] = None  # of one that is closed

    def __repr__(self) -> str:
        s = self.state
        return f"<trm.Run {s.folder}: update {s.update} of {self.plan.end}>"

    def close(self) -> None:
        """Lets the folder and the memory go. Nothing is saved: a checkpoint is, or is not, there."""
        with self._handle.lock:
            self._refuse_within()
            if self._kept is None:
                begun = lib.trm_run_model(self._handle.address)
                self._kept = (self.state, self.plan, self.config, self.model if begun else None)
                self._handle.close()
                self._listener.close()

    def __enter__(self) -> Run:
        self._handle.address
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # What is asked of it may be asked by its callbacks, too.

    @property
    def state(self) -> State:
        with self._handle.lock:
            if self._kept is not None:
                return self._kept[0]
            s = lib.trm_run_get_state(self._handle.address)
        return State(text(s.folder) or None, int(s.update), int(s.saved), int(s.best_update), float(s.best_exact))

    @property
    def folder(self) -> Optional[str]:
        """Its folder; None before it was made."""
        return self.state.folder

    @property
    def plan(self) -> Plan:
        with self._handle.lock:
            if self._kept is not None:
                return self._kept[1]
            p = lib.trm_run_get_plan(self._handle.address).contents
            return Plan(*(getattr(p, name) for name in Plan._fields))

    @property
    def finished(self) -> bool:
        return self.state.update >= self.plan.end

    @property
    def config(self) -> Dict[str, Any]:
        """All its settings."""
        with self._handle.lock:
            if self._kept is not None:
                return self._kept[2]
            return config_dict(lib.trm_run_get_config(self._handle.address))

    @property
    def model(self) -> Model:
        """The model as it would be saved, with averaged weights where the run has them: a copy."""
        with self._handle.lock:
            if self._kept is not None and self._kept[3] is not None:
                return self._kept[3]
            address = None if self._kept else lib.trm_run_model(self._handle.address)
            if not address:
                raise ValueError("the run has no model yet: it was not begun")
            state = self.state
            checkpoint = None if state.folder is None else os.path.join(state.folder, f"step_{state.update}")
            return Model(Handle(create("trm_model_clone", address), "trm_model_free", "model"), checkpoint=checkpoint)

    def log(self) -> List[Line]:
        """The lines of its log.jsonl so far (docs/TRAINING.md has their keys)."""
        folder = self.folder
        return [] if folder is None else list(Log(Path(folder) / "log.jsonl").more())

    def _refuse_within(self) -> None:
        if self._working:
            raise RuntimeError("a run cannot be told to do anything by its own callbacks; return False to stop it")

    def _work(self, function: str, *arguments: Any) -> None:
        """Work that tells and asks. It stops where its state is saved, and what stopped it is raised."""
        guard = self._listener.guard
        with self._handle.lock:
            self._refuse_within()
            guard.raised, self._listener.stopped, self._working = None, False, True
            try:
                with guard.interrupts:
                    call(function, self._handle.address, *arguments)
            except errors.Error as e:
                guard.check()
                if guard.interrupts.came:
                    s = self.state
                    raise KeyboardInterrupt(f"stopped after update {s.update}; update {s.saved} is saved, and "
                                            f"trm.resume({s.folder!r}) goes on") from None
                if not (isinstance(e, errors.StoppedError) and self._listener.stopped):
                    raise
            finally:
                self._working = False
                self._listener.end()
        guard.check()

    def train(self, updates: int = 0) -> Run:
        """So many updates, 0: all that are left, with the evaluations and checkpoints between them. After
        the last one the run is closed; before it may be trained on, and :meth:`save` keeps what came
        after the newest checkpoint.

        Stopped by a callback that returns False, it is saved, and may be called again. So it is
        stopped by Ctrl-C, which raises KeyboardInterrupt then, and by a callback that raises, whose
        exception comes out.

        Raises:
            trm.NumericError: loss, gradient or weights became NaN or infinite.
            trm.FileError, trm.OutOfMemoryError, trm.RefusedError: the newest checkpoint is intact.
        """
        self._work("trm_run_train", whole(updates, "updates", 0, 2**62))
        if self.finished:
            self.close()
        return self

    def evaluate(self) -> Run:
        """An evaluation out of turn, which is saved."""
        self._work("trm_run_evaluate")
        return self

    def save(self) -> Run:
        """A checkpoint out of turn."""
        self._work("trm_run_save")
        return self


def train(settings: Settings = None, /, *, data: Any = None, test: Optional[Dataset] = None,
          data_folder: Optional[PathLike] = None, config: Optional[PathLike] = None, resume: bool = False,
          updates: int = 0, callbacks: Iterable[Callback] = (), transform: Optional[Transform] = None,
          progress: bool = True, on_log: Optional[OnLog] = None, tensorboard: bool = False, **keys: Any) -> Run:
    """Trains a model: what `trm train` does (docs/TRAINING.md).

        run = trm.train("sudoku6", data="data/sudoku6", run_name="first")
        run = trm.train({"preset": "sudoku6", "arch.L_cycles": 4}, data=(inputs, labels), epochs=20)
        run.model.solve(puzzle)

    Args:
        settings: the name of a preset (:func:`presets`), or settings by their keys.
        data: a folder or several; a :class:`trm.Dataset`, or a pair (inputs, labels) of tokens, which
            are written to `data_folder` so that the run can go on later; None: what `settings` say.
        test: a data set to evaluate on, with data in memory only: a folder has its own.
        data_folder: where these are written; None: ``data/FINGERPRINT``.
        config: a YAML file of settings below these.
        resume: go on with the run of these settings where its folder is there; else that is refused.
        updates: stop after so many, as `run.train(updates)` does, without a checkpoint of its own: save
            that with `run.save()`, or what came after the newest one is not there to go on from; 0:
            to the end.
        callbacks: functions of a :class:`Progress`, called after every update and during evaluations;
            False stops the run.
        transform: changes every batch before it is learned from: a function (update, batch, wants) of
            the update's number, a :class:`trm.data.Batch` and the rows of it that are used; it changes the
            arrays in place or returns a batch. A function of these alone keeps the bits of a run that
            was stopped.
        progress: a bar, where tqdm is installed and stderr is a terminal or a notebook.
        on_log: a function of every line that log.jsonl gets (docs/TRAINING.md), a dict, soon after it is
            written; of a run that goes on, of what is new.
        tensorboard: write what is logged into an event file in the run's folder, too. Wants the package
            tensorboard. Of a run that goes on it is written anew from the log.
        keys: more settings; `__` stands for a dot: ``arch__L_cycles=4``.

    Returns:
        The run; `run.finished` where it was not stopped.

    Raises:
        trm.ConfigError: an unknown key, with the one that may be meant, a value out of its range, a
            folder that is taken.
        trm.ArgumentError: `test` or `data_folder` without data in memory.
        KeyboardInterrupt: Ctrl-C; what was learned is saved, and the message says how to go on.
        ImportError: `tensorboard` without that package; nothing was begun.
    """
    paths = _data_paths(data, test, data_folder)
    if paths is not None:
        keys["data_paths"] = paths
    address = _load_config(settings_list(settings, keys), config)
    return _begun(Run("trm_run_continue" if resume else "trm_run_create", (address,), callbacks, transform, progress,
                      Tracking(on_log, tensorboard)), updates)


def _data_paths(data: Any, test: Optional[Dataset], folder: Optional[PathLike]) -> Optional[List[PathLike]]:
    """The folders that a run is to read; None: what its settings say. Data in memory are written to one."""
    instance(test, Dataset, "test", True)
    parts: List[Any] = list(data) if isinstance(data, (list, tuple)) else [data]  # pyright: ignore
    is_pair = len(parts) == 2 and not any(isinstance(part, (str, os.PathLike, Dataset)) for part in parts)
    if isinstance(data, Dataset) or is_pair:
        return [folder_of(data, test, folder)]

    # A folder has a split `test` of its own, beside which another one would not be looked at.
    for name, value in (("test", test), ("data_folder", folder)):
        if value is not None:
            raise errors.ArgumentError(f"{name} goes with data in memory: want these as `data`, a trm.Dataset or a pair "
                                       "(inputs, labels); folders hold their own tests")
    if data is None:
        return None
    if not parts or not all(isinstance(part, (str, os.PathLike)) for part in parts):
        raise TypeError("data: want a folder or several, a trm.Dataset, or a pair (inputs, labels); got "
                        f"{type(data).__name__} of {', '.join(type(part).__name__ for part in parts) or 'nothing'}")
    return parts


def resume(folder: PathLike, /, *, updates: int = 0, callbacks: Iterable[Callback] = (),
           transform: Optional[Transform] = None, progress: bool = True, on_log: Optional[OnLog] = None,
           tensorboard: bool = False, **keys: Any) -> Run:
    """Goes on with the run in a folder, from its newest checkpoint: the same bits as without the stop.

    Args:
        keys: settings that may change, as ``max_updates``, ``data_paths`` or ``threads``.
        updates, callbacks, transform, progress, on_log, tensorboard: as of :func:`train`.
    """
    settings = settings_list(None, keys)
    arguments = (path_bytes(folder), texts(settings, "a setting"), len(settings))
    return _begun(Run("trm_run_open", arguments, callbacks, transform, progress, Tracking(on_log, tensorboard)), updates)


def _begun(run: Run, updates: int) -> Run:
    """Trains. Where that fails nobody has the run, but the traceback, which must not hold its folder."""
    try:
        return run.train(updates)
    except BaseException:
        run.close()
        raise


# --- one update at a time ---


class Trainer(Closable):
    """Training by hand: one call, one update.

        trainer = trm.Trainer(model, batch_size=32, lr=1e-3, total_steps=1000)
        stream = trm.Stream(data, 32, augment="on-the-fly")
        for _ in range(1000):
            metrics = trainer.step(stream.next(trainer.wants))

    Args:
        model: where it starts; it is copied.
        config: fields of a trainer by the reference's names (docs/TRAINING.md): ``batch_size``, ``lr``,
            ``weight_decay``, ``optimizer``, ``lr_warmup_steps``, ``total_steps``, ``ema_rate``, ``seed``,
            ``threads``, ``device`` …

    Raises:
        trm.ConfigError: an unknown field, with the one that may be meant, or a value out of range.
    """

    def __init__(self, model: Model, **config: Any) -> None:
        instance(model, Model, "model")
        raw = _c.trm_trainer_config()
        lib.trm_record_default(lib.trm_record_named(b"trm_trainer_config"), ctypes.byref(raw))
        for key, value in config.items():
            call("trm_trainer_config_set", ctypes.byref(raw), text_bytes(key, "a field"), setting(value, key))
        self.batch_size = int(raw.batch_size)
        self._seq_len = model.seq_len
        address = create("trm_trainer_create", model.address, ctypes.byref(raw))
        self._handle = Handle(address, "trm_trainer_free", "trainer")

    def __repr__(self) -> str:
        return f"<trm.Trainer: batch_size {self.batch_size}, seq_len {self._seq_len}{'' if self._handle.is_open else ', closed'}>"

    @property
    def updates(self) -> int:
        """Updates done."""
        with self._handle.lock:
            return int(lib.trm_trainer_updates(self._handle.address))

    def _rows(self, function: str, dtype: Any) -> AnyArray:
        with self._handle.lock:
            call("trm_trainer_sync", self._handle.address)
            return copy(getattr(lib, function)(self._handle.address), (self.batch_size,), dtype)

    @property
    def wants(self) -> npt.NDArray[np.bool_]:
        """bool [B]: rows whose puzzle is done, and which take a fresh one in the next update."""
        wants: npt.NDArray[np.bool_] = self._rows("trm_trainer_wants", np.uint8).astype(np.bool_)
        return wants

    @property
    def steps_taken(self) -> IntArray:
        """int32 [B]: supervision steps that each row's puzzle has taken."""
        return self._rows("trm_trainer_steps_taken", np.int32)

    def step(self, batch: Union[Batch, Tuple[Any, ...]]) -> Dict[str, float]:
        """One update.

        Args:
            batch: a :class:`trm.data.Batch`, or a tuple (inputs, labels) or (inputs, labels, puzzle_ids) of
                int [B, seq_len], [B, seq_len] and [B]. Labels below 0 are not scored. Rows that are not
                in :attr:`wants` are not looked at.

        Returns:
            Losses as means over the rows; `accuracy`, `exact_accuracy`, `q_halt_accuracy` and `steps` as
            means over the `count` rows whose puzzle is done; `lr`, `grad_norm` and the rest as they are.

        Raises:
            trm.RangeError: a token, label or id out of range; nothing has changed.
            trm.NumericError: NaN or infinity, with the tensor's name.
        """
        parts = (batch.inputs, batch.labels, batch.puzzle_ids) if isinstance(batch, Batch) else tuple(batch)
        if len(parts) == 2:
            parts = (*parts, np.zeros(self.batch_size, np.int32))
        if len(parts) != 3:
            raise TypeError(f"batch: want (inputs, labels, puzzle_ids), got {len(parts)} parts")
        arrays = [int32(part, name) for part, name in zip(parts, ("inputs", "labels", "puzzle_ids"))]
        for array, name, shape in zip(arrays, ("inputs", "labels", "puzzle_ids"),
                                      ((self.batch_size, self._seq_len),) * 2 + ((self.batch_size,),)):
            if array.shape != shape:
                raise errors.ShapeError(f"{name}: want {list(shape)}, got {list(array.shape)}")
        fresh = _c.trm_batch(*(array.ctypes.data for array in arrays))
        metrics = _c.trm_metrics()
        with self._handle.lock:
            call("trm_trainer_step", self._handle.address, ctypes.byref(fresh), ctypes.byref(metrics))
        return self._means(metrics)

    def _means(self, m: _c.trm_metrics) -> Dict[str, float]:
        out = {field[0]: float(getattr(m, field[0])) for field in m._fields_}
        for name in ("accuracy", "exact_accuracy", "q_halt_accuracy", "steps"):
            out[name] /= max(out["count"], 1)
        for name in ("loss", "lm_loss", "q_halt_loss", "q_continue_loss", "constraint_loss", "residual",
                     "solver_iterations"):
            out[name] /= self.batch_size
        return out

    def _model(self, function: str) -> Model:
        with self._handle.lock:
            call("trm_trainer_sync", self._handle.address)
            address = create("trm_model_clone", getattr(lib, function)(self._handle.address))
        return Model(Handle(address, "trm_model_free", "model"))

    @property
    def model(self) -> Model:
        """The averaged weights (EMA), or the weights where there is no average: a copy."""
        return self._model("trm_trainer_ema")

    @property
    def weights(self) -> Model:
        """The weights that are trained: a copy."""
        return self._model("trm_trainer_weights")

    def gradients(self) -> Dict[str, FloatArray]:
        """Of the last update, the mean over the batch, by the names of :meth:`trm.Model.state_dict`."""
        found: Dict[str, FloatArray] = {}
        with self._handle.lock:
            call("trm_trainer_sync", self._handle.address)
            for i in range(lib.trm_model_tensor_count(lib.trm_trainer_weights(self._handle.address))):
                t = lib.trm_trainer_gradient_at(self._handle.address, i)
                if t.data:
                    found[text(t.name)] = copy(t.data, tuple(int(n) for n in t.shape[:t.ndim]), np.float32)
        return found

    def save(self, path: PathLike) -> None:
        """Its whole state as one file, with which :meth:`load` goes on bit for bit."""
        with self._handle.lock:
            call("trm_trainer_save", self._handle.address, path_bytes(path))

    def load(self, path: PathLike) -> None:
        """A state that :meth:`save` wrote, of the same model configuration and batch size. A load that
        fails changes nothing."""
        with self._handle.lock:
            call("trm_trainer_load", self._handle.address, path_bytes(path))
