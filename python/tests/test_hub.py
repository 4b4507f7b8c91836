"""Hugging Face's habits: folders with a card and safetensors that its own libraries read, and
downloads as `hf download` leaves them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from test_data import SUDOKU, sudokus
from test_train import SMALL

import trm


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that was trained and evaluated, in the working folder."""
    monkeypatch.chdir(tmp_path)
    x, y = sudokus(24)
    trm.Dataset(x, y, puzzle=SUDOKU).save("data", trm.Dataset(x[:8], y[:8], puzzle=SUDOKU))
    return trm.train(SMALL, data="data", run_name="first", progress=False)


def test_a_folder_has_all_that_the_hub_wants(run):
    run.model.save("mine")
    trm.load(run.folder + "/last").save("again/mine")  # the same, from its files
    assert sorted(os.listdir("mine")) == ["README.md", "config.json", "model.safetensors"]
    for name in os.listdir("mine"):
        with open(f"mine/{name}", "rb") as one, open(f"again/mine/{name}", "rb") as other:
            assert one.read() == other.read()
    with open("mine/config.json") as file:
        assert json.load(file)["hidden_size"] == 16
    text = open("mine/README.md").read()
    exact = run.log()[-1]["all/exact_accuracy"]
    assert "12 of 12 updates" in text and f"Exactly right: {100 * exact:.2f} %" in text and "of 8 examples" in text
    assert "    data: train, 24 examples, fingerprint " in text and "    data: test, 8 examples" in text
    assert "pytest" in text.partition("## Training")[2]  # the command


def test_its_head_is_what_the_hub_reads(run):
    hub = pytest.importorskip("huggingface_hub")
    run.model.save("mine")
    card = hub.ModelCard.load("mine/README.md", ignore_metadata_errors=False)
    assert card.data.library_name == "trm" and "sudoku" in card.data.tags and card.data.model_name == "mine"
    [result] = card.data.eval_results
    assert result.dataset_type == "data" and result.metric_name == "exact accuracy"
    assert result.metric_value == run.log()[-1]["all/exact_accuracy"]
    trm.load("sudoku6").save("plain")  # of which nothing is known
    assert hub.ModelCard.load("plain/README.md").data.eval_results is None


def test_names_from_outside_do_not_break_out(run):
    """Of a folder of data, a run and a model: YAML, Markdown and control characters."""
    hub = pytest.importorskip("huggingface_hub")
    evil = "a\"b: [}\n---\n# `x` \x1b[31m"
    os.rename("data", evil)
    os.mkdir("data")
    run = trm.train(SMALL, data=evil, run_name="second", progress=False)
    run.model.save("m\"n: [\n---")
    card = hub.ModelCard.load("m\"n: [\n---/README.md", ignore_metadata_errors=False)
    assert card.data.eval_results[0].dataset_type == evil.replace("\n", "?").replace("\x1b", "?")
    assert card.text.count("\n# ") == 1 and "\x1b" not in card.text


def test_a_card_of_ones_own_is_kept(run):
    run.model.save("mine")
    run.model.save("mine")  # ours is replaced
    with open("mine/README.md", "w") as file:
        file.write("mine")
    with pytest.raises(trm.FileError, match="README.md is somebody's own"):
        run.model.save("mine")
    assert open("mine/README.md").read() == "mine"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("framework", ["numpy", "torch", "flax"])
def test_safetensors_of_every_framework_read_it(tmp_path, framework, dtype, sudoku6):
    pytest.importorskip("safetensors")
    pytest.importorskip({"flax": "jax"}.get(framework, framework))
    reader = pytest.importorskip(f"safetensors.{framework}")
    if (framework, dtype) == ("numpy", "bfloat16"):
        pytest.importorskip("ml_dtypes")
    sudoku6.save(tmp_path / "mine", dtype)
    found = reader.load_file(str(tmp_path / "mine" / "model.safetensors"))
    state = trm.load(tmp_path / "mine").state_dict()
    assert set(found) == set(state)
    for name, array in state.items():
        tensor = found[name].float() if framework == "torch" else found[name]
        assert dtype in str(found[name].dtype) and np.array_equal(np.asarray(tensor).astype(np.float32), array)


def test_a_file_of_safetensors_is_read(tmp_path, sudoku6):
    """As its own library writes it, with the configuration beside it."""
    numpy = pytest.importorskip("safetensors.numpy")
    sudoku6.save(tmp_path / "mine")
    numpy.save_file({k: v.copy() for k, v in sudoku6.state_dict().items()}, tmp_path / "mine" / "model.safetensors",
                    metadata={"format": "pt"})
    again = trm.load(tmp_path / "mine")
    assert all((v == again.state_dict()[k]).all() for k, v in sudoku6.state_dict().items())


def cached(root, files):
    """The cache of `hf download`: contents by their hashes, and a snapshot of links to them."""
    repository = root / "models--somebody--mine"
    snapshot = repository / "snapshots" / ("0" * 39 + "1")
    for folder in (repository / "blobs", repository / "refs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(snapshot.name)
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        (repository / "blobs" / digest).write_bytes(content)
        (snapshot / name).symlink_to(f"../../blobs/{digest}")
    return snapshot


def test_a_download_of_links_into_a_cache_loads(tmp_path, sudoku6, puzzle6):
    sudoku6.save(tmp_path / "mine")
    files = {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    snapshot = cached(tmp_path / "hub", {**files, ".gitattributes": b"*.safetensors filter=lfs\n"})
    for path in (snapshot, snapshot / "model.safetensors"):
        model = trm.load(path)
        assert model.config == sudoku6.config and model.solve(puzzle6).valid
    with pytest.raises(trm.FileError):
        sudoku6.save(snapshot)  # which holds more than a model
    assert (snapshot / "config.json").is_symlink()


def test_a_download_of_a_published_checkpoint_loads(tmp_path, sudoku6, puzzle6):
    """The reference's two files; the name of the blob says nothing of what it is."""
    sudoku6.save(tmp_path / "step_1.pt")
    files = {"step_1": (tmp_path / "step_1.pt").read_bytes(),
             "all_config.yaml": (tmp_path / "all_config.yaml").read_bytes()}
    snapshot = cached(tmp_path / "hub", files)
    for path in (snapshot, snapshot / "step_1"):
        model = trm.load(path, puzzle=trm.Puzzle.sudoku(6))
        assert model.solve(puzzle6).valid


def test_the_hub_s_library_finds_it_in_its_cache(tmp_path, sudoku6):
    """Without the network: what `hf_hub_download` gives of a cache is a link, and loads."""
    pytest.importorskip("huggingface_hub")
    sudoku6.save(tmp_path / "mine")
    cached(tmp_path / "hub", {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()})
    code = ("import os, huggingface_hub as h, trm; "
            "print(trm.load(h.snapshot_download('somebody/mine', cache_dir='hub', local_files_only=True)))")
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert told.returncode == 0 and "trm.Model" in told.stdout, told.stderr
