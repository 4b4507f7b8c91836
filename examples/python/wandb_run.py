"""A training run in Weights & Biases, followed while it trains.

    pip install wandb
    python examples/python/wandb_run.py [FOLDER]

Data and run are written to FOLDER (else to one that is removed at the end), and nothing is uploaded:
with mode="online" it would be, and `wandb sync FOLDER/wandb/offline-run-…` does it later.
"""

import os
import sys
import tempfile

import wandb

import trm

work = tempfile.TemporaryDirectory()
os.chdir(sys.argv[1] if len(sys.argv) > 1 else work.name)
trm.data.gen_sudoku("data/sudoku4", size=4, train=200, test=50)


def figures(line):
    """A line of the log without its place, which Weights & Biases has by itself."""
    return {key: value for key, value in line.items() if key not in ("step", "time")}


# A run that goes on has the same id: steps that come again, after a kill, are the same bits, and are dropped.
with wandb.init(project="trm", id="first", resume="allow", mode="offline", dir=".") as tracked:
    run = trm.train("sudoku4", data="data/sudoku4", run_name="first", epochs=12, eval_interval=6, device="cpu", resume=True,
                    progress=False, on_log=lambda line: tracked.log(figures(line), step=line["step"]))
    tracked.config.update(run.config, allow_val_change=True)
    tracked.summary["best/exact_accuracy"] = run.state.best_exact

    # The model itself, as a folder that `trm.load` and every reader of safetensors take.
    run.model.save("model")
    artifact = wandb.Artifact("sudoku4", type="model")
    artifact.add_dir("model")
    tracked.log_artifact(artifact)
    print(f"{run.state.update} updates followed, the best exact accuracy {run.state.best_exact:.1%}: {tracked.dir}")
os.chdir("/")
work.cleanup()
