"""ONNX files: what the runtimes make of them is what the library computes."""

from __future__ import annotations

import functools
import json
import os
import sys

import numpy as np
import pytest

import trm

onnx = pytest.importorskip("onnx")
_onnx = pytest.importorskip("trm._onnx")


# --- the runtimes: from a model's bytes to a function of a dictionary of inputs ---


def onnxruntime(data: bytes):
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.log_severity_level = 3  # it warns of every input that has a default
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs)))


@functools.lru_cache(maxsize=None)
def core():
    """One for the process: of several the last that goes leaves the thread with a stack for signals that is no
    more, and Ctrl-C ends the process (findings/openvino_signal_stack.sh)."""
    return pytest.importorskip("openvino").Core()


def openvino(data: bytes, precision: str = "f32"):
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision}
    model = core().compile_model(core().read_model(data), "CPU", settings)

    def run(inputs):
        outputs = model(inputs)  # each goes by several names
        return {name: outputs[port] for port in model.outputs for name in port.names}

    return run


def reference(data: bytes):
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load_model_from_string(data))
    return lambda inputs: dict(zip(evaluator.output_names, evaluator.run(None, inputs)))


RUNTIMES = pytest.mark.parametrize("runtime", [onnxruntime, openvino, reference], ids=lambda f: f.__name__)


# --- what the library says ---


def checked(model: trm.Model, **options) -> bytes:
    proto = _onnx.build(model, **options)
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


class Ours:
    """The library's answers after each step, with all products in float32."""

    def __init__(self, model: trm.Model, tokens, steps: int, ids=None):
        self.after = []
        with trm.Solver(model.with_dtype("float32"), batch=len(tokens)) as solver:
            solver.start(tokens, ids)
            for _ in range(steps):
                solver.step()
                self.after.append({"tokens": solver.tokens, "logits": solver.logits, "q_halt": solver.q,
                                   "q_continue": solver.q_continue, **solver.latents})


def compare(theirs, ours, within=None, real=None) -> None:
    """Tokens are equal; all else `within` a bound, or 1e-4 of the largest value. real [n, positions]: those
    of latents that are no padding."""
    assert (theirs["tokens"] == ours["tokens"]).all()
    for name, value in ours.items():
        found = theirs.get(f"next_{name}", theirs.get(name))
        if found is None:
            continue
        assert found.shape == value.shape, name
        if real is not None and name.startswith("z_"):
            found, value = found[real], value[real]
        sure = np.abs(value) > 1e29  # walls
        assert (found[sure] == value[sure]).all(), name
        worst = np.abs(found[~sure].astype(np.float64) - value[~sure]).max()
        bound = within or 1e-4 * max(1.0, np.abs(value[~sure]).max())
        assert worst <= bound, f"{name}: {worst}, want {bound}"


# --- the models that come with the package ---


def questions(model: trm.Model, n: int):
    """Puzzles of a shipped model, as tokens [n, seq_len]."""
    if model.puzzle.kind == "maze":
        rows = ["S.........", "########.#", ".........#", ".#########", "..........", ".########.", ".#......#.",
                ".#.####.#.", ".#.#..#.#.", ".###..#.#G"]
        one = model.puzzle.encode("/".join(rows))
        return np.stack([one] * n)
    one = model.puzzle.encode("26....3.........1.5...2.43.........5")
    two = model.puzzle.encode(".3.5...4.......4..62...3.....21.....")
    return np.stack([(one, two)[i % 2] for i in range(n)])


@RUNTIMES
def test_a_whole_solve_is_the_librarys(runtime, sudoku6):
    """Sixteen steps of 6x6, with the last answer fed back, in float32."""
    run = runtime(checked(sudoku6))
    for n in (1, 7) if runtime is not reference else (1,):
        x = questions(sudoku6, n)
        compare(run({"inputs": x}), Ours(sudoku6, x, 16).after[-1], within=1e-4)


@RUNTIMES
def test_a_maze_with_attention(runtime, maze10):
    x = questions(maze10, 2)
    run = runtime(checked(maze10, steps=3))
    compare(run({"inputs": x}), Ours(maze10, x, 3).after[-1])


