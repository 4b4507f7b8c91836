"""Data sets of arrays and in folders, and the stream of batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import trm

SUDOKU = trm.Puzzle.sudoku(4)
ANSWER = np.array([[1, 2, 3, 4], [3, 4, 1, 2], [2, 1, 4, 3], [4, 3, 2, 1]])


def sudokus(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grids [n, 4, 4]: renamed answers, and questions with blanks."""
    rng = np.random.default_rng(seed)
    names = np.array([[0, *rng.permutation([1, 2, 3, 4])] for _ in range(n)])
    answers = names[np.arange(n)[:, None, None], ANSWER]
    return np.where(rng.random((n, 4, 4)) < 0.4, answers, 0), answers


def test_arrays_are_data():
    x, y = sudokus(10)
    d = trm.Dataset(x, y, puzzle=SUDOKU)
    assert len(d) == 10 and d.puzzles == d.groups == 10 and d.seq_len == 16 and d.vocab_size == 6
    assert (SUDOKU.decode(d[3].question) == x[3]).all() and (SUDOKU.decode(d[-1].label) == y[9]).all()
    assert [e.puzzle_id for e in d] == [0] * 10
    assert "<svg" in d[0]._repr_svg_() and "id 0" in repr(d[0])
    inputs, labels, ids = d.arrays()
    assert (inputs == SUDOKU.encode(x)).all() and (labels == SUDOKU.encode(y)).all() and not ids.any()
    with pytest.raises(IndexError):
        d[10]
    with pytest.raises((IndexError, ValueError)):
        d[-11]
    assert trm.Dataset(inputs, labels).puzzle == SUDOKU  # known by the examples


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_tokens_come_back_from_a_folder(tmp_path_factory, data):
    n, cells, vocab = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5)), data.draw(st.sampled_from([3, 127, 129, 5000]))
    x = data.draw(hnp.arrays(np.int32, (n, cells), elements=st.integers(0, vocab - 1)))
    y = data.draw(hnp.arrays(np.int32, (n, cells), elements=st.sampled_from([-100, 0, 1, vocab - 1])))
    ids = data.draw(hnp.arrays(np.int32, (n,), elements=st.integers(0, 3)))
    d = trm.Dataset(x, y, vocab_size=vocab, puzzle_ids=ids, num_puzzle_ids=4)
    folder = tmp_path_factory.mktemp("data") / "set"
    d.save(folder, test=d, names=["<blank>", "a", "b", "c"] if n % 2 else None)
    for split in ("train", "test"):
        back = trm.Dataset.open(folder, split)
        assert all((a == b).all() for a, b in zip(back.arrays(), (x, y, ids)))
        assert back.fingerprint == d.fingerprint and back.vocab_size == vocab
    stored = np.load(folder / "train" / "all__inputs.npy")
    assert (stored == x).all() and stored.dtype.itemsize == (1 if vocab <= 128 else 4)


def test_groups_and_parts():
    x, y = sudokus(12)
    d = trm.Dataset(x, y, puzzle=SUDOKU, puzzle_indices=[0, 1, 3, 6, 7, 9, 12], group_indices=[0, 1, 3, 5, 6],
                    puzzle_ids=[0, 1, 2, 0, 1, 2])
    assert d.puzzles == 6 and d.groups == 4 and d.num_puzzle_ids == 3 and d[11].puzzle_id == 2
    rest, held = d.split(0.5, seed=1)
    assert rest.groups == held.groups == 2 and len(rest) + len(held) == 12
    del d
    import gc

    gc.collect()
    assert len(list(rest)) == len(rest)
    with pytest.raises(trm.ArgumentError):
        rest.split(1.5)


