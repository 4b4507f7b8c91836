#!/bin/sh
# What the scenarios of torture find in their folder: small data sets, models and inputs, and a
# tree that no command is told of. Called in an empty folder, with the program as TRM.
set -eu
LITTLE="arch.hidden_size=32 arch.num_heads=1 lr_warmup_steps=0 threads=1"
trm() { "$TRM" "$@" >/dev/null 2>&1; }

# Puzzles of 2x2 boxes, and mazes, in the files they are built from.
trm data gen sudoku --size 4 --train 24 --test 6 --output-dir s4
trm data gen maze --size 4 --train 8 --test 4 --output-dir m4
"$TRM" data show s4 --split train --count 12 --text | grep -v '^[#/]' | cut -d' ' -f1 >list.txt
"$TRM" data show s4 --split test --count 3 --text >puzzles.txt
cat >mazes.csv <<'M'
source,question,answer,rating
a,S  # G  #,Soo# G  #,1
M
printf 'question,answer\n01/10,10/01\n00/11,11/00\n11/01,00/10\n' >grid.csv

# ARC: a task, its solution, and a set of it with two copies.
mkdir -p arc/kinds
cat >arc/kinds/0f5a1c2e.json <<'A'
{"train": [{"input": [[1, 2]], "output": [[3, 2]]}, {"input": [[2, 1]], "output": [[3, 1]]}],
 "test": [{"input": [[4, 1]], "output": [[3, 1]]}]}
A
printf '{"0f5a1c2e": [[[3, 1]]]}\n' >solutions.json
printf '{"0f5a1c2e": [{"attempt_1": [[3, 1]], "attempt_2": [[3, 3]]}]}\n' >answers.json
trm data build arc --input-file-prefix arc --subsets kinds --test-set-name kinds --num-aug 2 \
  --canvas 4 --threads 1 --output-dir a4

# Models: of a run, of ARC, and in the forms of convert.
trm train preset=sudoku4 "data_paths=[s4]" $LITTLE global_batch_size=8 eval_limit=4 \
  checkpoint_path=model_run max_updates=2
trm train preset=arc-small "data_paths=[a4]" $LITTLE arch.puzzle_emb_ndim=32 \
  arch.puzzle_emb_len=1 arch.halt_max_steps=2 global_batch_size=2 epochs=4 eval_interval=null \
  checkpoint_path=arc_run max_updates=1
trm convert model_run model
trm convert arc_run arc_model
rm -r arc_run
trm eval arc_model a4 --threads 1 --save-preds preds.npy --save-q q.npy

# Nothing here may ever change.
mkdir -p canary/folder
printf 'kept' >canary/file
printf 'kept too' >canary/folder/step_1
ln -s ../folder canary/folder/last
