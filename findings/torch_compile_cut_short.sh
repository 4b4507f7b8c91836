#!/usr/bin/env bash
# A torch.compile that was killed, and all that come after it.
#
# Expected: what a killed process was compiling is compiled again by the next one.
#
# Seen on 2026-11-30 with torch 2.15.0, Python 3.11, g++ 12, on a CPU: g++ writes where the cache looks
# (TORCHINDUCTOR_CACHE_DIR, else /tmp/torchinductor_USER), and a file that exists counts as compiled. A
# process that is killed while the linker works leaves an empty X.main.so; from then on every process that
# compiles the same code ends with "ImportError: X.main.so: file too short", until somebody removes the
# folder. Reports of this message are told that it cannot be reproduced.
#
# Hurt: jobs with a time limit, out of memory or stopped by Ctrl-C, whose restart fails as all do after it;
# so did bench/versus.
#
# Instead: a cache folder of each run's own, or one that is thrown away unless the last run ended well.
#
# The compiler here is a script around g++ that, told so, stops where the linker has opened its file:
# it leaves that empty and kills the process that called.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/cxx" <<'EOF'
#!/usr/bin/env bash
for ((i = 1; i < $#; i++)); do
  [ "${!i}" = -o ] || continue
  next=$((i + 1))
  if [ -n "${KILLED:-}" ] && [[ ${!next} = *.main.so ]]; then
    : > "${!next}"
    kill -KILL "$CALLER"
    exit 1
  fi
done
exec g++ "$@"
EOF
chmod +x "$dir/cxx"
cat > "$dir/try.py" <<'EOF'
import os

os.environ["CALLER"] = str(os.getpid())
import torch

x = torch.linspace(-1, 1, 1000)
print("equal:", torch.allclose(torch.compile(lambda t: t.sin() * t.exp())(x), x.sin() * x.exp()))
EOF
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
export CXX="$dir/cxx" TORCHINDUCTOR_CACHE_DIR="$dir/cache" TORCHINDUCTOR_COMPILE_THREADS=1

seen() {
  "$dir/venv/bin/python" "$dir/try.py" > "$dir/log" 2>&1 || true
  grep -oE 'equal: True|file too short' "$dir/log" | tail -1 || echo killed
}
first=$(KILLED=yes seen 2>/dev/null) second=$(seen) third=$(seen)
rm -rf "$dir/cache"
fresh=$(seen)
echo "killed while it links: $first; after that: $second; again: $third; with the folder removed: $fresh"
[ "$first; $second; $third; $fresh" = "killed; file too short; file too short; equal: True" ] ||
  { echo "this has changed" >&2; exit 1; }
