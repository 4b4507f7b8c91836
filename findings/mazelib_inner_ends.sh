#!/usr/bin/env bash
# A maze with a way through it that has no solution.
#
# Expected: mazelib's ShortestPath solver finds a path in every perfect maze, wherever its start and end
# are, as ShortestPaths and BacktrackingSolver do.
#
# Seen on 2026-11-29 with mazelib 0.9.16, numpy 2.3.5, Python 3.11: with start and end on the outer wall
# 60 of 60 mazes are solved. With both inside the maze, where data sets for models have them, the list
# of solutions is empty for 60 of 60, without an error, though ShortestPaths finds a path in each.
#
# Hurt: whoever drops the mazes without a solution drops all; whoever takes "no solution" for a label
# has the wrong one everywhere. A path, where there is one, never includes the start and the end.
#
# Instead: ShortestPaths, or a breadth-first search of one's own.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  mazelib==0.9.16 numpy==2.3.5 cython==3.3.1
"$dir/venv/bin/python" - <<'EOF'
import sys

from mazelib import Maze
from mazelib.generate.Prims import Prims
from mazelib.solve.ShortestPath import ShortestPath
from mazelib.solve.ShortestPaths import ShortestPaths

solved = {}
for place, outer in (("outer wall", True), ("inside", False)):
    for solver in (ShortestPath, ShortestPaths):
        count = 0
        for seed in range(60):
            maze = Maze(seed)
            maze.generator = Prims(6, 6)
            maze.generate()
            maze.generate_entrances(outer, outer)
            maze.solver = solver()
            maze.solve()
            count += len(maze.solutions) > 0
        solved[place, solver.__name__] = count
        print(f"start and end {place}, {solver.__name__}: {count} of 60 solved")
if list(solved.values()) != [60, 60, 0, 60]:
    sys.exit("this has changed")
EOF
