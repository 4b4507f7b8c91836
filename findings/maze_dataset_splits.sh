#!/usr/bin/env bash
# Training and test mazes that are the same mazes.
#
# Expected: two sets of maze-dataset with different names, "train" and "test", hold different mazes.
#
# Seen on 2026-11-29 with maze-dataset 1.4.2, muutils 0.8.12, numpy 2.4.6, Python 3.11: every
# configuration has the same default seed, and nothing else decides. The 50 mazes of "test" are the
# first 50 of the 200 of "train", walls, start and end. (With muutils 0.9.1, which a fresh install
# takes, the package cannot be imported: a name that it needs is gone.)
#
# Hurt: an accuracy on "test" is one on training mazes.
#
# Instead: a seed for each split (seed=… in MazeDatasetConfig), or one set that is cut in two; then
# count what both have in common, as `trm data info` does.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  maze-dataset==1.4.2 muutils==0.8.12 zanj==0.6.0 numpy==2.4.6
"$dir/venv/bin/python" -W ignore - <<'EOF'
import sys

from maze_dataset import MazeDataset, MazeDatasetConfig
from maze_dataset.generation import LatticeMazeGenerators


def mazes(name, count, **seed):
    config = MazeDatasetConfig(name=name, grid_n=5, n_mazes=count,
                               maze_ctor=LatticeMazeGenerators.gen_dfs, **seed)
    made = MazeDataset.from_config(config, do_download=False, load_local=False, save_local=False)
    return [(m.connection_list.tobytes(), *m.start_pos.tolist(), *m.end_pos.tolist()) for m in made]


train, test, other = mazes("train", 200), mazes("test", 50), mazes("test", 50, seed=7)
print("different training mazes:", len(set(train)))
print("test mazes among them:", sum(maze in set(train) for maze in test), "of 50")
print("with a seed of its own:", sum(maze in set(train) for maze in other), "of 50")
if test != train[:50] or set(other) & set(train):
    sys.exit("this has changed")
EOF
