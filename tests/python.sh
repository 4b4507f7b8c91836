#!/usr/bin/env bash
# Builds the wheel of the Python package, installs it in a fresh environment and runs its tests and
# the example there. Exit code 77, with the reason, where there is no Python or no package index.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "python: $*" >&2; exit 1; }

python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || skip "no Python 3.9 or newer here"
python3 -m venv "$work/env" >/dev/null 2>&1 || skip "python3 has no venv here (Debian: python3-venv)"
pip="$work/env/bin/pip --disable-pip-version-check --quiet"
$pip install 'scikit-build-core>=0.10' numpy pytest hypothesis mypy >"$work/log" 2>&1 ||
  { tail -3 "$work/log"; skip "the packages that it is built and tested with cannot be had here"; }
# What other programs' files are tried with, of which not every Python has a wheel: what is missing is skipped by
# name.
for package in tensorboard safetensors huggingface_hub onnx onnxruntime openvino; do
  $pip install --only-binary :all: "$package" >"$work/log" 2>&1 || echo "python: no $package here"
done

# The wheel: one for every Python, small, and all that is in it.
if ccache --show-stats >/dev/null 2>&1; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$root
fi
$pip wheel . --no-deps --no-build-isolation --wheel-dir "$work" >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; fail "the wheel cannot be built"; }
wheel=$(echo "$work"/trm_solver-*-py3-none-*.whl)
[ -f "$wheel" ] || fail "no wheel for every Python 3: $wheel"
[ "$(stat -c %s "$wheel")" -lt 4000000 ] || fail "the wheel is larger than 4 MB"
$pip install --no-deps "$wheel"

# Its tests, away from the sources, so that what was installed is what runs; then the types.
cd "$work"
env -u TRM_LIBRARY -u TRM_MODELS -u PYTHONPATH "$work/env/bin/python" -m pytest \
  -c "$root/pyproject.toml" --rootdir "$root" -p no:cacheprovider "$root/python/tests" || fail "its tests fail"
env -u TRM_LIBRARY -u TRM_MODELS -u PYTHONPATH "$work/env/bin/python" "$root/examples/python/first_steps.py" \
  >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "examples/python/first_steps.py fails"; }
cd "$root"
"$work/env/bin/mypy" --cache-dir "$work/mypy" --python-executable "$work/env/bin/python" -p trm >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; fail "its types do not hold"; }
echo "python: $(basename "$wheel"), $(stat -c %s "$wheel") bytes, built and tried"
