"""Folders of data that are generated, built, checked; evaluations of them; ARC's tasks and votes."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest

import trm
from trm import data


@pytest.fixture(scope="module")
def sudokus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build") / "sudokus"
    report = data.gen_sudoku(folder, size=4, train=40, test=16, seed=5)
    assert (report.train_puzzles, report.test_puzzles, report.overlap, report.symmetric_overlap) == (40, 16, 0, 0)
    return folder


def test_generated_puzzles_are_data(sudokus, tmp_path):
    train, test = trm.Dataset.open(sudokus), trm.Dataset.open(sudokus, "test")
    assert len(train) == 40 and len(test) == 16 and train.puzzle == trm.Puzzle.sudoku(4)
    assert all(e.puzzle.solves(e.question, e.label) for e in test)
    checks = data.verify(sudokus)
    assert len(checks) > 8 and not any(checks.values())
    seen = data.survey(sudokus)
    assert seen.train.examples == 40 and seen.overlap == 0 and seen.symmetric_overlap == 0
    assert seen.train.sizes == [(4, 4, 40)]

    data.gen_sudoku(tmp_path / "same", size=4, train=40, test=16, seed=5)
    assert trm.Dataset.open(tmp_path / "same").fingerprint == train.fingerprint
    maze = data.gen_maze(tmp_path / "mazes", rows=4, cols=5, train=10, test=0)
    assert maze.train_puzzles == 10 and trm.Dataset.open(tmp_path / "mazes").puzzle.rows == 4
    lines = str(train.show(0, 3)).splitlines()
    assert len(lines) == 3 and " -> " in lines[0]
    assert train.show()._repr_html_().count("<svg") == 8


def test_puzzles_of_files(tmp_path):
    (tmp_path / "s.txt").write_text("1...............\n" + "1234341221434321\n")
    with pytest.raises(trm.PuzzleError, match="s.txt"):
        data.build_sudoku(tmp_path / "s", tmp_path / "s.txt")
    report = data.build_sudoku(tmp_path / "s", tmp_path / "s.txt", skip_invalid=True, num_aug=3)
    assert report.skipped == 1 and report.train_puzzles == 1 and report.train_examples == 4
    (tmp_path / "m.csv").write_text("question,answer\nS #  # G,SooGGGGG\n")
    with pytest.raises(trm.Error):
        data.build_maze(tmp_path / "m", tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text("question,answer\nS  # # G,Soo# #oG\n")
    report = data.build_maze(tmp_path / "m", tmp_path / "m.csv", rows=2, cols=4)
    assert report.train_puzzles == 1

    inputs, labels = np.array([[[0, 1], [1, 0]], [[1, 1], [0, 0]]]), np.array([[[1, 0], [0, 1]], [[0, 0], [1, 1]]])
    np.savez(tmp_path / "mine.npz", inputs=inputs, labels=labels)
    assert data.build_grid(tmp_path / "g", tmp_path / "mine.npz", symmetries="dihedral").train_examples == 2
    d = trm.Dataset.open(tmp_path / "g")
    assert (d.puzzle.decode(d[0].question) == inputs[0]).all() and (d.puzzle.decode(d[1].label) == labels[1]).all()


def test_what_is_wrong_in_a_folder_is_said(sudokus, tmp_path):
    import shutil

    shutil.copytree(sudokus, tmp_path / "bad")
    path = tmp_path / "bad" / "test" / "all__labels.npy"
    labels = np.load(path)
    labels[3, 0] = labels[3, 0] % 4 + 2
    np.save(path, labels)
    wrong = {check: failure for check, failure in data.verify(tmp_path / "bad").items() if failure}
    assert len(wrong) == 1 and "labels" in next(iter(wrong))
    with pytest.raises(trm.FileError):
        data.verify(tmp_path / "nothing")
    with pytest.raises(trm.FileError):
        data.survey(tmp_path)


@pytest.mark.parametrize("make, kind", [
    (lambda d: data.gen_sudoku(d, size=7), trm.ArgumentError), (lambda d: data.gen_sudoku(d, train=-1), trm.ArgumentError),
    (lambda d: data.gen_sudoku(d, size="4"), TypeError), (lambda d: data.gen_maze(d, rows=0), trm.ArgumentError),
    (lambda d: data.gen_maze(d, min_walls="x"), TypeError), (lambda d: data.gen_maze(d, min_walls=float("nan")), trm.Error),
    (lambda d: data.build_sudoku(d, "nowhere.csv"), trm.FileError), (lambda d: data.build_grid(d, "nowhere.csv"), trm.FileError),
    (lambda d: data.build_arc(d, "nowhere", ["a"]), trm.FileError), (lambda d: data.build_arc(d, "nowhere", "a"), TypeError),
    (lambda d: data.build_arc(d, "nowhere", []), trm.Error), (lambda d: data.build_maze(d, None), TypeError),
])
def test_builds_that_cannot_be_are_refused(tmp_path, make, kind):
    with pytest.raises(kind):
        make(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_long_build_can_be_stopped(tmp_path):
    """By its callback, by what that raises, and by Ctrl-C; nothing is left."""
    def raises(done, total):
        raise ZeroDivisionError("mine")

    for progress, kind in [(lambda d, t: False, trm.StoppedError), (raises, ZeroDivisionError),
                           (lambda d, t: os.kill(os.getpid(), signal.SIGINT), KeyboardInterrupt)]:
        with pytest.raises(kind):
            data.gen_sudoku(tmp_path / "out", size=9, train=500, test=0, progress=progress)
        assert list(tmp_path.iterdir()) == []


# --- evaluations ---


def test_an_evaluation_counts_what_solve_answers(sudokus):
    model, d = trm.load("sudoku4"), trm.Dataset.open(sudokus, "test")
    told = []
    e = model.evaluate(d, predictions=True, progress=lambda done, total: told.append((done, total)))
    inputs, labels, _ = d.arrays()
    answers = model.solve(inputs)
    assert (e.predictions == answers.tokens).all() and e.q.tobytes() == answers.q.tobytes()
    assert e.exact == (answers.tokens == labels).all(axis=1).sum() and e.exact_accuracy == e.exact / 16
    assert e.valid == answers.valid.sum() and e.exact_interval[0] < e.exact_accuracy <= e.exact_interval[1]
    assert told[-1] == (16, 16) and e.step_accuracy.shape == (16, 2) and e.halted.sum() == 16
    early = trm.evaluate(model, d, halt="q=2", limit=8)
    assert early.examples == 8 and early.mean_steps < e.mean_steps and early.predictions is None
    assert trm.evaluate(model, d, views=2, select="first", verify=True, limit=4).examples == 4


def test_an_evaluation_goes_on_after_a_stop(sudokus, tmp_path):
    model, d = trm.load("sudoku4"), trm.Dataset.open(sudokus, "test")
    whole = trm.evaluate(model, d, batch=4)
    with pytest.raises(trm.StoppedError):
        trm.evaluate(model, d, batch=4, state=tmp_path / "state", progress=lambda done, total: done < 8)
    assert (tmp_path / "state").exists()
    assert trm.evaluate(model, d, batch=4, state=tmp_path / "state").lm_loss == whole.lm_loss


def test_evaluations_that_cannot_be_are_refused(sudokus):
    model, d = trm.load("sudoku4"), trm.Dataset.open(sudokus)
    for options, kind in [({"limit": -1}, ValueError), ({"steps": 0}, ValueError), ({"halt": "x"}, ValueError),
                          ({"device": "x"}, ValueError), ({"select": "x"}, ValueError), ({"bar": "x"}, TypeError)]:
        with pytest.raises(kind):
            model.evaluate(d, **options)
    with pytest.raises(trm.ShapeError):
        trm.load("sudoku6").evaluate(d)


def test_fine_tuning_is_a_copy_that_learned(sudokus):
    model, d = trm.load("sudoku4"), trm.Dataset.open(sudokus)
    before = model.to_bytes()
    seen = []
    tuned = trm.finetune(model, d, steps=3, progress=lambda update, total, m: seen.append((update, total, m["loss"] > 0)))
    assert seen == [(1, 3, True), (2, 3, True), (3, 3, True)] and model.to_bytes() == before
    assert any((v != model.state_dict()[k]).any() for k, v in tuned.state_dict().items() if v.shape == model.state_dict()[k].shape)
    with pytest.raises(trm.StoppedError):
        trm.finetune(model, d, steps=3, progress=lambda *_: False)
    with pytest.raises(ZeroDivisionError):
        trm.finetune(model, d, steps=3, progress=lambda *_: 1 / 0)
    with pytest.raises(ValueError):
        trm.finetune(model, d, steps=-1)


# --- ARC ---


@pytest.fixture
def tasks(tmp_path):
    """Two tasks that exchange two colours; the second one's output is hidden."""
    def pair(a, b):
        return {"input": [[a, b], [b, b]], "output": [[b, a], [a, a]]}

    found = {"aa": {"train": [pair(1, 2), pair(3, 4)], "test": [pair(5, 6), pair(7, 8)]},
             "bb": {"train": [pair(2, 3)], "test": [pair(4, 5)]}}
    solutions = {"aa": [p["output"] for p in found["aa"]["test"]], "bb": [found["bb"]["test"][0]["output"]]}
    (tmp_path / "tasks.json").write_text(json.dumps(found))
    (tmp_path / "solutions.json").write_text(json.dumps(solutions))
    return tmp_path


