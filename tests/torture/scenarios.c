/* See scenarios.h; fixture.sh makes what they work on. */
#include "scenarios.h"

#include <stddef.h>

#define SETTINGS                                                                           \
  "preset=sudoku4 data_paths=[s4] arch.hidden_size=32 arch.num_heads=1 lr_warmup_steps=0 " \
  "threads=1 global_batch_size=8 eval_limit=4 eval_interval=1 checkpoint_interval=2 "
#define TRAIN "train " SETTINGS "checkpoint_path=run max_updates=6"
#define RESUME "train --resume run max_updates=6"
#define FINETUNE                                                                      \
  "finetune arc_model --task arc/kinds/0f5a1c2e.json --steps 2 --copies 2 --batch 2 " \
  "--threads 1 --out tuned --submission submission.json"
#define REPRODUCE                                                                       \
  "reproduce table1 --rows trm,hrm --seeds 1 --threads 1 --output table max_updates=2 " \
  "arch.hidden_size=8 arch.num_heads=1 arch.halt_max_steps=1 global_batch_size=2 eval_limit=2"
#define OLD_SET "$TRM data gen sudoku --size 4 --train 8 --test 0 --seed 9 --output-dir out;"
#define OLD_MODEL "$TRM convert model out --dtype bfloat16;"

