"""Training: runs and what stops them, batches that a function changes, one update at a time."""

from __future__ import annotations

import os
import signal
import sys
import threading

import numpy as np
import pytest
from test_data import SUDOKU, sudokus

import trm
from trm._log import Log

SMALL = {"preset": "sudoku4", "arch.hidden_size": 16, "arch.L_layers": 1, "global_batch_size": 8, "epochs": 4,
         "eval_interval": 2, "threads": 1, "device": "cpu", "augment": "none", "arch.halt_max_steps": 3}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to train in, with data of 24 puzzles: 12 updates."""
    monkeypatch.chdir(tmp_path)
    x, y = sudokus(24)
    trm.Dataset(x, y, puzzle=SUDOKU).save("data", trm.Dataset(x[:8], y[:8], puzzle=SUDOKU))
    return tmp_path


def weights(folder) -> bytes:
    return b"".join(v.tobytes() for v in trm.load(os.path.join(folder, "last")).state_dict().values())


def test_a_run_trains_to_its_end(here):
    told = []
    run = trm.train(SMALL, data="data", run_name="a", callbacks=[told.append], progress=False)
    assert run.finished and run.state.update == run.plan.end == 12 and run.state.saved == 12
    assert os.path.isdir(run.folder) and run.folder.endswith("a")
    assert [p.done for p in told if not p.evaluating] == list(range(1, 13))
    assert any(p.evaluating for p in told) and told[-1].loss > 0
    assert run.config["arch.hidden_size"] == 16 and run.config["data_paths"] == ["data"]
    log = run.log()
    assert [line["step"] for line in log if "train/lm_loss" in line] == list(range(1, 13))
    assert run.model.config["hidden_size"] == 16
    assert b"".join(v.tobytes() for v in run.model.state_dict().values()) == weights(run.folder)
    run.model.solve(sudokus(1)[0])
    run.close()
    assert run.state.update == 12 and "12 of 12" in repr(run)
    with pytest.raises(ValueError, match="closed"):
        run.train()


def test_a_run_learns(here):
    """Copying what is given is soon learned: the loss falls."""
    run = trm.train(SMALL, data="data", run_name="learns", epochs=40, eval_interval=40, progress=False, lr=5e-3,
                    lr_warmup_steps=5)
    loss = [line["train/lm_loss"] for line in run.log() if "train/lm_loss" in line]
    assert np.mean(loss[-10:]) < 0.8 * np.mean(loss[:10])


def test_arrays_are_written_once_and_trained_on(here):
    x, y = sudokus(24)
    run = trm.train(SMALL, data=trm.Dataset(x, y, puzzle=SUDOKU), run_name="arrays", validation_share=0.25,
                    progress=False)
    [folder] = run.config["data_paths"]
    before = os.stat(folder).st_mtime_ns, sorted(os.listdir(folder))
    tokens = SUDOKU.encode(x), SUDOKU.encode(y)
    again = trm.train(SMALL, data=tokens, run_name="again", validation_share=0.25, progress=False)
    assert again.config["data_paths"] == [folder]
    assert (os.stat(folder).st_mtime_ns, sorted(os.listdir(folder))) == before
    assert weights(run.folder) == weights(again.folder)


def test_a_stopped_run_goes_on_to_the_same_bits(here):
    whole = trm.train(SMALL, data="data", run_name="whole", progress=False)
    part = trm.train(SMALL, data="data", run_name="part", progress=False,
                     callbacks=[lambda p: p.evaluating or p.done < 5])
    assert not part.finished and part.state == (part.folder, 5, 5, part.state.best_update, part.state.best_exact)
    with pytest.raises(trm.FileError):
        trm.resume(part.folder, progress=False)  # `part` holds the folder
    part.close()
    assert trm.runs()[0].stage in ("stopped", "done")
    more = trm.resume(part.folder, updates=3, progress=False)
    assert more.state.update == 8 and not more.finished
    more.save().close()
    last = trm.train(SMALL, data="data", run_name="part", resume=True, progress=False)
    assert last.finished and weights(last.folder) == weights(whole.folder)
    with pytest.raises(trm.ConfigError):
        trm.train(SMALL, data="data", run_name="part", progress=False)  # the folder is taken
    with pytest.raises(trm.ConfigError, match="lr"):
        trm.train(SMALL, data="data", run_name="part", resume=True, lr=1.0, progress=False)


def test_ctrl_c_saves_and_says_how_to_go_on(here):
    """A signal while the library computes: no traceback of ctypes, the state is saved, and the
    handler is the one that was there."""
    ignored = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda u: ignored.append(u)
    try:
        with pytest.raises(KeyboardInterrupt, match="trm.resume"):
            trm.train(SMALL, data="data", run_name="c", progress=False,
                      callbacks=[lambda p: os.kill(os.getpid(), signal.SIGINT) if p.done == 4 else None])
    finally:
        sys.unraisablehook = hook
    assert not ignored and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    run = trm.resume(os.path.join(trm.runs()[0].folder), updates=1, progress=False)
    assert run.state.update == 5
    run.close()


def test_ctrl_c_from_outside_while_it_trains(here):
    """The signal comes at any moment, also in the middle of an update."""
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            trm.train(SMALL, data="data", run_name="outside", epochs=100000, eval_interval=100000, progress=False)
    finally:
        timer.cancel()
    [run] = trm.runs()
    assert run.stage == "stopped" and run.updates > 0


def test_a_function_is_told_every_line_of_the_log(here):
    """Once, in order, with the last evaluation; what a kill cost is told again when it is done again."""
    told, more = [], []
    run = trm.train(SMALL, data="data", run_name="a", progress=False, on_log=told.append)
    assert told == run.log() and "all/exact_accuracy" in told[-1]
    part = trm.train(SMALL, data="data", run_name="part", progress=False, updates=5, on_log=more.append)
    part.train(2)
    part.save().close()
    assert [line["step"] for line in more if "train/lm_loss" in line] == [1, 2, 3, 4, 5, 6, 7]
    del more[:]
    last = trm.resume(part.folder, progress=False, on_log=more.append)
    assert more == [line for line in last.log() if line["step"] > 7] and len(more) == 6

    def fails(line):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        trm.train(SMALL, data="data", run_name="raises", progress=False, on_log=fails)


def test_a_log_goes_on_with_its_line_numbers(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "time": 1}\n{"step": 2, "time": 2}\nnothing\n')
    with pytest.raises(trm.FormatError, match="log.jsonl:3: "):
        list(Log(path, path.read_text().index("nothing")).more())


def test_what_a_callback_raises_comes_out(here):
    def fails(p):
        if p.done == 3:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        trm.train(SMALL, data="data", run_name="raises", progress=False, callbacks=[fails])
    run = trm.resume(trm.runs()[0].folder, progress=False)
    assert run.finished


def test_a_callback_may_look_and_not_touch(here):
    seen = []

    def looks(p):
        seen.append((p.run.state.update, p.run.plan.end, p.run.model.config["arch"]))
        with pytest.raises(RuntimeError, match="callbacks"):
            p.run.train()
        with pytest.raises(RuntimeError, match="callbacks"):
            p.run.close()

    trm.train(SMALL, data="data", run_name="looks", progress=False, callbacks=[looks])
    assert seen[0] == (1, 12, "trm")


def test_a_function_changes_batches(here):
    """In place or as new arrays; by the update's number it is the same bits when a run goes on."""
    def renames(update, batch, wants):
        assert batch.inputs.shape == (8, 16) and wants.dtype == bool
        turn = np.array([0, 1, *np.roll([2, 3, 4, 5], update)], np.int32)
        return trm.data.Batch(turn[batch.inputs], turn[batch.labels], batch.puzzle_ids)

    def in_place(update, batch, wants):
        new = renames(update, batch, wants)
        batch.inputs[:], batch.labels[:] = new.inputs, new.labels

    plain = trm.train(SMALL, data="data", run_name="plain", progress=False)
    same = trm.train(SMALL, data="data", run_name="same", progress=False, transform=lambda u, b, w: None)
    whole = trm.train(SMALL, data="data", run_name="renamed", progress=False, transform=renames)
    part = trm.train(SMALL, data="data", run_name="renamed2", progress=False, transform=in_place, updates=5)
    part.save().close()
    part = trm.resume(part.folder, progress=False, transform=in_place)
    assert weights(plain.folder) == weights(same.folder) != weights(whole.folder) == weights(part.folder)


