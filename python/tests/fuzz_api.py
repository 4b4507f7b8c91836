"""Calls whatever trm has with whatever Python can pass, in sequences, on objects that are used, closed
and shared by threads. What is refused must be refused by an exception that fits.

    python fuzz_api.py SECONDS SEED [LOG]

Prints what fits not, each kind once, with the case that shows it; exit code 1 then. LOG has the case
that is being tried, for whoever finds this process dead. It works in a folder that is removed.
"""

from __future__ import annotations

import copy
import faulthandler
import inspect
import logging
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import numpy as np

import trm

# What a wrong argument may be. An AttributeError or a KeyError would say what the code did, not what was wrong.
FITTING = (trm.Error, ValueError, TypeError, OSError, IndexError, MemoryError, OverflowError, ImportError,
           KeyboardInterrupt, StopIteration, RecursionError, EOFError, pickle.PickleError)

SUDOKU = trm.Puzzle.sudoku(4)
GRID = "1234341221434321"
OPEN = "1.3.3.1..1.3.3.1"


class Odd:
    """Looks like a number, an array or a path, and is none."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __repr__(self) -> str:
        return f"Odd({self.how!r})"

    def _fails(self, *_):
        if self.how == "raises":
            raise ValueError("odd")
        return {"type": "odd", "huge": 2**200}.get(self.how)

    __index__ = __float__ = __fspath__ = __len__ = __iter__ = __array__ = _fails


def arrays(r: random.Random):
    """Arrays of any type, shape and layout."""
    shape = r.choice([(), (0,), (1,), (16,), (4, 4), (2, 16), (2, 4, 4), (3, 16), (16, 2), (0, 16), (2, 0), (1, 1, 1, 1), (81,),
                      (6, 6), (8,), (8, 16)])
    kind = r.choice(["i4", "i4", "i4", "i8", "u1", "u8", "f4", "f8", "f2", "?", "c8", "O", "U3", "S2", "M8[s]", ">i4", "V4"])
    a = np.zeros(shape, kind)
    if a.dtype.kind in "iuf":
        a = (np.arange(a.size).reshape(shape) % r.choice([1, 2, 5, 6, 300])).astype(kind)
        if a.size and r.random() < 0.2:
            with np.errstate(all="ignore"):
                a.flat[r.randrange(a.size)] = np.array(r.choice([-1, 2**31 - 1, -2**31, 7, 255])).astype(kind)
        if a.size and a.dtype.kind == "f" and r.random() < 0.3:
            a.flat[0] = r.choice([np.nan, np.inf, 0.5, -0.0])
    if r.random() < 0.2:
        a = a.T
    if r.random() < 0.1:
        a = a[..., ::-1] if a.ndim else a
    if r.random() < 0.1:
        a = np.broadcast_to(a, (2, *a.shape))
    if r.random() < 0.1:
        a.flags.writeable = False
    return a


def odd(r: random.Random):
    """Anything at all."""
    return r.choice([
        lambda: None, lambda: True, lambda: False, lambda: r.choice([-1, 0, 1, 2, 3, 7, 64, 255, 1000]),
        lambda: r.choice([2**31 - 1, 2**31, -2**31, 2**32, 2**62, 2**63, 2**64 - 1, 2**64, 10**30, -2**63 - 1]),
        lambda: r.choice([0.0, 0.5, -0.5, 1.5, 1e308, float("nan"), float("inf"), -float("inf"), 5e-324]),
        lambda: r.choice(["", "a", "q", "cpu", "cuda:99", "none", "train", "test", OPEN, GRID, "1" * 17, "é", "\ud800", "a\0b",
                          "x" * 5000, "q=4", "q=", "q=nan", "\n", "%s%n", "{}", "sudoku4", "vote", "first", "float32"]),
        lambda: r.choice([b"", b"a", b"\xff" * 20, bytearray(b"abc"), memoryview(b"abcd")]),
        lambda: r.choice([[], [[]], [1], [[1, 2], [3]], [None], ["a"], [OPEN], [OPEN, 3], [[1] * 4] * 4, [[[1] * 4] * 4] * 2, (), (1, 2)]),
        lambda: r.choice([{}, {"a": 1}, {1: 2}, {"arch": "trm"}, {"arch": 1}, set(), frozenset(), range(4), range(0)]),
        lambda: Odd(r.choice(["raises", "type", "huge", "none"])), lambda: lambda *a: None, lambda: lambda *a: False,
        lambda: lambda: 1 / 0, lambda: iter([OPEN]), lambda: object(), lambda: int, lambda: np, lambda: NotImplemented,
        lambda: np.int64(r.choice([-1, 0, 3, 2**40])), lambda: np.float32("nan"), lambda: np.bool_(True), lambda: 1j,
        lambda: Path(r.choice(["a", "nowhere/b", "data", "."])), lambda: arrays(r), lambda: arrays(r), lambda: slice(None, None, 0),
    ])()


def paths(r: random.Random):
    """In this folder only."""
    return r.choice(["data", "data", "model", "one.safetensors", "one.pt", "new", "new/er", "new.safetensors", "new.pt", "text.json",
                     "csv.csv", "grids.npz", "tasks.json", "runs", "run", "", ".", "a\0b", "x" * 5000, "nowhere/x", Path("data"), Path("new2"), b"data"])


def puzzles(r: random.Random):
    return r.choice([OPEN, GRID, [OPEN, GRID], np.full(16, 1, np.int32), np.zeros((4, 4), int), np.full((3, 16), 2, np.int32),
                     "." * 16, [[0] * 4] * 4, arrays(r)])


# What parameters of these names usually get, so that calls come further than to the first check.
PLAUSIBLE = {
    **dict.fromkeys(["path", "folder", "output_dir", "input_prefix", "state", "submission", "data_folder"], paths),
    **dict.fromkeys(["puzzles", "puzzle_text", "grids", "grid", "question", "inputs", "labels", "x", "X", "y", "answer", "tokens"], puzzles),
    **dict.fromkeys(["steps", "views", "rollouts", "batch", "rows", "batch_size", "n", "count", "limit", "first", "num_aug", "waiting",
                     "train_size", "size", "search", "updates", "cols", "test_input", "task", "i", "epochs", "max_examples",
                     "max_groups", "k", "order"], lambda r: r.choice([0, 1, 1, 2, 2, 3, 4, 8, 16])),
    **dict.fromkeys(["threads"], lambda r: r.choice([0, 1, 2])), **dict.fromkeys(["seed"], lambda r: r.choice([0, 1, 2**64 - 1])),
    **dict.fromkeys(["noise", "bar", "lr", "share", "test_share", "weight_decay"], lambda r: r.choice([0.0, 0.5, 1e-3, 2.0])),
    "dtype": lambda r: r.choice(["float32", "bfloat16"]), "device": lambda r: r.choice(["cpu", "auto", "cuda"]),
    "select": lambda r: r.choice(["q", "first", "vote", "mode"]), "halt": lambda r: r.choice([None, "q", "q=4", "learned"]),
    "augment": lambda r: r.choice(["none", "on-the-fly"]), "split": lambda r: r.choice(["train", "test", 0.5]),
    "puzzle_ids": lambda r: r.choice([None, [0], np.zeros(8, int)]), "progress": lambda r: r.choice([None, lambda *a: None, lambda *a: False]),
    "puzzle": lambda r: r.choice([SUDOKU, None, OPEN]), "name": lambda r: r.choice(["sudoku4", "z_H", "z_L", "a"]),
    "subsets": lambda r: r.choice([["a"], "a", []]), "config": lambda r: r.choice([{}, {"arch": "trm"}, "model/config.json"]),
}
NEVER = {"train", "resume", "run"}  # names that would train for long, or write elsewhere: `settings` is tried by itself


def small(r: random.Random):
    return trm.create_model(SUDOKU, r.choice([0, 1]), hidden_size=16, num_heads=2, mlp_t=True, pos_encodings="none", L_layers=1,
                            H_cycles=1, L_cycles=1, puzzle_emb_ndim=16, halt_max_steps=2)


def begin(r: random.Random):
    """Files, and objects that were made as they should be, some of them closed."""
    model = small(r)
    data = trm.Dataset([OPEN] * 8, [GRID] * 8, puzzle=SUDOKU)
    data.save("data", data)
    for name in ("model", "one.safetensors", "one.pt"):
        model.save(name)
    Path("text.json").write_text('{"a": [1, {}]}')
    Path("tasks.json").write_text('{"t": {"train": [{"input": [[1]], "output": [[2]]}], "test": [{"input": [[1]], "output": [[2]]}]}}')
    Path("csv.csv").write_text(f"question,answer\n{OPEN},{GRID}\n")
    np.savez("grids.npz", inputs=np.ones((4, 2, 2), int), labels=np.ones((4, 2, 2), int))
    trm.train("sudoku4", data="data", checkpoint_path="run", threads=1, device="cpu", max_updates=2, global_batch_size=8, epochs=9,
              eval_interval=9, progress=False, **{"arch.hidden_size": 16})
    tasks = trm.data.ArcTasks("tasks.json")
    pool = [model, data, SUDOKU, trm.Puzzle.sudoku(6), trm.load("sudoku4"), trm.load("maze10").puzzle, tasks]
    for made in range(2):
        pool += [trm.Solver(model, batch=2, threads=1), trm.Queue(model, threads=1), trm.Trainer(model, batch_size=8, threads=1),
                 trm.Stream(data, 8)]
    pool += [trm.data.ArcVotes(tasks, ["<blank>", "t"]), trm.runs("run")[0], trm.TRMSolver(puzzle=SUDOKU, epochs=1),
             model.solve(OPEN, steps=1), model.solve([OPEN, GRID], steps=1, trajectory=True, latents=True), data[0]]
    for each in pool[7:10]:
        each.close()
    return pool


def settings(r: random.Random):
    """A run of one update, or a refusal."""
    keys = {"arch.hidden_size": r.choice([16, 32, odd(r)]), "global_batch_size": r.choice([4, odd(r)])}
    keys[r.choice(["lr", "arch.L_cycles", "optimizer", "run_name", "seed", "epochs", "ema", "data_paths", "grad_clip", "nothing", "augment",
                   "arch", "log_interval", "", "a=b", "\0"])] = odd(r)
    return trm.train({"preset": "sudoku4", "threads": 1, "device": "cpu", "max_updates": 1, "eval_interval": 1, **keys},
                     data=r.choice(["data", "data", trm.Dataset([OPEN], [GRID], puzzle=SUDOKU), odd(r)]), progress=False,
                     callbacks=r.choice([[], [odd(r)], [lambda p: False]]), transform=r.choice([None, None, lambda *a: odd(r)]),
                     on_log=r.choice([None, lambda line: None, lambda line: odd(r)()]), updates=r.choice([0, 1, odd(r)]))


def arguments(function, r: random.Random, pool):
    """Positional and keyword arguments for its signature, mostly plausible."""
    def value(name: str):
        chance = r.random()
        if chance < 0.55 and name in PLAUSIBLE:
            return PLAUSIBLE[name](r)
        return r.choice(pool) if chance < 0.8 else odd(r)

    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return [odd(r) for _ in range(r.randrange(3))], {}
    positional, keywords = [], {}
    for p in parameters:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        if p.name in NEVER and p.default is not p.empty:
            continue
        if p.kind is p.KEYWORD_ONLY or (p.default is not p.empty and r.random() < 0.5):
            if r.random() < 0.3:
                keywords[p.name] = value(p.name)
        elif not keywords:
            positional.append(value(p.name))
    if positional and r.random() < 0.03:
        positional.pop()
    if p_any := [p for p in inspect.signature(function).parameters.values() if p.kind is p.VAR_KEYWORD]:
        if p_any and r.random() < 0.3:
            keywords[r.choice(["hidden_size", "batch_size", "steps", "nothing", "arch", "threads"])] = odd(r)
    keep = {name: v for name, v in keywords.items() if name not in [p for p, _ in zip(inspect.signature(function).parameters, positional)]}
    return positional, keep


RESULTS = {"Model", "Run", "Runs", "Answers", "Gallery"}  # that the package makes, and nobody else


def functions():
    """Public ones. Records of results are made by the package alone, and check nothing."""
    found = [getattr(trm, name) for name in trm.__all__ if name not in NEVER]
    found += [getattr(trm.data, name) for name in dir(trm.data) if not name.startswith("_")]
    return [f for f in found if callable(f) and f.__name__ not in RESULTS and not (
        inspect.isclass(f) and (issubclass(f, (BaseException, tuple)) or hasattr(f, "__dataclass_fields__")))]


def members(thing):
    return [name for name in dir(type(thing)) if not name.startswith("__") or name in (
        "__len__", "__getitem__", "__iter__", "__repr__", "__enter__", "__exit__", "__reduce__", "__eq__", "__hash__")]


def call(r: random.Random, pool, say):
    """One thing to try; what comes of it."""
    chance = r.random()
    if chance < 0.02:
        say("train(settings)")
        return settings(r)
    if chance < 0.35:
        f = r.choice(FUNCTIONS)
        positional, keywords = arguments(f, r, pool)
        say(f"{getattr(f, '__name__', f)}(*{shown(positional)}, **{shown(keywords)})")
        return f(*positional, **keywords)
    thing = r.choice(pool)
    if chance < 0.40:
        work = r.choice([repr, str, copy.copy, pickle.dumps, lambda t: t.close(), hash, lambda t: t == thing, list_of])
        say(f"{getattr(work, '__name__', work)} of {type(thing).__name__}")
        return work(thing)
    name = r.choice([n for n in members(thing) if not (n.startswith("_") and not n.startswith("__"))] or ["__repr__"])
    kind = type(thing).__name__
    say(f"{kind}.{name}")
    member = getattr(thing, name)
    if isinstance(inspect.getattr_static(type(thing), name, None), property) and r.random() < 0.1:
        setattr(thing, name, odd(r))
    if not callable(member):
        return member
    positional, keywords = arguments(member, r, pool)
    say(f"{kind}.{name}(*{shown(positional)}, **{shown(keywords)})")
    if chance > 0.97:  # two threads at once
        other = threading.Thread(target=quiet, args=(member, positional, keywords), daemon=True)
        other.start()
        try:
            return member(*positional, **keywords)
        finally:
            other.join(20)
    return member(*positional, **keywords)


def quiet(member, positional, keywords):
    try:
        took(member(*positional, **keywords))
    except Exception:  # noqa: BLE001 - the caller's own turn says what fits not
        pass


def list_of(thing):
    return took(iter(thing))


def took(found):
    """Of a generator a little."""
    if hasattr(found, "__next__"):
        return [each for each, _ in zip(found, range(3))]
    return found


def shown(value) -> str:
    """For the report; of ours only what it is, for a repr is a case of its own."""
    if type(value).__module__.startswith("trm"):
        return type(value).__name__
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(v) for v in value[:8]) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {shown(v)}" for k, v in value.items()) + "}"
    return repr(value)[:300].replace("\n", " ")


def is_fitting(e: BaseException) -> bool:
    """By its type, and where it comes from: a callback's own exceptions come out as they are."""
    frames = traceback.extract_tb(e.__traceback__)
    if type(e).__name__ == "FrozenInstanceError":  # a record of results, which this tried to change
        return True
    if isinstance(e, (ZeroDivisionError, AttributeError, KeyError, RuntimeError, NotImplementedError)):
        # Raised by an odd function itself, by Python on a member that an object does not have, or told on purpose.
        return frames[-1].filename == __file__ or "callbacks" in str(e) or "latents are" in str(e) or frames[-1].line.startswith("raise")
    return isinstance(e, FITTING)


