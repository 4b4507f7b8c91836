"""Event files: what TensorBoard's own reader finds in them, also after a stop and a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pytest
from test_data import SUDOKU, sudokus
from test_train import SMALL

import trm

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to train in, with data of 24 puzzles: 12 updates."""
    monkeypatch.chdir(tmp_path)
    x, y = sudokus(24)
    trm.Dataset(x, y, puzzle=SUDOKU).save("data", trm.Dataset(x[:8], y[:8], puzzle=SUDOKU))
    return tmp_path


def read(folder):
    """(step, wall time, value) of every event of each tag, nothing purged: what is there twice is seen."""
    found = accumulator.EventAccumulator(str(folder), purge_orphaned_data=False).Reload()
    return {tag: [astuple(event) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}, found


def logged(run):
    """The same as the log has it, under the names of TensorBoard."""
    names = {"all": "eval", "train": "train"}
    out = {}
    for line in run.log():
        for key, value in line.items():
            group, _, name = key.rpartition("/")
            if key not in ("step", "time", "epoch"):
                out.setdefault(f"{names[group or 'train']}/{name}", []).append(
                    (line["time"], line["step"], float(np.float32(value))))
    return out


def event_files(folder):
    """Those with something in them: an older one is emptied first, and removed the next time."""
    return [name for name in os.listdir(folder) if "tfevents" in name and os.path.getsize(os.path.join(folder, name))]


def test_a_run_is_read_back_by_tensorboard(here):
    run = trm.train(SMALL, data="data", run_name="a", progress=False, tensorboard=True)
    scalars, found = read(run.folder)
    assert {"train/lm_loss", "train/lr", "eval/exact_accuracy", "train/epoch", "train/samples_per_s"} <= set(scalars)
    assert {tag: events for tag, events in scalars.items() if tag != "train/epoch"} == logged(run)
    assert [step for _, step, _ in scalars["train/epoch"]] == list(range(1, 13))

    # The settings, as the tab "HParams" has them.
    from tensorboard.plugins.hparams import plugin_data_pb2

    [content] = found.PluginTagToContent("hparams").values()
    told = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert told["arch.hidden_size"].number_value == 16 and told["data_paths"].string_value == "data"
    assert told["arch.mlp_t"].HasField("bool_value")


def test_a_run_that_was_stopped_goes_on_in_its_events(here):
    part = trm.train(SMALL, data="data", run_name="part", progress=False, tensorboard=True, updates=5)
    assert [step for _, step, _ in read(part.folder)[0]["train/lm_loss"]] == [1, 2, 3, 4, 5]
    part.train(2)  # the same object goes on
    assert [step for _, step, _ in read(part.folder)[0]["train/lm_loss"]] == [1, 2, 3, 4, 5, 6, 7]
    part.save().close()
    trm.resume(part.folder, progress=False, updates=2).save().close()  # without events
    last = trm.resume(part.folder, progress=False, tensorboard=True)
    scalars, _ = read(last.folder)
    assert len(event_files(last.folder)) == 1
    assert [step for _, step, _ in scalars.pop("train/epoch")] == list(range(1, 13)) and scalars == logged(last)


KILLED = """
import os, signal, sys
import trm
trm.train(%r, data="data", run_name="killed", checkpoint_interval=5, progress=False, tensorboard=True,
          callbacks=[lambda p: os.kill(os.getpid(), signal.SIGKILL) if p.done == 9 and not p.evaluating else None])
"""


def test_what_a_kill_cost_is_not_there_twice(here, monkeypatch):
    """The log and the events were ahead of the checkpoint: both are cut, and no step comes again."""
    code = "import trm._tensorboard as t; t._FLUSHED = 0\n" + KILLED % SMALL  # so that the events are ahead
    done = subprocess.run([sys.executable, "-c", code], timeout=120)
    assert done.returncode == -signal.SIGKILL
    [record] = trm.runs()
    steps = [step for _, step, _ in read(record.folder)[0]["train/lm_loss"]]
    assert steps[-1] >= 8 and record.stage == "stopped"

    run = trm.resume(record.folder, progress=False, tensorboard=True, updates=2)
    scalars, _ = read(run.folder)
    assert [step for _, step, _ in scalars["train/lm_loss"]] == [1, 2, 3, 4, 5, 6, 7, 8]  # it was at 6
    run.save().close()
    run = trm.resume(record.folder, progress=False, tensorboard=True)
    scalars, _ = read(run.folder)
    del scalars["train/epoch"]
    assert scalars == logged(run)
    for events in scalars.values():
        steps = [step for _, step, _ in events]
        assert steps == sorted(set(steps))


def test_a_reader_that_saw_what_was_lost_forgets_it(here):
    """A TensorBoard that is open meanwhile: it has read the events that the kill cost."""
    code = "import trm._tensorboard as t; t._FLUSHED = 0\n" + KILLED % SMALL
    subprocess.run([sys.executable, "-c", code], timeout=120)
    [record] = trm.runs()
    open_one = accumulator.EventAccumulator(record.folder).Reload()
    assert open_one.Scalars("train/lm_loss")[-1].step >= 8
    run = trm.resume(record.folder, progress=False, tensorboard=True)
    seen = [astuple(event) for event in open_one.Reload().Scalars("train/lm_loss")]
    assert seen == logged(run)["train/lm_loss"]


def test_runs_without_events_get_them_afterwards(here):
    run = trm.train(SMALL, data="data", run_name="plain", progress=False, log_interval=3)
    assert not event_files(run.folder)
    [record] = trm.runs()
    for folder in ("tb/one", "tb/one", None):  # twice: the older one is replaced
        record.to_tensorboard(folder)
        scalars, _ = read(folder or run.folder)
        del scalars["train/epoch"]
        assert scalars == logged(run) and len(event_files(folder or run.folder)) == 1
    again = trm.resume(run.folder, progress=False, tensorboard=True)  # which is done
    assert again.finished and len(event_files(run.folder)) == 1


def test_a_run_that_trains_is_left_alone(here):
    part = trm.train(SMALL, data="data", run_name="part", progress=False, updates=5, tensorboard=True)
    [record] = trm.runs()
    with pytest.raises(trm.RefusedError, match="is being trained"):
        record.to_tensorboard()
    record.to_tensorboard("tb")
    part.train()
    assert [step for _, step, _ in read(part.folder)[0]["train/lm_loss"]] == list(range(1, 13))
    assert [step for _, step, _ in read("tb")[0]["train/lm_loss"]] == list(range(1, 6))


def test_events_of_others_stay(here):
    os.makedirs("tb")
    with open("tb/events.out.tfevents.1.host", "w") as others:
        others.write("theirs")
    trm.train(SMALL, data="data", run_name="a", progress=False)
    trm.runs()[0].to_tensorboard("tb")
    trm.runs()[0].to_tensorboard("tb")
    assert len(event_files("tb")) == 2 and len(os.listdir("tb")) == 3


def test_other_names_of_events_keep_them(here):
    """A run that was copied by links, and a link that somebody put there."""
    run = trm.train(SMALL, data="data", run_name="a", progress=False, tensorboard=True)
    [name] = event_files(run.folder)
    os.makedirs("copy")
    os.link(os.path.join(run.folder, name), "copy/" + name)
    with open("mine", "w") as mine:
        mine.write("mine")
    os.symlink(os.path.abspath("mine"), os.path.join(run.folder, "events.out.tfevents.1.host.trm"))
    trm.runs(run.folder)[0].to_tensorboard()
    assert len(event_files(run.folder)) == 1 and open("mine").read() == "mine"
    assert len(read("copy")[0]["train/lm_loss"]) == 12


@pytest.mark.parametrize("line", [
    "", "nothing", "[1]", "{}", '{"step": 1}', '{"step": "a", "time": 1}', '{"step": 1e99, "time": 1}',
    '{"step": 99999999999999999999, "time": 1}', '{"step": 1, "time": 1, "train/lm_loss": "a"}',
    '{"step": 1, "time": 1, "train/lm_loss": [1]}', '{"step": 1, "time": 1, "\\ud800": 1}', "[" * 100000,
    '{"step": 1, "time": 1, "a": 1' + "0" * 400 + "}",
])
def test_a_log_that_is_none_is_refused_with_its_line(here, line):
    run = trm.train(SMALL, data="data", run_name="a", progress=False)
    run.close()
    [record] = trm.runs()
    with open(os.path.join(run.folder, "log.jsonl")) as log:
        lines = log.readlines()
    with open(os.path.join(run.folder, "log.jsonl"), "w") as log:
        log.writelines([*lines[:2], line + "\n", *lines[2:]])
    with pytest.raises(trm.FormatError, match="log.jsonl:3"):
        record.to_tensorboard("tb")


def test_figures_that_are_none_are_left_out(here):
    run = trm.train(SMALL, data="data", run_name="a", progress=False)
    with open(os.path.join(run.folder, "log.jsonl"), "a") as log:
        log.write('{"step": 13, "time": 1.5, "ARC/pass@2": null, "ARC/pass@1": 0.5, "train/x": NaN}\n{"step": 14')
    trm.runs()[0].to_tensorboard("tb")
    scalars, _ = read("tb")
    assert scalars["eval/pass@1"] == [(1.5, 13, 0.5)] and not {"eval/pass@2", "train/x"} & set(scalars)


def test_without_tensorboard_nothing_is_begun(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.plugins.hparams.summary_v2", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        trm.train(SMALL, data="data", run_name="a", progress=False, tensorboard=True)
    assert not os.path.exists("runs")


def test_events_that_cannot_be_written_end_the_run(here):
    """As a log that cannot be written does; what was learned is saved."""
    def full(p):
        if p.done == 4:
            p.run._listener._events._records = RecordWriter(open("/dev/full", "wb", buffering=0))

    from tensorboard.summary.writer.record_writer import RecordWriter

    with pytest.raises(OSError, match="No space"):
        trm.train(SMALL, data="data", run_name="a", progress=False, tensorboard=True, callbacks=[full])
    run = trm.resume(trm.runs()[0].folder, progress=False, tensorboard=True)
    assert run.finished and [step for _, step, _ in read(run.folder)[0]["train/lm_loss"]] == list(range(1, 13))
