"""Puzzles between their three forms: text, grid, tokens."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import trm

SIZES = [4, 6, 8, 9, 10, 12, 16]


@given(st.data())
def test_sudokus_go_round(data):
    size = data.draw(st.sampled_from(SIZES))
    p = trm.Puzzle.sudoku(size)
    grid = data.draw(hnp.arrays(np.int64, (size, size), elements=st.integers(0, size)))
    tokens = p.encode(grid)
    assert tokens.dtype == np.int32 and tokens.shape == (size * size,)
    assert (tokens == grid.ravel() + 1).all()
    assert (p.decode(tokens) == grid).all()
    if size == 16 and not (grid == 16).any():  # such a text may be one of the digits 0 to F
        return
    assert (p.encode(p.format(tokens)) == tokens).all()
    assert (p.encode(grid.tolist()) == tokens).all()


@given(hnp.arrays(np.int8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 3)))
def test_mazes_go_round(cells):
    p = trm.Puzzle.maze(*cells.shape)
    grid = np.array(list("# SG"))[cells]
    tokens = p.encode(grid)
    assert (tokens == cells.ravel() + 1).all()
    assert (p.decode(tokens) == grid).all()
    assert (p.encode(p.format(tokens)) == tokens).all()


@given(st.data())
def test_grids_of_any_symbols_go_round(data):
    symbol = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="[]{}"),
                     min_size=1, max_size=4)
    words = data.draw(st.lists(symbol, min_size=1, max_size=9, unique=True))
    rows, cols = data.draw(st.integers(2, 4)), data.draw(st.integers(2, 4))
    p = trm.grid(rows, cols, words)
    assert p.symbols == tuple(words)
    cells = data.draw(hnp.arrays(np.int64, (rows, cols), elements=st.integers(0, len(words) - 1)))
    tokens = p.encode(np.array(words)[cells])
    assert (tokens == cells.ravel() + p.first_token).all()
    shown = p.decode(tokens)
    assert [[str(s) for s in row] for row in shown] == [[words[i] for i in row] for row in cells]


def test_several_puzzles_in_every_form():
    p = trm.Puzzle.sudoku(4)
    grids = np.arange(48).reshape(3, 4, 4) % 5
    tokens = p.encode(grids)
    assert tokens.shape == (3, 16)
    assert (p.encode(list(grids)) == tokens).all()
    assert (p.encode([p.format(row) for row in tokens]) == tokens).all()
    assert p.encode(tokens) is tokens or np.shares_memory(p.encode(tokens), tokens)
    assert (p.encode(tokens.astype(np.uint8)) == tokens).all()
    assert (p.encode(np.asfortranarray(tokens)) == tokens).all()
    assert p.encode([]).shape == (0, 16)


def test_grids_of_several_sizes_have_their_own():
    """Where grids may be smaller than the canvas they lie in its corner, and come back as large."""
    p = trm.grid(4, 5, [str(i) for i in range(10)], sized=True)
    grids = [np.array([[1, 2], [3, 4], [5, 6]]), np.array([[7]]), np.arange(20).reshape(4, 5) % 10]
    tokens = p.encode(grids)
    for row, grid in zip(tokens, grids):
        assert p.decode(row).dtype == np.int32
        assert (p.decode(row) == grid).all()
        assert (p.decode(row, question=row) == grid).all()


@pytest.mark.parametrize("bad, kind, says", [
    ("1..", trm.FormatError, "16 characters"),
    ("5" + "." * 15, trm.FormatError, "'5' is no cell"),
    (np.zeros((4, 4)) + 0.5, trm.RangeError, "whole number"),
    (np.full((4, 4), np.nan), trm.RangeError, "whole number"),
    (np.full((4, 4), 5), trm.RangeError, "0 (blank) to 4"),
    (np.full((4, 4), -1), trm.RangeError, "0 (blank) to 4"),
    (np.full((4, 4), 2**40), trm.RangeError, "32 bits"),
    (np.zeros((3, 3), int), trm.ShapeError, "[4, 4]"),
    (np.zeros((1, 2, 4, 4), int), trm.ShapeError, "[4, 4]"),
    (np.zeros(16, int), trm.RangeError, "padding"),
    (np.zeros((4, 4), complex), TypeError, "complex"),
    (np.zeros((4, 4), "M8[s]"), TypeError, "datetime"),
    (["1..."], trm.FormatError, "puzzle 0"),
    (["." * 16, 7], TypeError, "int"),
    ([np.zeros((4, 4), int), np.zeros((4, 5), int)], trm.ShapeError, "puzzle 1"),
    (None, TypeError, "NoneType"),
    (7, TypeError, "int"),
    (b"." * 16, TypeError, "bytes"),
    ({}, TypeError, "dict"),
    ("\ud800" * 16, (trm.FormatError, UnicodeError), ""),
    ("\0" * 16, trm.FormatError, ""),
])
def test_what_is_no_puzzle_is_refused(bad, kind, says):
    with pytest.raises(kind) as caught:
        trm.Puzzle.sudoku(4).encode(bad)
    assert says in str(caught.value)


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=40), st.binary(max_size=40), st.floats(), st.none(),
                 st.recursive(st.one_of(st.integers(), st.text(max_size=2), st.floats(), st.none()),
                              lambda inner: st.lists(inner, max_size=5), max_leaves=40),
                 hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(max_dims=4, max_side=5))))
def test_whatever_is_passed_is_a_puzzle_or_an_exception(anything):
    for p in (trm.Puzzle.sudoku(4), trm.Puzzle.maze(2, 2), trm.grid(3, 3, ["0", "1"], sized=True)):
        try:
            tokens = p.encode(anything)
        except (ValueError, TypeError):
            continue
        assert tokens.dtype == np.int32 and tokens.shape[-1] == p.seq_len


def test_rules():
    p = trm.Puzzle.sudoku(4)
    question, right, wrong = p.encode("1...............", ), p.encode("1234341221434321"), p.encode("1234341221434322")
    assert p.rules == "sudoku" and p.solves(question, right) is True and p.solves(question, wrong) is False
    p.check(question)
    with pytest.raises(trm.PuzzleError, match="row 1, column 2"):
        p.check(p.encode("11.............."))
    assert trm.grid(2, 2, ["a", "b"]).solves([1, 1, 1, 1], [1, 1, 1, 1]) is None
    assert {"sudoku", "maze", "latin", "nonogram"} <= set(trm.named_rules())


def test_puzzles_compare_and_pickle():
    p = trm.grid(2, 3, ["x", "y"], rules="", symmetries="dihedral")
    same = pickle.loads(pickle.dumps(p))
    assert same == p and hash(same) == hash(p) and same.symbols == ("x", "y")
    assert p != trm.grid(2, 3, ["x", "z"], symmetries="dihedral") and p != "p"


def test_what_is_no_kind_of_puzzle_is_refused():
    for make in (lambda: trm.Puzzle.sudoku(7), lambda: trm.Puzzle.maze(0, 3), lambda: trm.Puzzle.maze(2000, 2000),
                 lambda: trm.grid(2, 2, []), lambda: trm.grid(2, 2, ["a", "a"]), lambda: trm.grid(2, 2, ["a" * 16]),
                 lambda: trm.grid(0, 2, ["a"]), lambda: trm.grid(2, 2, ["a\0b"]),
                 lambda: trm.grid(2, 2, [f"symbol{i}" for i in range(250)])):
        with pytest.raises(ValueError):
            make()


def test_pictures_show_what_was_given_and_what_was_found():
    p = trm.Puzzle.sudoku(4)
    svg = p.svg(p.encode("1234341221434321"), question=p.encode("1..............."))
    assert svg.startswith("<svg") and svg.endswith("</svg>")
    assert svg.count("<text") == 16 and svg.count("bold") == 1 and svg.count("#1f5fbf") == 15
    escaped = trm.grid(1, 2, ["<", "&"]).svg(np.array([1, 2], np.int32))
    assert "&lt;" in escaped and "&amp;" in escaped
    from xml.dom import minidom

    minidom.parseString(svg), minidom.parseString(escaped)


@pytest.mark.parametrize("seq_len", [5, -5, 80, 82])
def test_a_length_that_is_not_the_canvas_is_refused(seq_len):
    """The library writes as many tokens as there are cells."""
    with pytest.raises(trm.ShapeError, match="9x9"):
        trm.Puzzle(trm.Puzzle.sudoku(9).raw, seq_len)
