#!/usr/bin/env bash
# Jobs that fail, and null, in sweeps by two plug-ins of Hydra.
#
# Expected: a sweep with a job that raises says so and ends with an error, as Hydra's own sweeper does;
# and null in a list of values is null.
#
# Seen on 2026-11-29 with hydra-list-sweeper 1.1.0, hydra-experiment-sweeper 0.1.1, hydra-core 1.3.8,
# Python 3.11: launchers hand an exception back as the job's result, for the sweeper to look at, and
# neither of the two does. Of three jobs the second raises: the sweep ends with code 0, and no stream
# and no log holds a word of it. hydra-list-sweeper also writes null as None, which Hydra's grammar
# reads as the text "None": true in any condition, and not equal to None.
#
# Hurt: ablations. A row that diverged, or was out of memory, looks like one that has run, and scripts
# go on; and "cap: [null, 16]" compares a cap of "None" with one of 16.
#
# Instead: Hydra's basic sweeper, where the values are a product, which takes null and tells of
# failures; otherwise a mark that a job writes when it is done, counted after the sweep.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  hydra-list-sweeper==1.1.0 hydra-experiment-sweeper==0.1.1 hydra-core==1.3.8 more-itertools==11.2.1
cd "$dir"
cat > job.py <<'EOF'
import hydra


@hydra.main(version_base=None, config_path=".", config_name="job")
def main(config):
    if config.seed == 1:
        raise FloatingPointError("diverged")
    with open("results.txt", "a") as file:
        print(config.seed, repr(config.cap), file=file)


main()
EOF
printf 'seed: 0\ncap: 8\n' > job.yaml

# sweep NAME ARGUMENT…: what a sweep by the sweeper NAME ends with, says of the failure, and has run.
sweep() {
  local code=0 told
  rm -f results.txt
  venv/bin/python -W ignore job.py --multirun hydra/sweeper="$1" hydra.sweep.dir="out/$1" "${@:2}" \
    > said.txt 2>&1 || code=$?
  if cat said.txt out/"$1"/*/job.log | grep -q diverged; then told=yes; else told=no; fi
  echo "$1: code $code, told: $told, done: $(paste -sd ';' results.txt)"
}

{
  sweep basic seed=0,1,2 cap=null
  sweep list '+hydra.sweeper.list_params={seed: [0, 1, 2], cap: [null, 4, 16]}'
  sweep experiment '+hydra.sweeper.overrides={seed: [0, 1, 2], cap: [null]}'
} | tee seen.txt
diff seen.txt - <<'EOF' || { echo "this has changed"; exit 1; }
basic: code 1, told: yes, done: 0 None;2 None
list: code 0, told: no, done: 0 'None';2 16
experiment: code 0, told: no, done: 0 None;2 None
EOF