def test_arc_from_tasks_to_a_score(tasks):
    listed = data.ArcTasks(tasks / "tasks.json")
    assert list(listed) == [("aa", 2, 2), ("bb", 1, 1)] and listed[-1].id == "bb" and listed[:1] == [listed[0]]
    train, test, names = listed.dataset(num_aug=3, canvas=4, seed=1)
    assert len(names) == train.num_puzzle_ids == 9 and names[0] == "<blank>" and names[1] == "aa"
    assert len(test) == 3 * 4 and train.puzzle.kind == "arc"
    grid = train.puzzle.decode(train[0].question)
    assert grid.dtype == np.int32 and grid.shape == (2, 2) and set(grid.ravel()) <= set(range(10))

    # Right answers, of which one task's are wrong in all copies but one.
    votes = data.ArcVotes(listed, names)
    for i, e in enumerate(test):
        votes.add(i, e.puzzle_id, e.question, e.label, q_halt=1.0)
    assert votes.count([1, 2]) == {1: 1.0, 2: 1.0}
    best = votes.answers(0, 1)
    assert best[0].grid.tolist() == [[8, 7], [7, 7]] and best[0].right and best[0].votes == 4 and 0.7 < best[0].q < 0.8
    votes.submit(tasks / "submission.json")
    score = data.arc_score(tasks / "submission.json", tasks / "solutions.json")
    assert score.score == 1 and score.solved == score.tasks == 2 and score.right == score.inputs == 3

    few = data.ArcVotes(listed, names)
    few.add(0, 1, test[0].question, test[0].label, q_halt=0)
    assert few.submit(tasks / "some.json", listed) == 2
    assert data.arc_score(tasks / "some.json", tasks / "solutions.json").right < 3