@pytest.mark.parametrize("transform, kind", [
    (lambda u, b, w: b.inputs, TypeError),
    (lambda u, b, w: trm.data.Batch(b.inputs[:3], b.labels, b.puzzle_ids), trm.ShapeError),
    (lambda u, b, w: trm.data.Batch(b.inputs + 0.5, b.labels, b.puzzle_ids), trm.RangeError),
    (lambda u, b, w: trm.data.Batch(b.inputs + 99, b.labels, b.puzzle_ids), trm.RangeError),
    (lambda u, b, w: 1 / 0, ZeroDivisionError),
    (lambda u: None, TypeError),
])
def test_a_wrong_batch_ends_the_run(here, transform, kind):
    with pytest.raises(kind):
        trm.train(SMALL, data="data", run_name="wrong", progress=False, transform=transform)


@pytest.mark.parametrize("settings, keys, kind, says", [
    ("sudoku5", {}, trm.ConfigError, "sudoku5"),
    (SMALL, {"learning_rate": 1}, trm.ConfigError, "lr"),
    (SMALL, {"lr": "fast"}, trm.ConfigError, "lr"),
    (SMALL, {"lr": float("nan")}, trm.ConfigError, "lr"),
    (SMALL, {"arch__hidden_size": 17}, trm.ConfigError, ""),
    (SMALL, {"data": "nowhere"}, trm.Error, "nowhere"),
    (SMALL, {"data": 7}, TypeError, ""),
    (SMALL, {"data": ([[1]], [[1]])}, trm.Error, ""),
    (SMALL, {"data": ()}, TypeError, "tuple of nothing"),
    (SMALL, {"data": (np.ones((2, 16)),)}, TypeError, "tuple of ndarray"),
    (SMALL, {"data": ["data", None]}, TypeError, "str, NoneType"),
    (SMALL, {"test": trm.Dataset(*sudokus(8), puzzle=SUDOKU)}, trm.ArgumentError, "test goes with data in memory"),
    (SMALL, {"data": None, "data_folder": "there"}, trm.ArgumentError, "data_folder goes with"),
    (SMALL, {"data": sudokus(24), "test": sudokus(8)}, TypeError, "test: want a trm.Dataset"),
    (SMALL, {"run_name": "a/b"}, trm.ConfigError, ""),
    (SMALL, {"run_name": "a\0b"}, ValueError, ""),
    (SMALL, {"run_name": "a'b\"c"}, ValueError, ""),
    (SMALL, {"lr": [1, 2]}, (TypeError, ValueError), ""),
    (SMALL, {"lr": {}}, TypeError, "lr"),
    (SMALL, {"updates": -1, "data": "data"}, ValueError, "updates"),
    (7, {}, TypeError, ""),
    (SMALL, {"config": "nowhere.yaml"}, trm.FileError, "nowhere.yaml"),
])
def test_wrong_settings_are_refused(here, settings, keys, kind, says):
    with pytest.raises(kind) as caught:
        trm.train(settings, progress=False, **{"data": "data", **keys})
    assert says in str(caught.value)