def watch(state) -> None:
    """Ctrl-C for what takes long: it has to be stopped by that, or to end."""
    while True:
        time.sleep(0.25)
        if state["began"] and time.monotonic() - state["began"] > 1:
            os.kill(os.getpid(), signal.SIGINT)


def main() -> int:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    log = open(sys.argv[3] if len(sys.argv) > 3 else os.devnull, "w")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    logging.disable(logging.CRITICAL)
    np.seterr(all="ignore")
    os.chdir(tempfile.mkdtemp(prefix="trm-fuzz-"))
    home = os.getcwd()
    state = {"began": 0.0}
    threading.Thread(target=watch, args=(state,), daemon=True).start()
    end, case, wrong, fine = time.monotonic() + seconds, 0, {}, {}

    while time.monotonic() < end:
        r = random.Random(seed + case // 400)
        state["began"] = 0.0
        folder = Path(home) / str(case // 400)
        folder.mkdir()
        os.chdir(folder)
        pool = begin(r)
        while time.monotonic() < end:
            case += 1

            what = [""]

            def say(words: str) -> None:
                log.seek(0)
                log.truncate()
                log.write(f"case {case} of seed {seed}: {words}\n")
                log.flush()
                what[0] = words

            faulthandler.dump_traceback_later(60, exit=True)
            try:
                state["began"] = time.monotonic()
                try:
                    made = took(call(r, pool, say))
                finally:
                    state["began"] = 0.0
                if type(made).__module__.startswith("trm") and len(pool) < 60:
                    pool.append(made)
                fine["returned"] = fine.get("returned", 0) + 1
            except KeyboardInterrupt:
                state["began"] = 0.0
            except BaseException as e:  # noqa: BLE001
                fine[type(e).__name__] = fine.get(type(e).__name__, 0) + 1
                if not is_fitting(e):
                    last = traceback.extract_tb(e.__traceback__)[-1]
                    wrong.setdefault((type(e).__name__, last.filename, last.lineno), (what[0], e))
            if case % 400 == 0:
                break
        pool.clear()
    os.chdir("/")
    import shutil

    shutil.rmtree(home)
    print(f"{case} cases: " + ", ".join(f"{n} {name}" for name, n in sorted(fine.items(), key=lambda i: -i[1])))
    for (kind, file, line), (words, e) in wrong.items():
        print(f"{kind} at {Path(file).name}:{line}: {str(e)[:200]}\n    {words[:600]}")
    return bool(wrong)


FUNCTIONS = functions()
if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # not by way of what odd objects do at the end