@RUNTIMES
def test_bfloat16_weights_are_those_of_the_other_files(runtime, tmp_path):
    """A model whose weights are no bfloat16 becomes what its bfloat16 file is."""
    model = drawn(trm.Puzzle.sudoku(4), mlp_t=True, pos_encodings="none")
    model.save(tmp_path / "m.safetensors", dtype="bfloat16")
    rounded = trm.load(tmp_path / "m.safetensors")
    x = tokens_of(model, 3)
    ours = Ours(rounded, x, 3).after[-1]
    plain, small = checked(model, steps=3), checked(model, steps=3, dtype="bfloat16")
    compare(runtime(small)({"inputs": x}), ours)
    assert np.abs(Ours(model, x, 3).after[-1]["logits"] - ours["logits"]).max() > 1e-3
    weights = sum(a.size for a in model.state_dict().values())
    assert len(plain) - len(small) > 1.9 * weights


def test_openvino_rounds_to_bfloat16_by_itself_where_the_cpu_can(sudoku6):
    if "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16")
    x = questions(sudoku6, 1)
    ours = Ours(sudoku6, x, 16).after[-1]
    theirs = openvino(checked(sudoku6), "bf16")({"inputs": x})
    assert (theirs["tokens"] == ours["tokens"]).all()
    assert 1e-3 < np.abs(theirs["logits"] - ours["logits"]).max() < 2


# --- features, one tiny model of random weights each ---


def drawn(puzzle: trm.Puzzle, **config) -> trm.Model:
    """A model of which no weight is zero, as those of a new one are."""
    fields = dict(hidden_size=32, num_heads=2, expansion=2.0, L_layers=1, H_cycles=2, L_cycles=2, halt_max_steps=3,
                  puzzle_emb_ndim=0, pos_encodings="rope")
    model = trm.create_model(puzzle, 7, **{**fields, **config})
    rng = np.random.default_rng(5)
    state = {name: (a + rng.normal(0, 0.3 if a.std() == 0 else 0.02, a.shape)).astype(np.float32)
             for name, a in model.state_dict().items()}
    return trm.from_torch(state, model.config, puzzle=puzzle)


def tokens_of(model: trm.Model, n: int):
    """Random questions that hold blanks and, of a maze, walls."""
    rng = np.random.default_rng(n)
    p = model.puzzle
    x = rng.integers(p.first_token, model.vocab_size, (n, model.seq_len), dtype=np.int32)
    x = np.where(rng.random(x.shape) < 0.3, np.int32((p.blanks or (p.first_token,))[0]), x)
    return x if p.wall < 0 else np.where(rng.random(x.shape) < 0.3, np.int32(p.wall), x)


def real_positions(model: trm.Model, x):
    """[n, positions]: True of those that are no padding; None: all are."""
    if not model.config["open_cells"]:
        return None
    positions, n_tokens = model.cost.positions, model.config["max_open_cells"] or model.seq_len
    n_open = (x != model.puzzle.wall).sum(axis=1)
    return np.arange(positions) < positions - n_tokens + n_open[:, None]


