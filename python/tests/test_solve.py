"""Answers: of all at once, of a queue, step by step; from threads, after a fork, and what is refused."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trm


def test_one_puzzle_in_every_form(sudoku6, puzzle6, answer6):
    a = sudoku6.solve(puzzle6)
    assert a.text == answer6 and str(a) == answer6 and a.valid is True and a.q > 0 and 0.5 < a.confidence <= 1
    assert a.steps == sudoku6.config["halt_max_steps"] and not a.halted
    assert a.grid.shape == (6, 6) and a.grid.dtype == np.int32 and a.grid[0].tolist() == [2, 6, 4, 3, 5, 1]
    question = sudoku6.puzzle.encode(puzzle6)
    for form in (question, sudoku6.puzzle.decode(question), sudoku6.puzzle.decode(question).tolist()):
        assert (sudoku6.solve(form).tokens == a.tokens).all()
    assert a._repr_svg_().startswith("<svg")


def test_batches_are_the_same_bits_as_single_puzzles(sudoku6, puzzle6):
    blank = "." * 36
    puzzles = [puzzle6, blank, puzzle6[:12] + "." * 24]
    singles = [sudoku6.solve(p, logits=True) for p in puzzles]
    for options in ({}, {"rows": 1}, {"rows": 2, "threads": 1}):
        many = sudoku6.solve(puzzles, logits=True, **options)
        assert len(many) == 3 and many.tokens.shape == (3, 36) and many.valid.shape == (3,)
        assert many.logits.tobytes() == np.stack([s.logits for s in singles]).tobytes()
        assert many.q.tolist() == [np.float32(s.q) for s in singles]
    assert [str(a) for a in many[1:]] == [s.text for s in singles[1:]]
    assert (many.logits.argmax(-1) == many.tokens).all()


def test_solving_in_int8(sudoku6, puzzle6, answer6, tmp_path):
    rounded = sudoku6.with_dtype("int8")
    got, want = (m.solve(puzzle6, logits=True) for m in (rounded, sudoku6))
    assert got.text == answer6 and got.logits.tobytes() != want.logits.tobytes()
    assert np.abs(got.logits - want.logits).max() < 0.1 * np.abs(want.logits).max()
    with pytest.raises(trm.ArgumentError, match="files hold weights in float32 or bfloat16"):
        rounded.save(tmp_path / "m.safetensors", "int8")
    with pytest.raises(trm.ConfigError, match="files hold weights in float32 or bfloat16"):
        sudoku6.save(tmp_path / "m.onnx", "int8")
    rounded.save(tmp_path / "m.safetensors")
    assert trm.load(tmp_path / "m.safetensors").config["forward_dtype"] == "bfloat16"


def test_early_exit_costs_fewer_steps(sudoku6, puzzle6):
    full = sudoku6.solve(puzzle6)
    for rule in ("q=2", 2, 2.0, "twice=2"):
        early = sudoku6.solve(puzzle6, halt=rule)
        assert early.halted and early.steps < full.steps and early.q > 2
    assert sudoku6.solve(puzzle6, halt=1e6).steps == full.steps
    assert sudoku6.solve(puzzle6, steps=2).steps == 2


def test_trajectories_and_latents(sudoku6, puzzle6):
    a = sudoku6.solve(puzzle6, steps=4, trajectory=True, latents=True)
    assert a.trajectory.shape == (4, 36) and a.q_trajectory.shape == (4,)
    assert (a.trajectory[-1] == a.tokens).all() and a.q_trajectory[-1] == np.float32(a.q)
    assert set(a.latents) == {"z_H", "z_L"} and (a.latents["z_H"] == a.tokens).all()
    assert (a.trajectory[1] == sudoku6.solve(puzzle6, steps=2).tokens).all()


def test_several_tries(sudoku6, puzzle6, answer6):
    a = sudoku6.solve(puzzle6, views=4, select="vote", seed=3)
    assert a.tries == 4 and a.text == answer6 and 1 <= a.agree <= 4
    assert a.steps == 4 * sudoku6.config["halt_max_steps"]
    assert sudoku6.solve(puzzle6, views=4, select="first", verify=True).accepted
    noisy = [sudoku6.solve(puzzle6, rollouts=2, noise=0.5, seed=seed, logits=True) for seed in (1, 1, 2)]
    assert noisy[0].logits.tobytes() == noisy[1].logits.tobytes() != noisy[2].logits.tobytes()


def test_symmetries_of_the_question_are_symmetries_of_the_views(sudoku6, puzzle6, answer6):
    """A renamed puzzle is answered by the renamed answer."""
    rename = np.array([0, 3, 1, 2, 6, 4, 5])
    p = sudoku6.puzzle
    grid, right = p.decode(p.encode(puzzle6)), p.decode(p.encode(answer6))
    assert (sudoku6.solve(rename[grid], views=4, verify=True).grid == rename[right]).all()


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(1, 7)), st.permutations(range(3)), st.permutations(range(2)))
def test_any_image_of_a_puzzle_is_a_puzzle(digits, bands, stacks):
    """Digits renamed, bands and stacks exchanged: a right answer is the image of the answer."""
    model = trm.load("sudoku6")
    p = model.puzzle

    def image(text: str) -> np.ndarray:
        grid = np.array([0, *digits])[p.decode(p.encode(text))]
        rows = np.concatenate([grid[2 * b:2 * b + 2] for b in bands])
        return np.concatenate([rows[:, 3 * s:3 * s + 3] for s in stacks], axis=1)

    question, right = image("26....3.........1.5...2.43.........5"), image("264351351246642513513624435162126435")
    assert p.solves(p.encode(question), p.encode(right))
    a = model.solve(question, views=2, verify=True)
    assert a.valid == bool((a.grid == right).all())


def test_mazes(maze10):
    maze = ("S.........", "########..", "..........", "..########", "..........", "########..", "..........",
            "..########", "..........", "########.G")
    a = maze10.solve("/".join(maze))
    assert a.grid.shape == (10, 10) and a.grid.dtype.kind == "U"
    assert maze10.puzzle.decode(a.question)[0, 0] == "S"  # what the model puts there is its affair
    assert a._repr_svg_().startswith("<svg")
    rows = [list(line.replace(".", " ")) for line in maze]
    assert (maze10.solve(rows).tokens == a.tokens).all()


def test_a_queue_answers_as_they_are_done(sudoku6, puzzle6, answer6):
    with trm.Queue(sudoku6, halt="q=2", rows=2, waiting=1) as queue:
        assert queue.room == 3 and queue.busy == 0 and queue.take() == []
        queue.submit(puzzle6, key="first")
        assert queue.room == 2 and queue.busy == 1
        while queue.busy:
            queue.step()
        [(key, answer)] = queue.take()
        assert key == "first" and answer.text == answer6
        found = dict(queue.map(puzzle6 for _ in range(7)))
        assert sorted(found) == list(range(7)) and {a.text for a in found.values()} == {answer6}
        for _ in range(queue.room):
            queue.submit(puzzle6)
        with pytest.raises(trm.ArgumentError):
            queue.submit(puzzle6)
    with pytest.raises(ValueError, match="closed"):
        queue.step()


def test_a_solver_goes_step_by_step(sudoku6, puzzle6):
    with trm.Solver(sudoku6, batch=2) as s:
        assert s.rows == 0 and s.tokens.shape == (0, 36) and s.latents["z_H"].shape[0] == 0
        s.start([puzzle6, "." * 36])
        for step in range(1, 4):
            s.step()
            assert s.steps.tolist() == [step, step]
        wanted = sudoku6.solve(puzzle6, steps=3, logits=True)
        assert (s.tokens[0] == wanted.tokens).all() and s.logits[0].tobytes() == wanted.logits.tobytes()
        assert s.q[0] == np.float32(wanted.q) and s.q_continue.shape == (2,)
        positions, width = sudoku6.cost.positions, sudoku6.config["hidden_size"]
        assert {k: v.shape for k, v in s.latents.items()} == dict.fromkeys(s.latent_names, (2, positions, width))
        tokens, logits = s.read_latent("z_H")
        assert (tokens == s.tokens).all() and logits.tobytes() == s.logits.tobytes()
        kept = s.tokens
        s.start(puzzle6)
        s.step()
        assert s.rows == 1 and kept.shape == (2, 36) and s.kernels and s.nbytes > 0
        with pytest.raises(KeyError, match="z_H"):
            s.read_latent("z")
        with pytest.raises(trm.ArgumentError):
            s.start([puzzle6] * 3)


@pytest.mark.parametrize("options, kind", [
    ({"steps": 0}, trm.ArgumentError), ({"steps": -1}, trm.ArgumentError), ({"steps": 2**40}, trm.ArgumentError),
    ({"steps": 1.5}, TypeError), ({"steps": "3"}, TypeError), ({"halt": "x"}, trm.ArgumentError),
    ({"halt": float("nan")}, trm.ArgumentError), ({"halt": [1]}, TypeError), ({"views": 0}, trm.ArgumentError),
    ({"views": 10**6}, trm.ArgumentError), ({"rollouts": 3}, trm.ArgumentError), ({"noise": -1}, trm.ArgumentError),
    ({"noise": "loud"}, TypeError), ({"select": "x"}, trm.ArgumentError), ({"select": None}, TypeError),
    ({"seed": -1}, trm.ArgumentError), ({"seed": 2**64}, trm.ArgumentError), ({"device": "gpu"}, trm.ConfigError),
    ({"device": 0}, TypeError), ({"threads": -1}, trm.ArgumentError), ({"search": 1}, trm.ArgumentError),
    ({"views": 2, "trajectory": True}, trm.ArgumentError), ({"puzzle_ids": [1]}, trm.RangeError),
    ({"puzzle_ids": [0, 0]}, trm.ShapeError), ({"puzzle_ids": ["a"]}, TypeError), ({"nonsense": 1}, TypeError),
    ({"rows": 2**31 - 1}, (trm.OutOfMemoryError, trm.ArgumentError)),
])
def test_options_out_of_range_are_refused(sudoku6, puzzle6, options, kind):
    with pytest.raises(kind):
        sudoku6.solve(puzzle6, **options)


def test_questions_without_an_answer_are_refused(sudoku6, puzzle6):
    with pytest.raises(trm.PuzzleError, match="row 1, column 2"):
        sudoku6.solve("22" + "." * 34)
    with pytest.raises(trm.PuzzleError, match="puzzle 1"):
        sudoku6.solve([puzzle6, "22" + "." * 34])
    assert not sudoku6.solve("22" + "." * 34, check=False).valid
    with pytest.raises(trm.RangeError):
        sudoku6.solve(np.full(36, 99), check=False)


def test_threads_share_models_and_wait_for_queues(sudoku6, puzzle6, answer6):
    """Many threads, each with a solve of its own, and all with one queue and one solver."""
    failures, texts = [], []
    queue, solver = trm.Queue(sudoku6, halt="q=2", rows=2, waiting=64), trm.Solver(sudoku6)

    def work() -> None:
        try:
            texts.append(sudoku6.solve(puzzle6).text)
            for _ in range(5):
                queue.submit(puzzle6)
                queue.step()
                texts.extend(answer.text for _, answer in queue.take())
                solver.start(puzzle6)
                solver.step()
                assert solver.tokens.shape == (1, 36)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    while queue.busy:
        queue.step()
    texts += [answer.text for _, answer in queue.take()]
    assert not failures and texts == [answer6] * 24


def test_other_threads_of_python_run_meanwhile(sudoku6):
    """A step lets the interpreter go: a thread that counts gets on while another solves."""
    counted, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            counted[0] += 1
            done.wait(0.001)

    with trm.Solver(sudoku6, batch=256) as s:
        s.start(["." * 36] * 256)
        s.step()
        t = threading.Thread(target=count)
        t.start()
        before = counted[0]
        for _ in range(3):
            s.step()
        after = counted[0]
        done.set()
        t.join()
    assert after > before + 3


def test_a_child_of_a_fork_works_on(sudoku6, puzzle6, answer6):
    solver = trm.Solver(sudoku6)
    solver.start(puzzle6)
    solver.step()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for _ in range(15):
                solver.step()
            solver.close()
            right = sudoku6.puzzle.encode(answer6)
            code = 0 if (sudoku6.solve(puzzle6).tokens == right).all() else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) == 0 and os.WIFEXITED(status)
    solver.step()
    assert solver.steps.tolist() == [2]


def test_what_is_shown_says_what_it_is(sudoku6, puzzle6):
    """At a prompt; an answer under the names of its attributes."""
    answer = sudoku6.solve(puzzle6)
    assert f" confidence {answer.confidence:.3f} steps {answer.steps}>" in repr(answer)
    with trm.Queue(sudoku6) as queue, trm.Solver(sudoku6, batch=3) as solver, trm.Trainer(sudoku6, batch_size=2) as trainer:
        assert repr(queue) == f"<trm.Queue of {sudoku6!r}>" and repr(solver) == f"<trm.Solver of {sudoku6!r}, batch 3>"
        assert repr(trainer) == "<trm.Trainer: batch_size 2, seq_len 36>"
    assert all(repr(each).endswith(", closed>") for each in (queue, solver, trainer))


def test_closing_twice_and_using_after_it():
    model = trm.load("sudoku4")
    for thing in (trm.Queue(model), trm.Solver(model)):
        thing.close()
        thing.close()
        with pytest.raises(ValueError, match="closed"):
            thing.step()
        with pytest.raises(ValueError, match="closed"):
            with thing:
                pass
    for wrong in (None, "sudoku4", 7):
        with pytest.raises(TypeError):
            trm.Queue(wrong)
        with pytest.raises(TypeError):
            trm.Solver(wrong)


def test_solvers_keep_their_models(monkeypatch):
    """A model lives as long as what computes with it, and is freed after it, whatever goes first."""
    from trm import _lib

    freed = []
    for name in ("trm_model_free", "trm_solver_free", "trm_thinker_free"):
        function = getattr(_lib.lib, name)
        monkeypatch.setattr(_lib.lib, name, lambda at, name=name, function=function: (freed.append(name), function(at)))
    for make, last in ((trm.Solver, "trm_solver_free"), (trm.Queue, "trm_thinker_free")):
        thing = make(trm.load("sudoku4"))
        gc.collect()
        assert freed == []
        if make is trm.Solver:
            thing.start("." * 16)
            thing.step()
            assert thing.tokens.shape == (1, 16)
        del thing
        gc.collect()
        assert freed == [last, "trm_model_free"]
        freed.clear()


@pytest.mark.parametrize("user, ask", [
    ("trm.Queue(model, threads=1, rows=1)", "self.user.submit(puzzle); self.user.step()"),
    ("trm.Solver(model, threads=1)", "self.user.start(puzzle); self.user.step()"),
])
def test_what_a_cycle_holds_lives_until_nobody_can_ask_it(user, ask, puzzle6):
    """The collector frees a cycle in any order, after every __del__, which may still use all of it."""
    script = f"""
import gc, trm, weakref
puzzle = {puzzle6!r}
class Session:
    def __init__(self, *parts):
        self.itself, (self.model, self.weights, self.user) = self, parts
        self.before = self.sum()
    def sum(self):
        return sum(float(abs(w).sum()) for w in self.weights.values())
    def __del__(self):
        {ask}
        print(self.sum() == self.before)
def make():
    model = trm.load("sudoku6")
    return model, model.state_dict(), {user}
held = len(weakref.finalize._registry)
for _ in range(3):
    Session(*make())
    gc.collect()
print(len(weakref.finalize._registry) - held)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["True"] * 3 + ["0"]), done.stderr


@pytest.mark.parametrize("id", [2**40, float("nan"), 0.5])
def test_a_number_alone_is_not_cut_either(sudoku6, puzzle6, id):
    with pytest.raises(trm.RangeError, match="32 bits"):
        sudoku6.solve(puzzle6, puzzle_ids=id, steps=1)