def test_what_is_no_run_cannot_go_on(here):
    for folder in ("nothing", "data"):
        with pytest.raises(trm.Error):
            trm.resume(folder, progress=False)
    with pytest.raises(TypeError):
        trm.resume(None)


def test_runs_are_compared(here):
    for name, seed, lr in (("a", 0, 1e-3), ("b", 1, 1e-3), ("c", 0, 2e-3)):
        trm.train(SMALL, data="data", run_name=name, seed=seed, lr=lr, progress=False)
    found = trm.runs()
    assert [os.path.basename(r.folder) for r in found] == ["a", "b", "c"] and found.keys == ["lr"]
    assert all(r.stage == "done" and r.updates == r.end == 12 and 0 <= r.last_exact <= 1 for r in found)
    assert [r.seed for r in found] == [0, 1, 0] and found[2].config["lr"] == 2e-3
    curve = found[0].curve("train/lm_loss")
    assert curve["update"].tolist() == list(range(1, 13)) and (curve["value"] > 0).all()
    assert len(found[0].curve("no/such")) == 0
    assert len(trm.runs([found[1].folder])) == 1
    with pytest.raises(trm.FileError):
        trm.runs("nothing")


def test_runs_as_a_table(here):
    pandas = pytest.importorskip("pandas")
    trm.train(SMALL, data="data", run_name="a", progress=False)
    table = trm.runs().to_pandas()
    assert isinstance(table, pandas.DataFrame) and table.loc[0, "updates"] == 12 and table.loc[0, "stage"] == "done"


def test_presets_are_listed():
    assert {"sudoku4", "sudoku6", "maze-small", "arc-small"} <= set(trm.presets())


# --- one update at a time ---


def begin(**config):
    model = trm.create_model(SUDOKU, 1, hidden_size=16, num_heads=2, mlp_t=True, pos_encodings="none", L_layers=1,
                             H_cycles=2, L_cycles=2, puzzle_emb_ndim=16, halt_max_steps=3)
    return model, trm.Trainer(model, **{**dict(batch_size=8, lr=1e-3, lr_warmup_steps=2, total_steps=100, threads=1),
                                        **config})


