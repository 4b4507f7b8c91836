"""A training run in MLflow, followed while it trains.

    pip install mlflow
    python examples/python/mlflow_run.py [FOLDER]

Data, run and tracking are written to FOLDER (else to one that is removed at the end), of which
`mlflow ui --backend-store-uri sqlite:///FOLDER/mlflow.db` is the page.
"""

import os
import sys
import tempfile

import mlflow

import trm

work = tempfile.TemporaryDirectory()
os.chdir(sys.argv[1] if len(sys.argv) > 1 else work.name)
trm.data.gen_sudoku("data/sudoku4", size=4, train=200, test=50)

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("trm")


def follow(line):
    """MLflow has no null, and in its names no `@`."""
    figures = {key.replace("@", "_at_"): value for key, value in line.items()
               if key not in ("step", "time") and value is not None}
    mlflow.log_metrics(figures, step=line["step"], timestamp=int(1000 * line["time"]))


with mlflow.start_run(run_name="first"):
    run = trm.train("sudoku4", data="data/sudoku4", run_name="first", epochs=12, eval_interval=6, log_interval=5, device="cpu",
                    resume=True, progress=False, on_log=follow)
    mlflow.log_params(run.config)
    mlflow.log_metric("best/exact_accuracy", run.state.best_exact)
    run.model.save("model")
    mlflow.log_artifacts("model", "model")
    print(f"{run.state.update} updates followed, the best exact accuracy {run.state.best_exact:.1%}")
os.chdir("/")
work.cleanup()
