#!/usr/bin/env bash
# Makes the packages (scripts/package --try: what is in them counts here, and that it runs, not how
# fast) and tries each as its user would: unpacks it, has the program list its models and solve a
# puzzle, and looks at what must be there and what must not.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "packages: $*" >&2; exit 1; }

scripts/package --try >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "scripts/package --try failed"; }
mapfile -t made < <(grep '^/' "$work/log")
[ ${#made[@]} -eq 5 ] || fail "want five packages, found: ${made[*]}"

# try FOLDER: the program below it, which must not see the models of anybody else.
try() {
  local trm=$1/bin/trm
  [ -x "$trm" ] || fail "no program in $1"
  "$trm" --version >"$work/version"
  (cd "$work" && env -u TRM_MODELS "$trm" models --names >"$work/names" 2>/dev/null)
  [ "$(cd models && ls ./*.safetensors 2>/dev/null | sed 's/^..//; s/\.safetensors$//' | sort)" = "$(sort "$work/names")" ] ||
    fail "$1: other models than those of the source tree"
  if scripts/setup wasm >/dev/null 2>&1; then # then the program has the solver for web pages
    env -u TRM_MODELS "$trm" page "$1/site" >/dev/null || fail "$1: no page"
    [ -s "$1/site/trm.wasm" ] || fail "$1: a page without its module"
  fi
  if grep -qx sudoku9 "$work/names"; then
    env -u TRM_MODELS "$trm" solve sudoku9 --check --puzzle \
      53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79 >/dev/null ||
      fail "$1: no valid answer"
  fi
}

for file in "${made[@]}"; do
  folder=$work/$(basename "$file")
  mkdir "$folder"
  case $file in
  *.tar.gz)
    tar -xzf "$file" -C "$folder" --strip-components=1
    try "$folder"
    ;;
  *.deb)
    dpkg-deb -x "$file" "$folder"
    [ -z "$(find "$folder" -path "$folder/etc")" ] || fail "$file: has configuration files"
    name=$(dpkg-deb -f "$file" Package)
    for each in copyright changelog.Debian.gz; do
      [ -s "$folder/usr/share/doc/$name/$each" ] || fail "$file: no $each"
    done
    ;;
  esac
  case $file in
  *-static.tar.gz)
    grep -q 'loads no plug-ins' "$work/version" || fail "the static program does not say so"
    if readelf -d "$folder/bin/trm" | grep -q NEEDED; then fail "$file: the program needs shared libraries"; fi
    ;;
  */trm_*.deb)
    try "$folder/usr"
    depends=$(dpkg-deb -f "$file" Depends)
    for each in libc6 libyaml-0-2 zlib1g; do
      [[ " $depends" = *" $each"* ]] || fail "$file: does not depend on $each: $depends"
    done
    ;;
  esac
done
echo "packages: ${#made[@]} made and tried"