@pytest.mark.parametrize("make, kind", [
    (lambda x, y: trm.Dataset(x, y[:-1], puzzle=SUDOKU), trm.ShapeError),
    (lambda x, y: trm.Dataset(x[0], y[0], puzzle=SUDOKU), trm.ShapeError),
    (lambda x, y: trm.Dataset(x, y), trm.ShapeError),
    (lambda x, y: trm.Dataset(x[:0], y[:0], puzzle=SUDOKU), trm.ShapeError),
    (lambda x, y: trm.Dataset(x, y + 9, puzzle=SUDOKU), trm.RangeError),
    (lambda x, y: trm.Dataset(x.reshape(4, 16) + 1, y.reshape(4, 16) + 1, vocab_size=3), trm.RangeError),
    (lambda x, y: trm.Dataset(x.reshape(4, 16) + 1, y.reshape(4, 16) + 1, vocab_size=-1), trm.ArgumentError),
    (lambda x, y: trm.Dataset(x, y, puzzle=SUDOKU, puzzle_ids=[0]), trm.ShapeError),
    (lambda x, y: trm.Dataset(x, y, puzzle=SUDOKU, puzzle_ids=[0, 0, 0, -1]), trm.RangeError),
    (lambda x, y: trm.Dataset(x, y, puzzle=SUDOKU, puzzle_ids=[0, 0, 0, 10**6]), trm.RangeError),
    (lambda x, y: trm.Dataset(x, y, puzzle=SUDOKU, puzzle_indices=[0, 3, 2, 4]), trm.Error),
    (lambda x, y: trm.Dataset(x, y, puzzle=SUDOKU, group_indices=[0, 9]), trm.Error),
    (lambda x, y: trm.Dataset(x, y, puzzle=SUDOKU, group_indices=[[0, 4]]), trm.ShapeError),
    (lambda x, y: trm.Dataset(x, y, puzzle=SUDOKU, group_indices=[]), trm.ShapeError),
    (lambda x, y: trm.Dataset("a", "b"), trm.ShapeError),
    (lambda x, y: trm.Dataset(None, None), TypeError),
    (lambda x, y: trm.Dataset(x, y, puzzle=trm.Puzzle.sudoku(6)), trm.ShapeError),
])
def test_what_is_no_data_is_refused(make, kind):
    with pytest.raises(kind):
        make(*sudokus(4))


@pytest.mark.parametrize("inputs", [["1234"], np.array(["1234"]), np.ones((2, 4, 4), int), [[[1, 2], [3, 4]]]])
def test_what_only_a_puzzle_explains_is_refused_with_the_remedy(inputs):
    with pytest.raises(trm.ShapeError, match="inputs: grids and texts want `puzzle`"):
        trm.Dataset(inputs, inputs)


def test_folders_of_others_are_not_touched(tmp_path):
    d = trm.Dataset(*sudokus(4), puzzle=SUDOKU)
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(trm.FileError):
        d.save(tmp_path)
    assert (tmp_path / "letter").read_text() == "dear"
    with pytest.raises(trm.ShapeError):
        d.save(tmp_path / "set", test=trm.Dataset([[1, 2]], [[1, 2]]))
    with pytest.raises(trm.ShapeError):
        d.save(tmp_path / "set", names=["a", "b"])
    with pytest.raises(trm.FileError):
        trm.Dataset.open(tmp_path / "nothing")
    with pytest.raises(trm.Error):
        trm.Dataset.open(tmp_path, "no split")


def test_streams_give_every_group_once_an_epoch():
    x, y = sudokus(12)
    d = trm.Dataset(x, y, puzzle=SUDOKU)
    s = trm.Stream(d, 4, seed=3)
    epoch = [s.next() for _ in range(3)]
    seen = np.concatenate([b.inputs for b in epoch])
    assert sorted(map(bytes, seen)) == sorted(map(bytes, d.arrays()[0]))
    assert s.position == 3
    after = [b.inputs.copy() for b, _ in zip(s, range(2))]
    s.position = 3
    assert all((a == b.inputs).all() for a, b in zip(after, s))
    assert (trm.Stream(d, 4, seed=3).next().inputs == epoch[0].inputs).all()
    some = trm.Stream(d, 4, seed=3).next(np.array([True, False, True, False]))
    assert (some.inputs[[0, 2]] == epoch[0].inputs[[0, 2]]).all() and not some.inputs[[1, 3]].any()

    images = trm.Stream(d, 12, seed=3, augment="on-the-fly").next()
    assert sorted(map(bytes, images.inputs)) != sorted(map(bytes, d.arrays()[0]))
    assert all(SUDOKU.solves(q, a) for q, a in zip(images.inputs, images.labels))
    for wrong, kind in [(dict(batch_size=0), ValueError), (dict(batch_size=13), trm.ConfigError),
                        (dict(batch_size=4, augment="x"), ValueError), (dict(batch_size=4, seed=-1), ValueError)]:
        with pytest.raises(kind):
            trm.Stream(d, **wrong)
    with pytest.raises(ValueError):
        trm.Stream([], 4)
    with pytest.raises(trm.ShapeError):
        s.next(np.ones(3, bool))


@pytest.mark.parametrize("i", [12, -13, 2**70, -(2**70)])
def test_an_example_that_is_not_there_is_an_index_error(i):
    d = trm.Dataset(*sudokus(12), puzzle=SUDOKU)
    assert (d[-12].question == d[0].question).all()
    with pytest.raises(IndexError, match="of 12"):
        d[i]


def test_examples_come_in_slices_as_of_any_sequence():
    d = trm.Dataset(*sudokus(12), puzzle=SUDOKU)
    x = d.arrays()[0]
    for part in (slice(3), slice(-2, None), slice(None, None, -5), slice(20, 30)):
        assert [e.question.tolist() for e in d[part]] == x[part].tolist()
    assert len(d.show(10, 5).examples) == 2 and d.show(0, -1).examples == []