def test_a_trainer_goes_update_by_update(tmp_path):
    data = trm.Dataset(*sudokus(24), puzzle=SUDOKU)
    model, trainer = begin()
    stream = trm.Stream(data, 8, seed=1)
    assert trainer.updates == 0 and trainer.wants.all()
    first = trainer.step(stream.next(trainer.wants))
    assert {"loss", "lm_loss", "accuracy", "exact_accuracy", "lr", "grad_norm", "steps"} <= set(first)
    assert first["loss"] > 0 and first["grad_norm"] > 0 and 0 <= first["accuracy"] <= 1
    gradients = trainer.gradients()
    assert {k: v.shape for k, v in gradients.items()}.items() <= {k: v.shape for k, v in model.state_dict().items()}.items()
    assert any(np.abs(g).max() > 0 for g in gradients.values())
    trainer.save(tmp_path / "state")
    position = stream.position
    then = [trainer.step(stream.next(trainer.wants)) for _ in range(5)]
    assert trainer.updates == 6 and trainer.steps_taken.max() <= 3
    end = trainer.weights.state_dict()

    _, other = begin()
    other.load(tmp_path / "state")
    stream.position = position
    assert [other.step(stream.next(other.wants)) for _ in range(5)] == then
    assert all((v == end[k]).all() for k, v in other.weights.state_dict().items())
    assert any((v != end[k]).any() for k, v in other.model.state_dict().items())  # the average
    trainer.close()
    with pytest.raises(ValueError, match="closed"):
        trainer.step(stream.next())


def test_the_gradient_is_the_change_of_the_loss():
    """By differences, along the gradient itself: the mean cross-entropy of all rows."""
    model, _ = begin()
    batch = next(iter(trm.Stream(trm.Dataset(*sudokus(8), puzzle=SUDOKU), 8)))
    model32 = trm.create_model(SUDOKU, 1, **{**model.config, "forward_dtype": "float32", "grad": "all"})
    trainer = trm.Trainer(model32, batch_size=8, threads=1, ema_rate=0)
    loss = trainer.step(batch)["loss"]
    g = trainer.gradients()
    norm = sum(float((v.astype(float) ** 2).sum()) for k, v in g.items() if k != "puzzle_emb.weights")
    epsilon = 1e-2 / norm**0.5
    moved = {k: v + epsilon * g[k] if k in g and k != "puzzle_emb.weights" else v
             for k, v in model32.state_dict().items()}
    after = trm.Trainer(trm.from_torch(moved, model32.config, puzzle=SUDOKU), batch_size=8, threads=1, ema_rate=0)
    assert (after.step(batch)["loss"] - loss) / epsilon == pytest.approx(norm, rel=0.1)


def test_batches_of_ones_own():
    _, trainer = begin()
    x, y = (SUDOKU.encode(a) for a in sudokus(8))
    assert trainer.step((x, y))["count"] >= 0
    trainer.step((x.astype(np.int64), y, np.zeros(8)))
    for wrong, kind in [((x,), TypeError), ((x[:4], y[:4]), trm.ShapeError), ((x, y, [0]), trm.ShapeError),
                        ((x + 50, y), trm.RangeError), ((x, y + 50), trm.RangeError), ((x, y, [9] * 8), trm.RangeError),
                        ((x + 0.5, y), trm.RangeError), (("a", "b"), TypeError), (None, TypeError)]:
        _, trainer = begin()
        with pytest.raises(kind):
            trainer.step(wrong)
        assert trainer.updates == 0


def test_wrong_trainers_are_refused():
    model, _ = begin()
    for config, kind in [({"batch_size": 0}, trm.ConfigError), ({"batchsize": 8}, trm.ConfigError),
                         ({"lr": float("inf")}, trm.ConfigError), ({"lr": "x"}, trm.ConfigError),
                         ({"device": "gpu"}, trm.ConfigError), ({"lr": None}, TypeError),
                         ({"batch_size": 10**9}, (trm.OutOfMemoryError, trm.ConfigError))]:
        with pytest.raises(kind):
            trm.Trainer(model, **config)
    with pytest.raises(TypeError):
        trm.Trainer("sudoku4")


def test_a_trainer_in_a_child_of_a_fork():
    _, trainer = begin(threads=2)
    x, y = (SUDOKU.encode(a) for a in sudokus(8))
    trainer.step((x, y))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            trainer.step((x, y))
            code = 0 if trainer.updates == 2 else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
    trainer.step((x, y))
    assert trainer.updates == 2


@pytest.mark.parametrize("fails", [False, True])
def test_ctrl_c_that_came_too_late_to_stop_anything_is_not_lost(fails):
    from trm._listen import Interrupts

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError if fails else KeyboardInterrupt):
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupts.came
            if fails:
                raise ZeroDivisionError  # what went wrong is told
    assert signal.getsignal(signal.SIGINT) is before