SUDOKU4, MAZE = trm.Puzzle.sudoku(4), trm.Puzzle.maze(4, 5)
LATIN = trm.grid(3, 3, [".", "0", "a", "b", "c"], rules="latin")
OWN_SUDOKU = trm.grid(6, 6, list(".123456"), rules="sudoku")
MIXER = dict(mlp_t=True, pos_encodings="none")
OPEN = dict(open_cells=True, no_ACT_continue=True)
FEATURES = {
    "mixer": (SUDOKU4, MIXER),
    "mixer with gate norms": (SUDOKU4, {**MIXER, "gate_norm": True}),
    "attention": (SUDOKU4, {}),
    "learned positions": (SUDOKU4, dict(pos_encodings="learned", registers=2)),
    "no positions": (SUDOKU4, dict(pos_encodings="none")),
    "positions in two dimensions": (MAZE, dict(pos_encodings="rope2d", rope_theta=100.0, rope_theta_cols=10.0,
                                               registers=1)),
    "norms inside of branches": (SUDOKU4, dict(qk_norm=True, gate_norm=True, attn_out_norm=True,
                                               inner_norm_eps=1e-2, rms_norm_eps=1e-3)),
    "registers": (SUDOKU4, {**MIXER, "registers": 3}),
    "a puzzle embedding": (SUDOKU4, {**MIXER, "puzzle_emb_ndim": 40, "puzzle_emb_len": 3, "registers": 1}),
    "many puzzle embeddings": (SUDOKU4, dict(puzzle_emb_ndim=64, puzzle_emb_len=2, num_puzzle_identifiers=5,
                                             pos_encodings="learned")),
    "tables of rows, columns and boxes": (trm.Puzzle.sudoku(6), dict(grid_tables=True)),
    "tables of a grid of one's own": (OWN_SUDOKU, {**MIXER, "grid_tables": True}),
    "tables without boxes": (MAZE, dict(grid_tables=True)),
    "feedback": (SUDOKU4, {**MIXER, "feedback": True, "no_ACT_continue": True}),
    "feedback with two blanks": (LATIN, dict(feedback=True, no_ACT_continue=True, registers=1)),
    "open cells": (MAZE, OPEN),
    "open cells and all else": (MAZE, dict(OPEN, max_open_cells=17, feedback=True, registers=1, grid_tables=True,
                                           puzzle_emb_ndim=32, puzzle_emb_len=1, pos_encodings="rope2d")),
    "open cells with learned positions": (MAZE, dict(OPEN, pos_encodings="learned", registers=2)),
    "a net for the answer": (SUDOKU4, {**MIXER, "nets": "separate", "H_layers": 2}),
    "e in the answer's update": (SUDOKU4, {**MIXER, "x_always": True}),
    "damping": (SUDOKU4, {**MIXER, "damping": 0.3}),
    "tied embeddings": (SUDOKU4, {**MIXER, "tie_embeddings": True}),
    "tied embeddings with open cells": (MAZE, dict(OPEN, tie_embeddings=True)),
    "learned latents": (SUDOKU4, {**MIXER, "learned_latents": True, "grad": "all"}),
    "hrm": (SUDOKU4, dict(arch="hrm", H_layers=1)),
    "trm_singlez": (SUDOKU4, dict(arch="trm_singlez", x_always=True)),
    "trm_hier6": (SUDOKU4, {**MIXER, "arch": "trm_hier6", "L_cycles": 4}),
    "trm_hier": (SUDOKU4, {**MIXER, "arch": "trm_hier", "L_cycles": 3}),
    "transformers_baseline": (SUDOKU4, dict(arch="transformers_baseline", H_layers=2, H_cycles=1, L_cycles=0,
                                            L_layers=0)),
}


@RUNTIMES
@pytest.mark.parametrize("feature", FEATURES)
def test_features(runtime, feature):
    """Both kinds of graph, three steps: a solve at once, and step by step with the latents handed on."""
    puzzle, config = FEATURES[feature]
    model = drawn(puzzle, **config)
    solve, step = runtime(checked(model, steps=3)), runtime(checked(model, kind="step"))
    for n in (1, 7):
        x = tokens_of(model, n)
        ids = {"puzzle_ids": np.arange(n, dtype=np.int32) % 5} if model.config["num_puzzle_identifiers"] > 1 else {}
        ours = Ours(model, x, 3, ids.get("puzzle_ids")).after
        compare(solve({"inputs": x, **ids}), ours[-1])

        shape = (n, model.cost.positions, model.config["hidden_size"])
        latents = [name for name in ours[0] if name.startswith("z_")]
        carry = {name: np.full(shape, np.nan, np.float32) for name in latents}  # whatever comes in
        if model.config["feedback"]:
            carry["last_tokens"] = np.zeros_like(x)
        for i, after in enumerate(ours):
            out = step({"inputs": x, **ids, **carry, "reset": np.full(n, i == 0)})
            compare(out, after, real=real_positions(model, x))
            carry = {name: out.get(f"next_{name}", out["tokens"]) for name in carry}


@RUNTIMES
def test_rows_that_begin_leave_the_others_alone(runtime):
    puzzle, config = FEATURES["feedback"]
    model = drawn(puzzle, **config)
    step = runtime(checked(model, kind="step"))
    x = tokens_of(model, 2)
    ours = Ours(model, x, 2).after
    zeros = np.zeros((2, model.cost.positions, 32), np.float32)
    first = step({"inputs": x, "z_H": zeros, "z_L": zeros, "last_tokens": x, "reset": np.array([True, True])})
    second = step({"inputs": x, "z_H": first["next_z_H"], "z_L": first["next_z_L"], "last_tokens": first["tokens"],
                   "reset": np.array([False, True])})
    for row, after in ((0, ours[1]), (1, ours[0])):
        compare({name: a[[row]] for name, a in second.items()}, {name: a[[row]] for name, a in after.items()})


