"""Sudokus: files as packages of PyPI and programs of Debian write them (those that are installed), read
by trm sudoku solve and trm data build; and what trm prints, read by them."""

import csv
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
from trying import WORK, finish, tried, trm

PUZZLES = [
    "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79",
    "..............3.85..1.2.......5.7.....4...1...9.......5......73..2.1........4...9",
    "1.......2.9.4...5...6...7...5.9.3.......7.......85..4.7.....6...3...9.8...2.....1",
]

def version(name):
    return f"{name} {importlib.metadata.version(name)}"


def solved(puzzle):
    code, out, err = trm("sudoku", "solve", "--puzzle", puzzle)
    assert code == 0, err
    return out.split()[0]


def read(name, *options, code=0):
    """The puzzles of a file as trm sees them, and what it says."""
    got, out, err = trm("sudoku", "rate", "--json", name, *options)
    puzzles = [json.loads(line).get("puzzle") for line in out.splitlines()]
    return (puzzles if got == code else None), err


def check(form, program, name, want, *options):
    got, err = read(name, *options)
    built, _, said = trm("data", "build", "sudoku", "--input", name, "--output-dir", "built",
                         "--skip-invalid", *options)
    shutil.rmtree(WORK / "built", ignore_errors=True)
    tried(form, program, got == want and built == 0, f"{got}\n{err}{said}")


def grid(puzzle):
    size = int(len(puzzle) ** 0.5)
    return [[0 if c == "." else int(c) for c in puzzle[r * size:][:size]] for r in range(size)]


def run(*args, stdin=None):
    return subprocess.run(args, input=stdin, capture_output=True, text=True, check=True).stdout


SOLUTIONS = [solved(p) for p in PUZZLES]
ZEROS = [p.replace(".", "0") for p in PUZZLES]
PANDAS = version("pandas")
table = pd.DataFrame({"quizzes": ZEROS, "solutions": SOLUTIONS})

# --- tables ---
table.to_csv(WORK / "kaggle.csv", index=False)
check("CSV quizzes,solutions", PANDAS, "kaggle.csv", PUZZLES)
named = pd.DataFrame({"Puzzle": PUZZLES, "Solution": SOLUTIONS, "clues": 30, "difficulty": 1.5})
named.to_csv(WORK / "index.csv", sep=";")
check("CSV index;Puzzle;Solution;clues;difficulty", PANDAS, "index.csv", PUZZLES)
named.to_csv(WORK / "bom.csv", sep="\t", index=False, encoding="utf-8-sig", lineterminator="\r\n")
check("tabs, byte order mark, CR LF", PANDAS, "bom.csv", PUZZLES)
table.to_csv(WORK / "plain.csv", index=False, header=False)
check("CSV without a header", PANDAS, "plain.csv", PUZZLES)
table.rename(columns={"quizzes": "start", "solutions": "end"}).to_csv(WORK / "other.csv", index=False)
check("CSV with other names, --columns", PANDAS, "other.csv", PUZZLES, "--columns", "start,end")
with open(WORK / "quoted.csv", "w", newline="") as f:
    csv.writer(f, quoting=csv.QUOTE_ALL).writerows([["note", "puzzle"]] + [['a, "b"\nc', p] for p in PUZZLES])
check("CSV, everything quoted, line ends in quotes", "Python's csv", "quoted.csv", PUZZLES)

with open(WORK / "excel.csv", "w", newline="") as f:
    rows = [["Puzzle", "Solution"], ["", ""]]
    for puzzle, solution in zip(PUZZLES, SOLUTIONS):
        rows += [[f'="{puzzle}"', f"'{solution}"], ["", ""]]
    csv.writer(f, dialect="excel", delimiter=";").writerows(rows)
