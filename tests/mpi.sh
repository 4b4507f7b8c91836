#!/usr/bin/env bash
# mpi.sh TRM WORK EXCHANGE MPIEXEC: the program under a real process manager, where libtrm-mpi.so was built and one is
# installed. Runs of 1, 2 and 4 ranks end in the files of one process; so does one of which a rank was
# killed, with another number of ranks; an evaluation reports the same; who has another ISA is refused.
# Ends with 77 where there is no mpirun. What needs no MPI: test_ranks, test_program_ranks.
set -euo pipefail
trm=$1 work=$2 exchange=$3 mpirun=${4:-mpirun}
command -v "$mpirun" >/dev/null || { echo "skipped: no mpirun (package openmpi-bin)"; exit 77; }
options=()
if "$mpirun" --version 2>&1 | grep -qi "Open MPI\|OpenRTE"; then
  options=(--oversubscribe)
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
rm -rf "$work" && mkdir -p "$work" && cd "$work"
unset TRM_PLUGINS

fail() { echo "mpi.sh: $*" >&2; exit 1; }
ranks() { # N COMMAND ...
  local n=$1 rc=0
  shift
  timeout 240 "$mpirun" "${options[@]}" -n "$n" "$trm" "$@" >out.txt 2>err.txt || rc=$?
  return $rc
}
same() { # RUN
  local file
  for file in trainer.safetensors model.safetensors; do
    cmp "runs/Data4-trm/one/step_$last/$file" "runs/Data4-trm/$1/step_$last/$file" || fail "$1 has another $file"
  done
}

last=30
"$trm" data gen sudoku --size 4 --train 60 --test 20 --output-dir data4 >/dev/null 2>&1
train=(preset=sudoku4 "data_paths=[data4]" out=runs arch.hidden_size=32 arch.H_cycles=2 arch.L_cycles=2
  arch.halt_max_steps=3 global_batch_size=16 epochs=1000 lr=1e-3 threads=1 checkpoint_interval=5)
TRM_MPI=off "$trm" train "${train[@]}" max_updates=$last +run_name=one >/dev/null 2>&1

for n in 1 2 4; do
  ranks $n train "${train[@]}" max_updates=$last +run_name=ranks$n || { cat err.txt; fail "$n ranks fail"; }
  same ranks$n
  [ $n = 1 ] || grep -q "^ranks  *$n, which share" out.txt || fail "$n ranks are not told of"
done

# A run of two ranks that has a checkpoint, and goes on.
start_long() { # RUN: in the background, as $job
  "$mpirun" "${options[@]}" -n 2 "$trm" train "${train[@]}" max_updates=100000 +run_name=$1 >out.txt 2>&1 &
  job=$!
  for _ in $(seq 1200); do [ -e runs/Data4-trm/$1/last ] && return; sleep 0.1; done
  cat out.txt; fail "$1 makes no checkpoint"
}
find_rank() { # RANK RUN
  local process
  for process in /proc/[0-9]*; do
    grep -qz "^OMPI_COMM_WORLD_RANK=$1$\|^PMI_RANK=$1$" "$process/environ" 2>/dev/null || continue
    tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -q "train .*$2" && echo "${process#/proc/}" && return
  done
  return 1
}
ended() { # $code: that of $job
  code=0
  wait $job || code=$?
}
goes_on() { # RUN RANKS: to the bytes of one process
  local so_far
  so_far=$(sed 's/step_//' runs/Data4-trm/$1/last)
  [ "$so_far" -lt $last ] || last=$(((so_far / 5 + 1) * 5))
  ranks $2 train --resume runs/Data4-trm/$1 max_updates=$last || { cat err.txt; fail "$1 does not go on"; }
  TRM_MPI=off "$trm" train --resume runs/Data4-trm/one max_updates=$last >/dev/null 2>&1
  same $1
}

# A rank that is killed: the process manager ends the job, and the run goes on. More rounds, at random
# moments (docs/RELIABILITY.md): TEST_ROUNDS.
RANDOM=${TEST_SEED:-1}
for round in $(seq 0 $((${TEST_ROUNDS:-2} - 1))); do
  run=killed$round victim=$((round % 2))
  start_long $run
  sleep 0.$((RANDOM % 90 + 10))
  process=$(find_rank $victim +run_name=$run) || fail "rank $victim of $run is not to be found"
  kill -9 $process
  ended
  [ $code != 0 ] || fail "a job without a rank ends well"
  grep -qi "kill\|signal 9\|is gone" out.txt || { cat out.txt; fail "nobody says that a rank was killed"; }
  goes_on $run $((1 << round % 3))
done

# A run that is asked to stop: all save, and the process manager hands on their exit code; that of
# Open MPI has one of its own unless the signal is one that it forwards.
for signal in USR1 INT TERM; do
  start_long stopped$signal
  kill -$signal $job
  ended
  want=130
  [ ${#options[@]} = 0 ] || [ $signal = USR1 ] || want=1
  [ $code = $want ] || { cat out.txt; fail "$signal: exit code $code, want $want"; }
  goes_on stopped$signal 2
done

# The same report, and refusals that reach the user.
"$trm" eval runs/Data4-trm/one data4 --json --save-preds one.npy >one.json 2>/dev/null
ranks 4 eval runs/Data4-trm/one data4 --json --save-preds four.npy || { cat err.txt; fail "eval"; }
cmp one.json out.txt && cmp one.npy four.npy || fail "four ranks report otherwise"
ranks 3 train "${train[@]}" +run_name=three && fail "three ranks train"
grep -q "3 ranks: want 1, 2, 4 or 8" err.txt || { cat err.txt; fail "three ranks are not told why"; }

# Ranks of two commands: the first message that does not fit is told of.
timeout 60 "$mpirun" "${options[@]}" -n 1 "$trm" train --resume runs/Data4-trm/one : \
  -n 1 "$trm" eval runs/Data4-trm/one data4 >out.txt 2>&1 && fail "a training and an evaluation work together"
grep -q "out of step with rank" out.txt || { cat out.txt; fail "nobody says that ranks are out of step"; }
# The exchange itself: by any thread; with a rank that does not answer, for a small message and for
# one that MPI cannot give back.
export TRM_PLUGINS=$(dirname "$trm")
timeout 60 "$mpirun" "${options[@]}" -n 2 "$exchange" threads >out.txt 2>&1 || { cat out.txt; fail "threads"; }
grep -q "exchanged by another thread" out.txt || { cat out.txt; fail "threads"; }
for how in slow stuck; do
  start=$SECONDS
  timeout 60 "$mpirun" "${options[@]}" -n 2 "$exchange" $how >out.txt 2>&1 && fail "$how: a job of which a rank failed ends well"
  [ $((SECONDS - start)) -lt 15 ] || fail "$how: $((SECONDS - start)) s until the job is ended"
  grep -q "rank 1 does not answer for" out.txt || { cat out.txt; fail "$how: nobody says who does not answer"; }
done
grep -q "cannot be taken back, so all ranks end here" out.txt || { cat out.txt; fail "nobody says why all end"; }
unset TRM_PLUGINS
echo "mpi.sh: 1, 2 and 4 ranks, a killed one, an evaluation: as one process"
