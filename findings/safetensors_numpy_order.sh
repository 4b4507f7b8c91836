#!/usr/bin/env bash
# Transposed NumPy arrays in safetensors files.
#
# Expected: safetensors.numpy.save_file writes the array, as numpy.save does, or refuses a view, as
# safetensors.torch does.
#
# Seen on 2026-11-29, Python 3.11, numpy 2.3.5: up to safetensors 0.7.0 it does. 0.8.0 writes the memory
# in the order in which it lies, beside the shape of the view, without a word: a transposed or
# Fortran-ordered matrix comes back with the right shape and its values at other places, and of a view
# with steps the neighbours come back. Reported to its authors in August 2026.
#
# Hurt: weights that are transposed on the way, as from JAX's [in, out] to the [out, in] of torch and of
# trm: square matrices load everywhere and the model guesses.
#
# Instead: numpy.ascontiguousarray on each value. No reader can notice: the file is valid.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/try.py" <<'EOF'
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

matrix = np.arange(16, dtype=np.float32).reshape(4, 4)
views = {"plain": matrix, "transposed": matrix.T, "fortran": np.asfortranarray(matrix),
         "stepped": matrix[:, ::2]}
save_file(views, sys.argv[1])
read = load_file(sys.argv[1])
print(*(key for key in views if (read[key] == views[key]).all()))
EOF
python3 -m venv "$dir/venv"
for version in 0.7.0 0.8.0; do
  "$dir/venv/bin/pip" install --quiet --disable-pip-version-check "safetensors==$version" numpy==2.3.5
  seen=$("$dir/venv/bin/python" "$dir/try.py" "$dir/views.safetensors")
  echo "safetensors $version gives back: $seen"
  [ "$version" = 0.7.0 ] && expected="plain transposed fortran stepped" || expected=plain
  [ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
done