@RUNTIMES
def test_what_a_graph_cannot_refuse_is_nan(runtime):
    """An id whose embedding was not kept; a maze with more open cells than there are tokens, or none."""
    from trm._lib import Handle, create

    puzzle, config = FEATURES["many puzzle embeddings"]
    model = drawn(puzzle, **config)
    ids = np.array([3, 0], np.int32)
    address = create("trm_model_keep_puzzle_ids", model.address, ids.ctypes.data, 2)
    kept = trm.Model(Handle(address, "trm_model_free", "model"))
    x = tokens_of(model, 3)
    found = runtime(checked(kept, steps=2))({"inputs": x, "puzzle_ids": np.array([3, 0, 2], np.int32)})
    ours = Ours(model, x[:2], 2, ids).after[-1]
    compare({name: a[:2] for name, a in found.items()}, ours)
    assert np.isnan(found["logits"][2]).all() and np.isnan(found["q_halt"][2])

    model = drawn(MAZE, **OPEN, max_open_cells=3)
    x = np.full((3, 20), MAZE.wall, np.int32)
    x[0, :3] = x[1, :4] = MAZE.blanks[0]
    found = runtime(checked(model, steps=2))({"inputs": x})
    compare({name: a[:1] for name, a in found.items()}, Ours(model, x[:1], 2).after[-1])
    assert np.isnan(found["q_halt"][1:]).all()


# --- the files ---


def test_the_number_of_steps_is_an_input_with_a_default(sudoku6):
    """But OpenVINO takes the default for good (findings/openvino_default_inputs.sh)."""
    x = questions(sudoku6, 1)
    ours = Ours(sudoku6, x, 4).after
    data = checked(sudoku6, steps=2)
    for solve in (onnxruntime(data), reference(data)):
        compare(solve({"inputs": x}), ours[1])
        compare(solve({"inputs": x, "steps": np.array(4)}), ours[3])


def test_a_file_says_what_it_is(tmp_path, sudoku6):
    sudoku6.to_onnx(tmp_path / "m.onnx", kind="step", dtype="bfloat16")
    model = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert os.listdir(tmp_path) == ["m.onnx"]
    assert (model.producer_name, model.producer_version) == ("trm", trm.__version__)
    assert model.graph.name == "sudoku6" and model.doc_string.startswith("one supervision step")
    about = {each.key: each.value for each in model.metadata_props}
    assert about["trm_graph"] == "step" and about["trm_weights"] == "bfloat16"
    assert json.loads(about["trm_config"]) == sudoku6.config
    puzzle = json.loads(about["trm_puzzle"])
    assert puzzle == {"kind": "sudoku", "rows": 6, "cols": 6, "first_token": 1, "symbols": list(".123456")}
    assert [i.name for i in model.graph.input] == ["inputs", "reset", "last_tokens", "z_H", "z_L"]
    assert [o.name for o in model.graph.output] == ["tokens", "logits", "q_halt", "q_continue", "next_z_H", "next_z_L"]
    assert [d.dim_param or d.dim_value for d in model.graph.input[3].type.tensor_type.shape.dim] == ["batch", 37, 64]


def test_the_ending_says_what_is_written(tmp_path, sudoku6):
    sudoku6.save(tmp_path / "m.ONNX")
    assert onnx.load(tmp_path / "m.ONNX").graph.name == "sudoku6"
    for name in ("m.gguf", "m.onnx2", "m.bin"):
        with pytest.raises(trm.ArgumentError, match=r"want NAME.safetensors, NAME.pt, NAME.pth, NAME.onnx, or a folder"):
            sudoku6.save(tmp_path / name)
    for name in ("m.onnx/", "plain", "v1.5"):
        sudoku6.save(f"{tmp_path}/{name}")
        assert (tmp_path / name).is_dir()
    with pytest.raises(trm.FileError, match="cannot write"):
        sudoku6.save(tmp_path / "nowhere" / "m.onnx")


