"""Models: where they come from, their weights there and back, their files."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import trm


def small(seed=1, **config) -> trm.Model:
    fields = dict(hidden_size=32, num_heads=2, mlp_t=True, pos_encodings="none", puzzle_emb_ndim=32, H_cycles=2,
                  L_cycles=2, halt_max_steps=3, forward_dtype="float32")
    return trm.create_model(trm.Puzzle.sudoku(4), seed, **{**fields, **config})


def same_weights(a: trm.Model, b: trm.Model) -> bool:
    one, two = a.state_dict(), b.state_dict()
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)


def test_models_have_names(sudoku6):
    named = trm.models()
    assert {"sudoku4", "sudoku6", "sudoku9", "maze10"} <= set(named)
    assert "6x6" in named["sudoku6"]
    assert sudoku6.puzzle == trm.Puzzle.sudoku(6) and sudoku6.name == "sudoku6"
    assert sudoku6.cost.n_params == 156_802
    assert sudoku6.config["arch"] == "trm" and isinstance(sudoku6.config["mlp_t"], bool)


def test_weights_are_views_that_live_as_long_as_they_are_used():
    state = small().state_dict()
    name = "embed_tokens.embedding_weight"
    before = state[name].copy()
    del state["H_init"]
    import gc

    gc.collect()
    [small(seed) for seed in range(20)]
    assert np.array_equal(state[name], before) and before.std() > 0
    with pytest.raises(ValueError):
        state[name][0] = 0
    with pytest.raises(ValueError):
        state[name].setflags(write=True)


def test_state_dicts_go_there_and_back():
    m = small()
    for prefix in ("", "model.inner.", "_orig_mod.model.inner."):
        back = trm.from_torch(m.state_dict(prefix), m.config, puzzle=m.puzzle)
        assert same_weights(m, back) and back.config == m.config and back.puzzle == m.puzzle
    question = "1.............2."
    assert (back.solve(question).tokens == m.solve(question).tokens).all()
    assert not same_weights(m, small(seed=2))


class Tensor:
    """As much of a tensor of PyTorch as is used."""

    def __init__(self, array, dtype):
        self.array, self.dtype = array, dtype

    def detach(self):
        return self

    def float(self):
        return Tensor(self.array.astype(np.float32), "torch.float32")

    def numpy(self, force=False):
        if "bfloat16" in self.dtype:
            raise TypeError("NumPy has no bfloat16")
        return self.array


def test_tensors_of_other_types_are_taken():
    m = small()
    state = m.state_dict()
    for kind in (np.float16, np.float64, ">f4"):
        back = trm.from_torch({k: v.astype(kind) for k, v in state.items()}, m.config)
        for k, v in back.state_dict().items():
            assert np.array_equal(v, state[k].astype(kind).astype(np.float32))
    tensors = {k: Tensor(v, "torch.bfloat16") for k, v in state.items()}
    assert same_weights(trm.from_torch(tensors, m.config), m)
    transposed = {k: np.asfortranarray(v) for k, v in state.items()}
    assert same_weights(trm.from_torch(transposed, m.config), m)


def test_tensors_of_torch(tmp_path):
    torch = pytest.importorskip("torch")
    m = small()
    assert same_weights(trm.from_torch(m.to_torch(), m.config), m)
    m.save(tmp_path / "m.pt")
    state = torch.load(tmp_path / "m.pt", weights_only=True)
    assert same_weights(trm.from_torch(state, tmp_path / "all_config.yaml", seq_len=16), m)

    # As they are in a module that learns, in other layouts and formats; copies, not views.
    tensors = m.to_torch()
    same = [torch.nn.Parameter, torch.Tensor.double, lambda t: torch.complex(t, -t).conj().imag,
            lambda t: t.t().contiguous().t() if t.ndim == 2 else t]
    for change in same:
        assert same_weights(trm.from_torch({k: change(t) for k, t in tensors.items()}, m.config), m)
    for kind in (torch.bfloat16, torch.float16):
        back = trm.from_torch({k: t.to(kind) for k, t in tensors.items()}, m.config).state_dict()
        assert all((torch.from_numpy(v.copy()) == tensors[k].to(kind).float()).all() for k, v in back.items())
    before = m.state_dict()["lm_head.weight"].copy()
    tensors["lm_head.weight"].zero_()
    assert (m.state_dict()["lm_head.weight"] == before).all() and m.to_torch()["lm_head.weight"].any()

    # A module with the reference's names takes them as they are.
    head = torch.nn.Linear(32, m.vocab_size, bias=False)
    head.load_state_dict({"weight": m.to_torch("inner.")["inner.lm_head.weight"]})
    assert (head.weight.detach().numpy() == before).all()
    for change in (lambda t: t.to("meta"), torch.Tensor.to_sparse, lambda t: t + 0j, torch.Tensor.bool):
        with pytest.raises(TypeError, match="embed_tokens.embedding_weight"):
            trm.from_torch({k: change(t) for k, t in tensors.items()}, m.config)
    with pytest.raises(trm.FormatError, match="I32"):
        trm.from_torch({k: t.int() for k, t in tensors.items()}, m.config)


def test_a_published_configuration_is_taken(tmp_path):
    """As it stands in all_config.yaml: as a dictionary and as a file."""
    m = small()
    m.save(tmp_path / "m.pth")
    state = m.state_dict("_orig_mod.model.inner.")
    from_file = trm.from_torch(state, tmp_path / "all_config.yaml", puzzle=m.puzzle)
    assert same_weights(from_file, m) and from_file.puzzle == m.puzzle
    config = {"name": "recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1", "H_cycles": 2, "L_cycles": 2,
              "halt_max_steps": 3, "mlp_t": True, "pos_encodings": "none", "puzzle_emb_len": 1,
              "forward_dtype": "float32", "num_heads": 2}
    for each in (config, {"arch": config}):
        assert same_weights(trm.from_torch(state, each, seq_len=16), m)
    assert same_weights(trm.load(tmp_path / "m.pth"), m)


def test_what_is_no_state_dict_is_refused():
    m = small()
    state, config = m.state_dict(), m.config
    nan = state["lm_head.weight"].copy()
    nan[0, 0] = np.nan
    cases = [
        ({**state, "lm_head.weight": nan}, config, trm.NumericError),
        ({k: v for k, v in state.items() if k != "lm_head.weight"}, config, ValueError),
        ({**state, "lm_head.weight": np.zeros((3, 3), np.float32)}, config, ValueError),
        ({}, config, ValueError),
        (state, {**config, "hidden_size": 64}, ValueError),
        (state, {**config, "H_cycle": 2}, trm.ConfigError),
        (state, {**config, "arch": "nothing"}, trm.ConfigError),
        (state, {**config, "H_cycles": [1]}, TypeError),
        (state, {}, (ValueError, OSError)),
        (state, "/nowhere/all_config.yaml", OSError),
        (state, None, TypeError),
        (state, {"arch": {"name": {1}}}, TypeError),
        ({"a": "b"}, config, TypeError),
        ({"a": None}, config, TypeError),
        ({"a": np.zeros(3, complex)}, config, TypeError),
    ]
    for tensors, described, kind in cases:
        with pytest.raises(kind):
            trm.from_torch(tensors, described)


def test_refusals_speak_of_what_was_given():
    m = small()
    state = m.state_dict("_orig_mod.model.inner.")
    for tensors, config, says in [({}, m.config, "state_dict: "), (state, {}, "config: "), (state, {"arch": {}}, "config: ")]:
        with pytest.raises(trm.Error) as caught:
            trm.from_torch(tensors, config)
        assert says in str(caught.value) and "trm-" not in str(caught.value)
    six = trm.load("sudoku6")  # of which the answers feed back
    with pytest.raises(trm.ArgumentError, match="puzzle: want what the tokens mean.*feedback has to know"):
        trm.from_torch(six.state_dict(), six.config)
    assert same_weights(trm.from_torch(six.state_dict(), six.config, puzzle=six.puzzle), six)


def test_numbers_of_numpy_are_numbers_of_a_published_configuration():
    m = small()
    config = {"name": "trm", "H_cycles": np.int64(2), "L_cycles": np.int32(2), "halt_max_steps": 3, "mlp_t": np.bool_(True),
              "pos_encodings": "none", "puzzle_emb_len": 1, "forward_dtype": "float32", "num_heads": 2}
    assert same_weights(trm.from_torch(m.state_dict("_orig_mod.model.inner."), {"arch": config}, seq_len=16), m)


@pytest.mark.parametrize("name", ["folder", "one.safetensors"])
def test_files_go_there_and_back(tmp_path, name):
    m = small()
    m.save(tmp_path / name)
    back = trm.load(tmp_path / name)
    assert same_weights(m, back) and back.config == m.config and back.puzzle == m.puzzle
    m.save(tmp_path / name, dtype="bfloat16")
    rounded = trm.load(tmp_path / name).state_dict()["lm_head.weight"]
    assert np.allclose(rounded, m.state_dict()["lm_head.weight"], rtol=2**-8, atol=0)
    assert not np.array_equal(rounded, m.state_dict()["lm_head.weight"])


def test_models_pickle_and_change_their_format(sudoku6):
    m = small()
    again = pickle.loads(pickle.dumps(m))
    assert same_weights(m, again) and again.puzzle == m.puzzle
    a, b = (sudoku6.with_dtype(dtype).solve("." * 36, steps=1, logits=True).logits for dtype in ("float32", "bfloat16"))
    assert not np.array_equal(a, b) and np.abs(a - b).mean() < 0.2 * a.std()
    with pytest.raises(trm.ConfigError):
        m.with_dtype("float64")


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "text").write_text("a text")
    (tmp_path / "cut.safetensors").write_bytes(small().to_bytes()[:-5])
    (tmp_path / "empty").mkdir()
    for path, kind in [("nothing", trm.FileError), (tmp_path / "text", trm.FormatError),
                       (tmp_path / "cut.safetensors", trm.Error), (tmp_path / "empty", trm.Error),
                       ("a\0b", ValueError), ("", trm.FileError), (b"sudoku6x", (TypeError, trm.Error))]:
        with pytest.raises(kind):
            trm.load(path)
    for data in (b"", b"x", b"\xff" * 100, small().to_bytes()[:100]):
        with pytest.raises(trm.Error):
            trm.from_bytes(data)
    with pytest.raises(trm.FileError, match="sudoku9"):
        trm.load("sudoku99")
    assert same_weights(trm.load(b"sudoku4"), trm.load("sudoku4"))  # as os.fsencode leaves paths
    with pytest.raises(TypeError):
        trm.load(3)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter").write_text("of somebody else")
    with pytest.raises(trm.FileError):
        small().save(tmp_path / "taken")
    assert (tmp_path / "taken" / "letter").exists()


@pytest.mark.parametrize("config, says", [
    ({"hidden_sizes": 64}, "hidden_size"), ({"hidden_size": -1}, "hidden_size"), ({"hidden_size": 1e9}, ""),
    ({"arch": "x"}, "arch"), ({"H_cycles": "many"}, "whole number"), ({"expansion": float("nan")}, ""),
])
def test_configurations_out_of_range_are_refused(config, says):
    with pytest.raises(trm.ConfigError) as caught:
        small(**config)
    assert says in str(caught.value)


def test_a_configuration_is_json():
    assert json.loads(json.dumps(small().config))["hidden_size"] == 32