def test_arc_folders_vote_in_evaluations(tasks):
    (tasks / "arc_x_challenges.json").write_text((tasks / "tasks.json").read_text())
    report = data.build_arc(tasks / "data", tasks / "arc", ["x"], test_set="x", num_aug=2, canvas=4)
    assert report.tasks == 2 and report.test_examples == 9 and report.identifiers == 6
    test = trm.Dataset.open(tasks / "data", "test")
    model = trm.create_model(test.puzzle, num_puzzle_identifiers=test.num_puzzle_ids, hidden_size=16, num_heads=2,
                             L_layers=1, H_cycles=1, L_cycles=1, puzzle_emb_ndim=16, halt_max_steps=2)
    votes = data.ArcVotes(tasks / "data")
    assert model.evaluate(test, votes=votes).examples == 9
    assert votes.count([2])[2] == 0 and votes.answers(0)[0].votes >= 1


def test_what_is_no_arc_is_refused(tasks):
    listed = data.ArcTasks(tasks / "tasks.json")
    _, test, names = listed.dataset(canvas=3)
    votes = data.ArcVotes(listed, names)
    x = test[0].question
    for call, kind in [(lambda: data.ArcTasks(tasks / "nothing.json"), trm.FileError), (lambda: listed[7], IndexError),
                       (lambda: data.ArcTasks(tasks / "solutions.json"), trm.Error), (lambda: data.ArcVotes(listed), TypeError),
                       (lambda: listed.dataset(canvas=1), trm.ShapeError), (lambda: listed.dataset(num_aug=-1), ValueError),
                       (lambda: votes.add(0, 1, x[:-1], x[:-1], 0.0), trm.ShapeError),
                       (lambda: votes.add(0, 99, x, x, 0.0), trm.RangeError),
                       (lambda: votes.add(0, 1, x, x, float("nan")), trm.NumericError),
                       (lambda: votes.add(0, 1, "x", x, 0.0), TypeError), (lambda: votes.answers(9), trm.ArgumentError),
                       (lambda: votes.count([0]), trm.ArgumentError), (lambda: votes.submit("/nowhere/at/all/x.json"), trm.FileError),
                       (lambda: data.arc_score("a", "b"), trm.FileError)]:
        with pytest.raises(kind):
            call()