check("empty rows, =\"...\" and '", "Python's csv (excel)", "excel.csv", PUZZLES)
for sep, header in [(";", ["Question", " ANSWER "]), ("\t", ["input", "output"])]:
    mazes = pd.DataFrame({header[0]: ["S G", None, "G S"], header[1]: ["SoG", None, "GoS"]})
    mazes.to_csv(WORK / "mazes.csv", sep=sep, index=False)
    _, out, err = trm("data", "build", "maze", "--input", "mazes.csv", "--output-dir", "mazes", "--rows", 1,
                      "--cols", 3)
    tried(f"mazes, separated by {sep!r}, an empty row", PANDAS, "mazes/train: 2 puzzles" in out, out + err)
    _, out, err = trm("data", "build", "grid", "--input", "mazes.csv", "--output-dir", "grids", "--rows", 1,
                      "--cols", 3)
    tried(f"grids, separated by {sep!r}, an empty row", PANDAS, "grids/train: 2 puzzles" in out, out + err)

# --- grids ---
NUMPY = version("numpy")
np.savetxt(WORK / "grid.txt", np.array(grid(PUZZLES[0])), fmt="%d")
check("nine lines of numbers", NUMPY, "grid.txt", PUZZLES[:1])
np.savetxt(WORK / "commas.txt", np.array(grid(PUZZLES[0])), fmt="%d", delimiter=",")
check("nine lines of numbers, commas", NUMPY, "commas.txt", PUZZLES[:1])
sixteen = np.array([[(r % 4 * 4 + r // 4 + c) % 16 + 1 if (r + c) % 5 else 0 for c in range(16)] for r in range(16)])
np.savetxt(WORK / "sixteen.txt", sixteen, fmt="%d")
text = "".join(".123456789ABCDEFG"[v] for v in sixteen.flat)
check("sixteen lines of numbers up to 16", NUMPY, "sixteen.txt", [text])
(WORK / "list.json").write_text(json.dumps(grid(PUZZLES[0])))
check("a list of lists", "Python's json", "list.json", PUZZLES[:1])
for indent in (1, 4):
    (WORK / "indented.json").write_text(json.dumps(grid(PUZZLES[0]), indent=indent))
    check(f"a list of lists, indent={indent}", "Python's json", "indented.json", PUZZLES[:1])
blanks = [[v or None for v in row] for row in grid(PUZZLES[1])]
(WORK / "several.json").write_text(json.dumps([blanks, grid(PUZZLES[2])], indent=2))
check("a list of grids, null as blanks", "Python's json", "several.json", PUZZLES[1:])
(WORK / "texts.json").write_text(json.dumps(PUZZLES))
check("a list of puzzles as texts", "Python's json", "texts.json", PUZZLES)
(WORK / "tolist.json").write_text(json.dumps(np.array(grid(PUZZLES[0]), float).tolist(), indent=1))
check("numpy's tolist, floats", NUMPY, "tolist.json", PUZZLES[:1])
pd.DataFrame(grid(PUZZLES[0])).to_json(WORK / "values.json", orient="values", indent=1)
check("to_json(orient='values')", PANDAS, "values.json", PUZZLES[:1])

sys.path.pop(0)  # py-sudoku's module has this file's name
from sudoku import Sudoku as PySudoku  # noqa: E402

picture = str(PySudoku(3, 3, board=[[v or None for v in row] for row in grid(PUZZLES[0])]))
(WORK / "picture.txt").write_text(picture)
check("a picture, blanks are spaces", version("py-sudoku"), "picture.txt", PUZZLES[:1])
small = PySudoku(3, 2, seed=5).difficulty(0.5)
(WORK / "small.txt").write_text(str(small))
want = "".join(str(v or ".") for row in small.board for v in row)
tried("a picture of 6x6", version("py-sudoku"), read("small.txt")[0] == [want], read("small.txt"))

from sudokutools.solve import init_candidates  # noqa: E402
from sudokutools.sudoku import Sudoku as Tools, view  # noqa: E402

TOOLS = version("sudokutools")
tools = Tools.decode(PUZZLES[0], empty=".")
(WORK / "view.txt").write_text(str(tools))
check("a picture without outer bars", TOOLS, "view.txt", PUZZLES[:1])
init_candidates(tools)
(WORK / "candidates.txt").write_text(view(tools, include_candidates=True))
check("candidates behind '*'", TOOLS, "candidates.txt", PUZZLES[:1])
(WORK / "encoded.txt").write_text(tools.encode(include_candidates=True) + "\n")
check("a puzzle with candidates behind it", TOOLS, "encoded.txt", PUZZLES[:1])

# --- what trm prints ---
from dokusan import boards, solvers  # noqa: E402

for puzzle, solution in zip(PUZZLES, SOLUTIONS):
    board = boards.Sudoku.from_string(puzzle, box_size=boards.BoxSize(3, 3))
    tried("trm's solution", version("dokusan"), str(solvers.backtrack(board)) == solution, solution)

from hodoku.api import Solver  # noqa: E402

valid = [trm("sudoku", "rate", "--json", "--puzzle", p) for p in (PUZZLES[0], PUZZLES[0].replace("5", "."))]
counts = [json.loads(out)["solutions"] for _, out, _ in valid]
from hodoku.api import Generator  # noqa: E402

said = [Generator().validate(p) for p in (PUZZLES[0], PUZZLES[0].replace("5", "."))]
tried("whether there is one solution", version("hodoku-py"),
      said == [{1: "valid", 0: "invalid", 2: "multiple"}[n] for n in counts], f"{said} {counts}")
easy = Solver().solve(PUZZLES[0])
_, out, _ = trm("sudoku", "rate", "--json", "--puzzle", PUZZLES[0])
tried("whether singles suffice", version("hodoku-py"),
      json.loads(out)["singles_suffice"] == all("SINGLE" in s.type.name or "FULL_HOUSE" in s.type.name
                                                for s in easy.steps), out)

# --- programs of Debian ---
if shutil.which("qqwing"):
    QQWING = run("qqwing", "--version").strip()
    for option, form in [("--one-line", "a puzzle a line"), ("--compact", "nine lines"),
                         ("--readable", "a picture"), ("--csv", "CSV Puzzle,Solution,")]:
        text = run("qqwing", "--generate", "3", option, *(["--solution"] if option == "--csv" else []))
        (WORK / "qqwing.txt").write_text(text)
        cells = re.sub(r"[^0-9.\n]" if option != "--csv" else r",.*|[^0-9.\n]", "", text)
        flat = "".join(cells.split())
        check(form, QQWING, "qqwing.txt", [flat[i:i + 81] for i in range(0, len(flat), 81)])
    answers = "\n".join(SOLUTIONS) + "\n"
    again = run("qqwing", "--solve", "--one-line", stdin="\n".join(PUZZLES) + "\n").split()
    tried("trm's solutions", QQWING, again == SOLUTIONS, again)
else:
    print("skipped: no qqwing (package qqwing)")

SOLO = shutil.which("sgt-solo") or shutil.which("/usr/games/sgt-solo")
if SOLO:
    SGT = "sgt-puzzles " + run("dpkg-query", "-W", "-f", "${Version}", "sgt-puzzles")
    for parameters in ["3x3", "2x3", "3x2", "2x2", "4x4", "2x4"]:
        text = run(SOLO, "--generate", "2", parameters)
        (WORK / "solo.txt").write_text(text)
        got, err = read("solo.txt")
        code, out, _ = trm("sudoku", "solve", "solo.txt")
        tried(f"game ids of {parameters}", SGT, bool(got) and len(got) == 2 and code == 0, f"{got} {err}{out}")
    for parameters, why in [("3x3kdu", "Killer"), ("3jdt", "jigsaw"), ("3x3xdt", "X Sudoku")]:
        (WORK / "solo.txt").write_text(run(SOLO, "--generate", "1", parameters))
        code, _, err = trm("sudoku", "solve", "solo.txt")
        tried(f"game ids of {parameters}, refused by name", SGT, code == 3 and why in err, err)
else:
    print("skipped: no sgt-solo (package sgt-puzzles)")
finish()
