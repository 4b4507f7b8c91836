#!/usr/bin/env bash
# A stream of transposed grids into one .npy file.
#
# Expected: what is written to an NpyFile slice by slice is what numpy.load gives back.
#
# Seen on 2026-11-29 with npyfile 1.0.0, numpy 2.3.5, Python 3.11: not if the slices are Fortran-
# ordered, as every transposed view is. Each slice is written column by column and the header calls
# the whole file Fortran-ordered, which means that the first index, the slice's number, runs fastest.
# The file loads without a word, has the right shape and every value of the input, but the grids are
# mixed: of the four below 8 of 324 cells are where they were written. C-ordered slices are right.
#
# Hurt: an augmented data set (grid.T is one of the eight symmetries) whose puzzles are noise.
#
# Instead: numpy.ascontiguousarray(slice) before each write. trm reads such a file as numpy does;
# `trm data verify` notices where the puzzles have rules.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check npyfile==1.0.0 numpy==2.3.5
"$dir/venv/bin/python" - "$dir" <<'EOF'
import sys

import numpy as np
from npyfile import NpyFile


def written(name, grids):
    path = f"{sys.argv[1]}/{name}.npy"
    with NpyFile(path) as file:
        for grid in grids:
            file.write(grid)
    return np.load(path)


random = np.random.default_rng(0)
grids = [random.permutation(81).reshape(9, 9) for _ in range(4)]
turned = [grid.T for grid in grids]

plain, transposed = written("plain", grids), written("transposed", turned)
in_place = int((transposed == np.stack(turned)).sum())
print("plain grids come back:", bool((plain == np.stack(grids)).all()))
print(f"transposed grids: shape {transposed.shape}, {in_place} of {transposed.size} cells in place")
same_values = sorted(transposed.ravel()) == sorted(np.stack(turned).ravel())
if (not (plain == np.stack(grids)).all() or transposed.shape != (4, 9, 9)
        or not same_values or in_place != 8):
    sys.exit("this has changed")
EOF