def test_a_file_is_complete_or_not_there(tmp_path, sudoku6, monkeypatch):
    """What fails on the way leaves what was there, and nothing beside it."""
    (tmp_path / "m.onnx").write_bytes(b"before")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(trm.FileError, match="m.onnx: cannot write: No space left on device"):
            sudoku6.to_onnx(tmp_path / "m.onnx")
    assert os.listdir(tmp_path) == ["m.onnx"] and (tmp_path / "m.onnx").read_bytes() == b"before"
    sudoku6.to_onnx(tmp_path / "m.onnx")
    assert os.listdir(tmp_path) == ["m.onnx"] and onnx.load(tmp_path / "m.onnx").graph.name == "sudoku6"


REFUSED = {
    "moe": dict(moe="switch:2", mlp_t=True, pos_encodings="none"),
    "moe_t": dict(moe_t="noisy_top2:3", mlp_t=True, pos_encodings="none"),
    "solver": dict(solver="fixed_point"),
    "start_std": dict(start_std=1.0),
    "update_noise": dict(update_noise=0.01),
}


@pytest.mark.parametrize("field", REFUSED)
def test_what_onnx_cannot_say_is_refused_by_name(field, tmp_path):
    model = trm.create_model(SUDOKU4, hidden_size=32, num_heads=2, **REFUSED[field])
    with pytest.raises(trm.ConfigError, match=f"^{field}=.*: it cannot become ONNX: "):
        model.to_onnx(tmp_path / "m.onnx")
    assert not os.listdir(tmp_path)


def test_wrong_arguments_are_refused(sudoku6, tmp_path):
    with pytest.raises(trm.ConfigError, match="kind='loop': want solve or step"):
        sudoku6.to_onnx(tmp_path / "m.onnx", kind="loop")
    with pytest.raises(trm.ConfigError, match="dtype='int8'"):
        sudoku6.to_onnx(tmp_path / "m.onnx", dtype="int8")
    with pytest.raises(trm.ArgumentError, match="steps=-1"):
        sudoku6.to_onnx(tmp_path / "m.onnx", steps=-1)
    for steps in (0, 1025):  # as of trm.solve
        with pytest.raises(trm.ArgumentError, match=f"steps={steps}: want a whole number from 1 to 1024"):
            sudoku6.to_onnx(tmp_path / "m.onnx", steps=steps)
    with pytest.raises(trm.ArgumentError, match="steps=3: want it with kind='solve'"):
        sudoku6.to_onnx(tmp_path / "m.onnx", kind="step", steps=3)


def test_too_many_weights_are_refused(sudoku6, monkeypatch):
    monkeypatch.setattr(_onnx, "MOST_BYTES", 500_000)
    with pytest.raises(trm.ConfigError, match="627,.* bytes of weights: .*--puzzle-emb used:DATA"):
        _onnx.build(sudoku6)
    _onnx.build(sudoku6, dtype="bfloat16")


def test_without_onnx_the_remedy_is_named(sudoku6, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'trm-solver\[onnx\]'"):
        sudoku6.to_onnx(tmp_path / "m.onnx")
    sudoku6.save(tmp_path / "m.safetensors")
    assert _onnx.main([str(tmp_path / "m.safetensors"), str(tmp_path / "m.onnx"), "solve", "float32", "m"]) == 1
    assert capsys.readouterr().out.startswith("ONNX files are written by the package onnx, which")


def test_what_the_program_runs(sudoku6, tmp_path, capsys):
    file, out = str(tmp_path / "x.safetensors"), tmp_path / "m.onnx"
    sudoku6.save(file)
    assert _onnx.main([file, str(out), "step", "bfloat16", "runs/first.safetensors"]) == 0
    model = onnx.load(out)
    assert model.graph.name == "first" and len(model.graph.input) == 5
    assert _onnx.main([file, str(tmp_path / "no" / "m.onnx"), "solve", "float32", "m"]) == 1
    (tmp_path / "cut.safetensors").write_bytes(b"x" * 20)
    assert _onnx.main([str(tmp_path / "cut.safetensors"), str(out), "solve", "float32", "m"]) == 3
    moe = trm.create_model(SUDOKU4, hidden_size=32, num_heads=2, moe="switch:2")
    moe.save(file)
    assert _onnx.main([file, str(out), "solve", "float32", "m"]) == 2
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and "cannot write" in said[0] and said[2].startswith("moe=switch:2: it cannot become ONNX")