const scenario scenarios[] = {
    /* data sets: new, and in place of another */
    {"gen-sudoku", NULL,
     "data gen sudoku --size 4 --train 20 --test 5 --threads 1 --output-dir out", NULL, "out",
     REPORT_SAME},
    {"gen-sudoku-over", OLD_SET,
     "data gen sudoku --size 4 --train 20 --test 5 --threads 1 --output-dir out", NULL, "out",
     REPORT_SAME},
    {"gen-maze", NULL, "data gen maze --size 4 --train 8 --test 4 --threads 1 --output-dir out",
     NULL, "out", REPORT_SAME},
    {"build-sudoku", NULL, "data build sudoku --input list.txt --num-aug 2 --output-dir out", NULL,
     "out", REPORT_SAME},
    {"build-sudoku-over", OLD_SET,
     "data build sudoku --input list.txt --num-aug 2 --output-dir out", NULL, "out", REPORT_SAME},
    {"build-maze", NULL, "data build maze --input mazes.csv --aug --output-dir out", NULL, "out",
     REPORT_SAME},
    {"build-grid", NULL, "data build grid --input grid.csv --symmetry rotate --output-dir out",
     NULL, "out", REPORT_SAME},
    {"build-arc", NULL,
     "data build arc --input-file-prefix arc --subsets kinds --test-set-name kinds --num-aug 3 "
     "--canvas 4 --threads 1 --output-dir out",
     NULL, "out", REPORT_SAME},
    {"build-arc-compact-over", OLD_SET,
     "data build arc --input-file-prefix arc --subsets kinds --test-set-name kinds --num-aug 3 "
     "--canvas 4 --threads 1 --compact --output-dir out",
     NULL, "out", REPORT_SAME},

    /* looking at data sets */
    {"data-info", NULL, "data info s4", NULL, "", REPORT_SAME},
    {"data-show", NULL, "data show a4 --count 2 --grid", NULL, "", REPORT_SAME},
    {"data-svg", "echo old >out.svg;", "data show s4 --count 2 --svg out.svg", NULL, "out.svg",
     REPORT_SAME},
    {"data-verify", NULL, "data verify s4", NULL, "", REPORT_FINDS},

    /* training */
    {"train", NULL, TRAIN, RESUME "|" TRAIN, "~run", REPORT_TIMED},
    {"train-resume", "$TRM train " SETTINGS "checkpoint_path=run max_updates=3;", RESUME, NULL,
     "~run", REPORT_TIMED},
    {"train-from", NULL, TRAIN " load_checkpoint=model", RESUME "|" TRAIN " load_checkpoint=model",
     "~run", REPORT_TIMED},
    {"train-dry", NULL, "train " SETTINGS "--dry-run", NULL, "", REPORT_TIMED},
    {"reproduce", NULL, REPRODUCE, REPRODUCE, "~table", REPORT_TIMED},

    /* evaluating and solving */
    {"eval", NULL, "eval model s4 --threads 1", NULL, "", REPORT_SAME},
    {"eval-files", "echo old >out.npy;",
     "eval model s4 --threads 1 --save-preds out.npy --save-q out_q.npy --json", NULL,
     "out.npy out_q.npy", REPORT_SAME},
    {"eval-state", NULL,
     "eval model s4 --threads 1 --batch 2 --state state --save-preds out.npy --save-q out_q.npy",
     NULL, "~state ~out.npy ~out_q.npy", REPORT_SAME},
    {"eval-submission", "echo old >submission.json;",
     "eval arc_model a4 --threads 1 --submission submission.json", NULL, "submission.json",
     REPORT_SAME},
    {"eval-tries", NULL,
     "eval model s4 --threads 1 --views 2 --rollouts 2 --noise 1 --verify --search 3 --state state",
     NULL, "~state", REPORT_SAME},
    {"eval-scaling", "echo old >out.svg;",
     "eval model s4 --threads 1 --views 2 --scaling --json --svg out.svg", NULL, "out.svg",
     REPORT_SAME},
    {"solve", NULL, "solve model puzzles.txt --threads 1 --show steps", NULL, "", REPORT_SAME},
    {"solve-json", NULL, "solve model_run --data s4 --count 3 --threads 1 --json", NULL, "",
     REPORT_SAME},
    {"solve-svg", "echo old >out.svg;",
     "solve model puzzles.txt --threads 1 --show latents --svg out.svg", NULL, "out.svg",
     REPORT_SAME},
    {"solve-film", "echo old >out.svg;",
     "solve model puzzles.txt --threads 1 --show steps --svg out.svg", NULL, "out.svg",
     REPORT_SAME},
    {"sudoku", NULL, "sudoku solve puzzles.txt", NULL, "", REPORT_SAME},
    {"finetune", NULL, FINETUNE, NULL, "^tuned ^submission.json", REPORT_SAME},
    {"finetune-state", NULL, FINETUNE " --state tune", NULL,
     "tuned ^submission.json ~tune ~tune.answers", REPORT_SAME},
    {"finetune-over", "$TRM convert arc_model tuned; echo old >submission.json;", FINETUNE, NULL,
     "^tuned ^submission.json", REPORT_SAME},
    {"arc-score", NULL, "arc score answers.json solutions.json", NULL, "", REPORT_SAME},
    {"arc-vote", NULL,
     "arc vote --data a4 --preds preds.npy --q q.npy --submission submission.json", NULL,
     "submission.json", REPORT_SAME},

    /* models in other forms */
    {"convert-folder", NULL, "convert model out", NULL, "out", REPORT_SAME},
    {"convert-folder-over", OLD_MODEL, "convert model_run out", NULL, "out", REPORT_SAME},
    {"convert-file-over", "$TRM convert model out.safetensors --dtype bfloat16;",
     "convert model out.safetensors", NULL, "out.safetensors", REPORT_SAME},
    {"convert-torch", "mkdir out;", "convert model out/model.pt", NULL,
     "out/model.pt out/all_config.yaml", REPORT_SAME},
    {"convert-from-torch", "mkdir in; $TRM convert model in/step_2.pt;",
     "convert in/step_2.pt out --data s4", NULL, "out", REPORT_SAME},

#ifdef TRM_HAS_WEB
    /* pages */
    {"page", NULL, "page out model", NULL, "out", REPORT_SAME},
    {"page-over", "$TRM page out model_run;", "page out model", NULL, "out", REPORT_SAME},
#endif

    /* the others */
    {"info", NULL, "info model_run", NULL, "", REPORT_SAME},
    {"models", NULL, "models --json", NULL, "", REPORT_SAME},
    {"runs", NULL, "runs model_run --format json", NULL, "", REPORT_SAME},
    {"runs-svg", "echo old >out.svg;", "runs model_run --curves out.svg --y loss", NULL, "out.svg",
     REPORT_SAME},
    {"man", NULL, "help --man data", NULL, "", REPORT_TIMED},
    {"info-data", NULL, "info a4 --json", NULL, "", REPORT_SAME},
    {"info-torch", "mkdir in; $TRM convert model in/step_2.pt;", "info in/step_2.pt", NULL, "",
     REPORT_SAME},
    {"bench", NULL,
     "bench infer -m sudoku4 -b 1 -t 1 -r 1 --dtype f32 -o json arch.hidden_size=32 "
     "arch.num_heads=1",
     NULL, "", REPORT_TIMED},
    {"version", NULL, "version", NULL, "", REPORT_TIMED},
};
const int n_scenarios = sizeof scenarios / sizeof *scenarios;
