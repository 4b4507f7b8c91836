"""The examples that follow a run in other trackers, as scripts; each where its package is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import trm

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python"


def run(name: str, folder: Path) -> str:
    told = subprocess.run([sys.executable, str(EXAMPLES / name), str(folder)], capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_weights_and_biases(tmp_path):
    pytest.importorskip("wandb")
    assert "18 updates followed" in run("wandb_run.py", tmp_path)
    [recorded] = tmp_path.glob("wandb/offline-run-*/run-first.wandb")
    found = recorded.read_bytes()
    assert b"train/lm_loss" in found and b"all/exact_accuracy" in found and b"arch.hidden_size" in found


def test_mlflow(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")  # mlflow-skinny has no store of files
    assert "18 updates followed" in run("mlflow_run.py", tmp_path)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    [found] = client.search_runs([client.get_experiment_by_name("trm").experiment_id])
    [record] = trm.runs(tmp_path / "runs")
    losses = client.get_metric_history(found.info.run_id, "train/lm_loss")
    assert [(m.step, m.value) for m in losses] == [
        (p["update"], p["value"]) for p in record.curve("train/lm_loss")] and len(losses) == 3
    assert found.data.metrics["best/exact_accuracy"] == record.best_exact
    assert found.data.params["arch.hidden_size"] == str(record.config["arch.hidden_size"])
    assert {f.path for f in client.list_artifacts(found.info.run_id, "model")} == {
        f"model/{name}" for name in ("README.md", "config.json", "model.safetensors")}
