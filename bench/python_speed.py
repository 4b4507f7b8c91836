#!/usr/bin/env python3
"""Python beside the program and beside the calls of C: what does the package cost?

    scripts/build release trm trm_shared && python3 python/mirror.py
    TRM_LIBRARY=build/release/libtrm.so PYTHONPATH=python bench/python_speed.py build/release/trm

Four questions, each with its goal; the exit code is 1 where one is missed:

    import    a whole process that imports trm less one that imports nothing: below 100 ms
    solve     6x6 Sudokus, 64 at once, of which each takes all its steps: Python / program within 2 %.
              Both are whole processes with few and with many puzzles; the difference is the puzzles.
    train     updates of a 6x6 model at batch 64: Python / program within 2 %, by the times of log.jsonl
    one       a puzzle at a time in a loop of Python beside the calls of C that answer it: below 1.3,
              by a trm.Solver that stays, by a trm.Queue that stays, and by model.solve

The two sides take turns, and the figures are medians over the rounds, with the quartiles of the rounds'
ratios: when they are far apart, the machine is busy and the figure says nothing.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

PUZZLE = "26....3.........1.5...2.43.........5"
MISSED = []


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program", help="trm of the same build as the package's library")
    p.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    p.add_argument("--puzzles", type=int, default=512, help="of solve: so many more (default: %(default)s)")
    p.add_argument("--updates", type=int, default=100, help="of train, in a round (default: %(default)s)")
    p.add_argument("--only", default="import,solve,train,one", help="default: %(default)s")
    return p.parse_args()


def process(*command, **options):
    """Seconds of a whole process, and what it prints."""
    began = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    return time.perf_counter() - began, done.stdout


def turns(rounds, old, new):
    """(old, new) of every round, who begins takes turns, too."""
    found = []
    for i in range(rounds):
        pair = {}
        for side in ((old, new), (new, old))[i % 2]:
            pair[side] = side()
        found.append((pair[old], pair[new]))
    return found


def tell(what, pairs, unit, most):
    """Medians, and their ratio, which shall be at most so much."""
    old, new = (statistics.median(side) for side in zip(*pairs))
    each = sorted(b / a for a, b in pairs)
    low, high = each[len(each) // 4], each[(3 * len(each)) // 4]
    good = new / old <= most
    print(f"{what:28} {old * 1e3:9.3f} {new * 1e3:9.3f} ms {unit:12} ratio {new / old:6.3f} ({low:.3f} to {high:.3f}), "
          f"want {most:g} at most{'' if good else ': MISSED'}", flush=True)
    if not good:
        MISSED.append(what)


def measure_import(a):
    def starts(code):
        return min(process(sys.executable, "-c", code)[0] for _ in range(3))

    pairs = turns(a.rounds, lambda: starts("pass"), lambda: starts("import trm"))
    numpy = statistics.median(starts("import numpy") for _ in range(3)) - statistics.median(p[0] for p in pairs)
    took = statistics.median(b - a for a, b in pairs)
    print(f"{'import':28} {took * 1e3:9.1f} ms, of which NumPy {numpy * 1e3:.1f} ms; want 100 ms at most"
          f"{'' if took <= 0.1 else ': MISSED'}", flush=True)
    if took > 0.1:
        MISSED.append("import")


# The grids, with all that `trm solve` prints of them.
SOLVE = """
import sys, trm
lines = open(sys.argv[1]).read().split()
for answer in trm.load("sudoku6").solve(lines, rows=64, threads=1):
    print(answer.text, "valid:", answer.valid, "q", answer.confidence, "steps", answer.steps)
"""


def measure_solve(a):
    few, many = 64, 64 + a.puzzles
    for n in (few, many):
        with open(f"{n}.txt", "w") as file:
            file.write(f"{PUZZLE}\n" * n)

    def difference(command, *tail):
        (short, _), (long, _) = (process(*command, f"{n}.txt", *tail) for n in (few, many))
        return (long - short) / a.puzzles

    def by_program():
        return difference([a.program, "solve", "sudoku6"], "--threads", "1", "--device", "cpu")

    def by_python():
        return difference([sys.executable, "-c", SOLVE])

    tell("solve, program and Python", turns(a.rounds, by_program, by_python), "a puzzle", 1.02)


TRAIN = """
import sys, trm
trm.train(dict(s.split("=", 1) for s in sys.argv[1:]), progress=False)
"""


def measure_train(a):
    process(a.program, "data", "gen", "sudoku", "--size", "6", "--train", "1000", "--test", "10", "--output-dir", "data6")
    settings = ["preset=sudoku6", "data_paths=[data6]", "global_batch_size=64", f"max_updates={a.updates + 10}", "epochs=100000",
                "eval_interval=100000", "checkpoint_minutes=0", "threads=1", "device=cpu", "seed=0"]
    n = 0

    def update(*command):
        nonlocal n
        n += 1
        process(*command, *settings, f"checkpoint_path=run{n}")
        with open(f"run{n}/log.jsonl") as log:
            times = [line["time"] for line in map(json.loads, log) if "train/lm_loss" in line][9:]
        return (times[-1] - times[0]) / (len(times) - 1)

    tell("train, program and Python", turns(a.rounds, lambda: update(a.program, "train"),
                                            lambda: update(sys.executable, "-c", TRAIN)), "an update", 1.02)


def measure_one(a):
    import trm
    from trm import _c
    from trm._lib import lib

    model = trm.load("sudoku6")
    tokens, steps = model.puzzle.encode(PUZZLE), int(model.raw_config.halt_max_steps)
    solver, queue = trm.Solver(model, threads=1), trm.Queue(model, threads=1, rows=1)
    error = ctypes.byref(_c.trm_error())
    address, x = solver._handle.address, tokens.ctypes.data
    start, step, answer = lib.trm_solver_start, lib.trm_solver_step, lib.trm_solver_answer

    def in_c():
        """The calls of C and nothing else: what ctypes costs is a thousandth of a step."""
        start(address, 1, x, None, error)
        for _ in range(steps):
            step(address, error)
        answer(address)

    def by_solver():
        solver.start(PUZZLE)
        for _ in range(steps):
            solver.step()
        return solver.tokens

    def by_queue():
        [(_, found)] = queue.map([PUZZLE])
        return found.valid

    def by_solve():
        return model.solve(PUZZLE, threads=1).valid

    def seconds(work):
        """The least of 20: a neighbour disturbs single calls."""
        times = []
        for _ in range(20):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return min(times)

    for name, work in (("trm.Solver", by_solver), ("trm.Queue", by_queue), ("model.solve", by_solve)):
        tell(f"one, C and {name}", turns(a.rounds, lambda: seconds(in_c), lambda: seconds(work)), "a puzzle", 1.3)


def main():
    a = arguments()
    a.program = os.path.abspath(a.program)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
    for name in ("TRM_LIBRARY", "PYTHONPATH"):
        if name in os.environ:
            os.environ[name] = os.path.abspath(os.environ[name])
    known = {"import": measure_import, "solve": measure_solve, "train": measure_train, "one": measure_one}
    with tempfile.TemporaryDirectory(prefix="trm-speed-") as work:
        os.chdir(work)
        for name in a.only.split(","):
            known[name](a)
        os.chdir("/")
    sys.exit(bool(MISSED))


main()
