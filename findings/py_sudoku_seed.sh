#!/usr/bin/env bash
# Random Sudokus that are one Sudoku.
#
# Expected: without a seed, Sudoku(3).difficulty(0.5) is another puzzle at each call.
#
# Seen on 2026-11-29 with py-sudoku 2.0.0, Python 3.11: all 50 calls of a process give one puzzle. The
# default seed is drawn once, when the module is imported; and since it goes to Python's global
# generator, every random.random() after a new Sudoku is the same number, too. Another process has
# another puzzle, so a look at two runs shows nothing.
#
# Hurt: a data set that is made in a loop is one puzzle, N times; its test split is its training split,
# and a shuffle between two puzzles always shuffles alike.
#
# Instead: a seed of one's own for each puzzle, Sudoku(3, seed=k), and a random.Random of one's own for
# everything else. (Of those puzzles, get_difficulty() == -3 says which have several solutions.)
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check py-sudoku==2.0.0
cat > "$dir/try.py" <<'EOF'
import random

from sudoku import Sudoku

puzzles, numbers = set(), set()
for _ in range(50):
    puzzles.add(str(Sudoku(3).difficulty(0.5).board))
    numbers.add(random.random())
seeded = {str(Sudoku(3, seed=k).difficulty(0.5).board) for k in range(50)}
print(len(puzzles), len(numbers), len(seeded))
EOF
seen=$("$dir/venv/bin/python" "$dir/try.py")
echo "of 50, without a seed: different puzzles, different numbers; with seeds, different puzzles: $seen"
[ "$seen" = "1 1 50" ] || { echo "this has changed" >&2; exit 1; }
