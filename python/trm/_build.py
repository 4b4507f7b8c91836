"""Folders of data: generated, built from files, looked at and checked."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar

from . import _c, errors
from ._lib import PathLike, call, path_bytes, real, text, text_bytes, whole
from ._listen import Guard, progress_function
from ._data import texts

Progress = Optional[Callable[[int, int], Optional[bool]]]


class Report(NamedTuple):
    """What a build wrote, and what it noticed in the originals (not their stored copies)."""

    train_puzzles: int
    test_puzzles: int
    train_examples: int
    test_examples: int
    duplicates_in_train: int
    duplicates_in_test: int
    overlap: int  #: puzzles in train and test
    symmetric_overlap: int  #: test puzzles that are a training puzzle or an image of one
    skipped: int  #: left out because they have not exactly one solution
    unreadable: int  #: left out because they cannot be read, or their solution is wrong
    empty_rows: int  #: of tables, passed over
    titles: int  #: lines of words behind Sudokus of a line each, passed over


class ArcReport(NamedTuple):
    """What a build of ARC tasks wrote."""

    tasks: int  #: with different ids
    listed: int  #: that were one list of pairs, whose last is the test pair
    too_large: int  #: left out: larger than the canvas
    train_tasks: int
    train_puzzles: int
    train_examples: int
    test_tasks: int
    test_puzzles: int
    test_examples: int
    identifiers: int  #: of puzzles, without the blank one
    unsolved: int  #: test pairs whose output no file tells
    short_of_copies: int  #: tasks that have fewer different copies than asked for
    test_tasks_trained: int  #: tasks of the test set that another subset has, too
    invalid: int  #: left out because they are no task


R = TypeVar("R", Report, ArcReport)


def interruptible(function: str, config: Any, progress: Progress, *arguments: Any) -> None:
    """Calls a long function whose configuration has a progress function. Ctrl-C and what that function
    raises stop it; returning False raises StoppedError."""
    guard = Guard()
    config.progress = progress_function(guard, progress)
    try:
        with guard.interrupts:
            call(function, *arguments)
    except errors.StoppedError:
        guard.check()
        if guard.interrupts.came:
            raise KeyboardInterrupt from None
        raise


def _build(function: str, config: Any, progress: Progress, raw: Any, kind: Type[R]) -> R:
    interruptible(function, config, progress, ctypes.byref(config), ctypes.byref(raw))
    return kind(*(int(getattr(raw, name)) if name != "invalid" else int(raw.invalid.tasks) for name in kind._fields))


def _file(path: Optional[PathLike]) -> Optional[bytes]:
    return None if path is None else path_bytes(path)


def _words(value: Optional[str], what: str) -> Optional[bytes]:
    return None if value is None else text_bytes(value, what)


def _seed(seed: int) -> int:
    return whole(seed, "seed", 0, 2**64 - 1)


def gen_sudoku(output_dir: PathLike, *, size: int = 9, train: int = 1000, test: int = 1000, seed: int = 0,
               min_givens: int = 0, max_givens: int = 0, min_backtracks: int = 0, max_backtracks: int = 0,
               hard: bool = False, threads: int = 0, progress: Progress = None) -> Report:
    """Generated Sudokus with unique solutions; no test puzzle is an image of a training puzzle.

    Args:
        output_dir: the folder; it appears when it is complete, in place of an earlier data set.
        size: 4, 6, 8, 9, 10, 12 or 16.
        train, test: how many.
        min_givens, max_givens, min_backtracks, max_backtracks: 0: no limit.
        hard: 9x9 as hard as those of Sudoku-Extreme.
        progress: a function (done, total); False stops, as Ctrl-C does.

    Raises:
        trm.ConfigError: too few such puzzles can be found.
        trm.FileError: the folder holds anything but a data set, or cannot be written.
    """
    config = _c.trm_sudoku_gen_config(
        size=whole(size, "size"), n_train=whole(train, "train", 0, 2**62), n_test=whole(test, "test", 0, 2**62),
        max_givens=whole(max_givens, "max_givens"), min_givens=whole(min_givens, "min_givens"),
        min_backtracks=whole(min_backtracks, "min_backtracks", 0, 2**62),
        max_backtracks=whole(max_backtracks, "max_backtracks", 0, 2**62), hard=bool(hard), seed=_seed(seed),
        threads=whole(threads, "threads"), output_dir=path_bytes(output_dir))
    return _build("trm_gen_sudoku", config, progress, _c.trm_build_report(), Report)


def gen_maze(output_dir: PathLike, *, rows: int = 10, cols: int = 10, train: int = 1000, test: int = 1000,
             min_path: int = 0, min_walls: float = 0.0, max_walls: float = 0.0, seed: int = 0, threads: int = 0,
             progress: Progress = None) -> Report:
    """Random mazes, labelled with a shortest way; arguments as of :func:`gen_sudoku`.

    Args:
        min_path: cells of the way at least; 0: rows + cols.
        min_walls, max_walls: share of walls; both 0: 0.3 and 0.5.
    """
    config = _c.trm_maze_gen_config(
        rows=whole(rows, "rows"), cols=whole(cols, "cols"), n_train=whole(train, "train", 0, 2**62),
        n_test=whole(test, "test", 0, 2**62), min_path=whole(min_path, "min_path"),
        min_walls=real(min_walls, "min_walls"), max_walls=real(max_walls, "max_walls"), seed=_seed(seed),
        threads=whole(threads, "threads"), output_dir=path_bytes(output_dir))
    return _build("trm_gen_maze", config, progress, _c.trm_build_report(), Report)


def build_sudoku(output_dir: PathLike, train: PathLike, test: Optional[PathLike] = None, *,
                 columns: Optional[str] = None, subsample_size: int = 0, num_aug: int = 0, seed: int = 0,
                 min_difficulty: float = 0.0, skip_invalid: bool = False, progress: Progress = None) -> Report:
    """Sudokus from files of any usual form (docs/BUILD_DATA.md).

    Args:
        train, test: files.
        columns: of tables: "PUZZLE[,SOLUTION[,RATING]]", names or numbers from 1.
        subsample_size: training puzzles kept; 0: all.
        num_aug: stored copies of each training puzzle.
        min_difficulty: keep ratings of that or more.
        skip_invalid: leave out, and count, what has not exactly one solution or cannot be read.

    Raises:
        trm.FormatError, trm.PuzzleError: with file, line and column.
    """
    config = _c.trm_sudoku_build_config(
        train_csv=path_bytes(train), test_csv=_file(test), columns=_words(columns, "columns"),
        output_dir=path_bytes(output_dir), subsample_size=whole(subsample_size, "subsample_size", 0, 2**62),
        num_aug=whole(num_aug, "num_aug"), seed=_seed(seed), min_difficulty=real(min_difficulty, "min_difficulty"),
        skip_invalid=bool(skip_invalid))
    return _build("trm_build_sudoku", config, progress, _c.trm_build_report(), Report)


def build_maze(output_dir: PathLike, train: PathLike, test: Optional[PathLike] = None, *,
               columns: Optional[str] = None, rows: int = 0, cols: int = 0, subsample_size: int = 0,
               aug: bool = False, seed: int = 0, progress: Progress = None) -> Report:
    """Mazes from tables of questions and answers (docs/BUILD_DATA.md).

    Args:
        rows, cols: 0: square, by the length of the first question.
        aug: store the symmetric images of each training maze.
    """
    config = _c.trm_maze_build_config(
        train_csv=path_bytes(train), test_csv=_file(test), columns=_words(columns, "columns"),
        output_dir=path_bytes(output_dir), rows=whole(rows, "rows"), cols=whole(cols, "cols"),
        subsample_size=whole(subsample_size, "subsample_size", 0, 2**62), seed=_seed(seed), aug=bool(aug))
    return _build("trm_build_maze", config, progress, _c.trm_build_report(), Report)


def build_grid(output_dir: PathLike, train: PathLike, test: Optional[PathLike] = None, *,
               columns: Optional[str] = None, test_share: float = 0.0, rows: int = 0, cols: int = 0,
               canvas: Tuple[int, int] = (0, 0), vocabulary: Optional[str] = None,
               symmetries: Optional[str] = None, rules: Optional[str] = None, num_aug: int = 0, seed: int = 0,
               progress: Progress = None) -> Report:
    """Your own puzzles from .csv, .jsonl or .npz (docs/BUILD_DATA.md, "Your own puzzles").

    Args:
        test_share: of the examples in `train` for testing, where there is no `test`.
        canvas: rows and columns; (0, 0): as large as the largest grids.
        vocabulary: "a,b,c" or a file of one symbol a line; None: as found.
        symmetries: "dihedral,permute:1-9"; None: none.
        rules: a rule checker that every example must satisfy.
    """
    config = _c.trm_grid_build_config(
        train=path_bytes(train), test=_file(test), columns=_words(columns, "columns"),
        output_dir=path_bytes(output_dir), test_share=real(test_share, "test_share"), rows=whole(rows, "rows"),
        cols=whole(cols, "cols"), canvas_rows=whole(canvas[0], "canvas"), canvas_cols=whole(canvas[1], "canvas"),
        vocabulary=_words(vocabulary, "vocabulary"), symmetries=_words(symmetries, "symmetries"),
        rules=_words(rules, "rules"), num_aug=whole(num_aug, "num_aug"), seed=_seed(seed))
    return _build("trm_build_grid", config, progress, _c.trm_build_report(), Report)


def build_arc(output_dir: PathLike, input_prefix: PathLike, subsets: Sequence[str], *,
              test_set: Optional[str] = None, num_aug: int = 1000, canvas: int = 0, seed: int = 42,
              compact: bool = False, skip_invalid: bool = False, threads: int = 0,
              progress: Progress = None) -> ArcReport:
    """ARC tasks and their symmetric copies, byte for byte as the reference (docs/BUILD_DATA.md).

    Args:
        input_prefix: subset S is PREFIX_S_challenges.json with PREFIX_S_solutions.json, or a folder.
        subsets: their names, in this order; test_set: which of them is the test set.
        num_aug: copies of each task.
        canvas: cells of a side, 1 to 30; 0: 30.
        compact: keep the original pairs and what was drawn only.
    """
    if isinstance(subsets, str):
        raise TypeError("subsets: want a list of names, got a str")
    config = _c.trm_arc_build_config(
        input_prefix=path_bytes(input_prefix), n_subsets=len(subsets), test_set_name=_words(test_set, "test_set"),
        output_dir=path_bytes(output_dir), num_aug=whole(num_aug, "num_aug"), canvas=whole(canvas, "canvas"),
        seed=whole(seed, "seed", 0, 2**32 - 1), compact=bool(compact), skip_invalid=bool(skip_invalid),
        threads=whole(threads, "threads"))
    listed = texts(subsets, "subsets")
    config.subsets = ctypes.addressof(listed)
    return _build("trm_build_arc", config, progress, _c.trm_arc_build_report(), ArcReport)


def verify(folder: PathLike, *, max_examples: int = 0, progress: Progress = None) -> Dict[str, Optional[str]]:
    """Checks a whole folder: arrays, ids, grids, labels by the rules, unique solutions.

    Returns:
        What was checked, and what is wrong with it; None where nothing is.
    """
    found: Dict[str, Optional[str]] = {}

    def report(_: Any, check: bytes, failure: Any) -> None:
        found[text(check)] = text(failure.contents.msg) if failure else None

    config = _c.trm_verify_config(max_examples=whole(max_examples, "max_examples", 0, 2**62),
                                  report=_c.trm_check_fn(report))
    failures = ctypes.c_int()
    interruptible("trm_dataset_verify", config, progress, path_bytes(folder), ctypes.byref(config),
                  ctypes.byref(failures))
    return found


class Split(NamedTuple):
    """What a split of a folder holds."""

    examples: int
    puzzles: int
    groups: int
    ids: int  #: different puzzle ids in use
    copies: int  #: puzzles beyond the first of their group
    compared: int
    repeated: int  #: of the compared examples, those whose like came before
    originals: int
    images: int  #: of the originals' examples, those whose image came before
    sizes: List[Tuple[int, int, int]]  #: rows, columns and how many: the most frequent sizes of grids


class Survey(NamedTuple):
    """What a folder of data holds."""

    train: Optional[Split]
    test: Optional[Split]
    overlap: int  #: compared test examples that are training examples
    symmetric_overlap: Optional[int]  #: originals of test that are one of train or an image; None: no symmetries


def _split(raw: _c.trm_survey_split) -> Split:
    sizes = [(int(s.rows), int(s.cols), int(s.count)) for s in raw.size if s.count]
    named = {name: int(getattr(raw, name)) for name in
             ("ids", "copies", "compared", "repeated", "originals", "images")}
    info = raw.info
    return Split(int(info.examples), int(info.puzzles), int(info.groups), sizes=sizes, **named)


def survey(folder: PathLike, *, max_groups: int = 0, progress: Progress = None) -> Survey:
    """Counts what the splits of a folder hold, repetitions and overlap among them.

    Args:
        max_groups: look at so many groups of each split, spread evenly; 0: all.
    """
    config = _c.trm_survey_config(max_groups=whole(max_groups, "max_groups", 0, 2**62))
    raw = _c.trm_survey()
    interruptible("trm_dataset_survey", config, progress, path_bytes(folder), ctypes.byref(config), ctypes.byref(raw))
    return Survey(_split(raw.train) if raw.has_train else None, _split(raw.test) if raw.has_test else None,
                  int(raw.overlap), int(raw.overlap_originals) if raw.symmetric else None)
