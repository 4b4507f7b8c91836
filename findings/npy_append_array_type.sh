#!/usr/bin/env bash
# Growing an .npy file beyond the type of its first part.
#
# Expected: appending numbers that do not fit is refused, or the file gets a larger type, as
# numpy.concatenate would choose.
#
# Seen on 2026-11-29 with npy-append-array 0.9.19, numpy 2.3.5, Python 3.11: the first part decides the
# type, and later ones are cast to it without a word. Puzzle ids 0 to 3 as uint8, then 254 to 257 as
# int64, read back as 0 1 2 3 254 255 0 1; 0.5 appended to integers reads back as 0.
#
# Hurt: ids of puzzles that are streamed in the smallest type that held the first chunk: from the 257th
# on, puzzles share the embeddings of others. Loss and accuracy only look somewhat worse.
#
# Instead: give the first part the type that the last one needs. trm refuses ids that are out of range,
# but these are in range.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check npy-append-array==0.9.19 numpy==2.3.5
"$dir/venv/bin/python" - "$dir" <<'EOF'
import sys

import numpy as np
from npy_append_array import NpyAppendArray


def grown(name, *parts):
    path = f"{sys.argv[1]}/{name}.npy"
    with NpyAppendArray(path) as file:
        for part in parts:
            file.append(part)
    return np.load(path)


ids = grown("ids", np.arange(4, dtype=np.uint8), np.arange(254, 258))
halves = grown("halves", np.arange(2), np.array([0.5]))
print("ids", ids.dtype, ids.tolist())
print("halves", halves.dtype, halves.tolist())
if ids.tolist() != [0, 1, 2, 3, 254, 255, 0, 1] or halves.tolist() != [0, 1, 0]:
    sys.exit("this has changed")
EOF
