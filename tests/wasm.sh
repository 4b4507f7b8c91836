#!/usr/bin/env bash
# The solver for web pages, for scripts/check: builds it, and the programs that write the numbers that it
# is compared with and pages with it, and runs tests/wasm.mjs and page/test_static.py; WASM_PAGE=tried: not
# the latter, which the preset release has as its test page_static. Exit code 77: its tools are not there.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v node >/dev/null || { echo "skipped: wasm: no node (package nodejs)"; exit 77; }
command -v clang >/dev/null && command -v wasm-ld >/dev/null ||
  { echo "skipped: wasm: no clang and wasm-ld (packages clang, lld)"; exit 77; }
echo '#include <stdlib.h>' | clang --target=wasm32-wasi -fsyntax-only -x c - 2>/dev/null ||
  { echo "skipped: wasm: no C library for wasm32 (package wasi-libc)"; exit 77; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for build in "wasm" "release trm wasm_answers"; do
  scripts/build $build >"$log" 2>&1 || { cat "$log"; exit 1; }
done
WEB=build/wasm/web ANSWERS=build/release/tests/wasm_answers TRM=build/release/trm \
  node --test tests/wasm.mjs
[ "${WASM_PAGE:-}" = tried ] || python3 -B tests/page/test_static.py build/release/trm || [ $? -eq 77 ]
