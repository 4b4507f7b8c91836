"""Data sets: of arrays, in folders, and the stream of batches that a training draws from them."""

from __future__ import annotations

import ctypes
import operator
import os
from dataclasses import dataclass
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Union, overload

import numpy as np
import numpy.typing as npt

from . import _c, errors
from ._arrays import AnyArray, IntArray, int32
from ._lib import Handle, Owner, PathLike, call, create, instance, lib, path_bytes, text_bytes, whole
from .puzzle import Grids, Puzzle

IGNORED = _c.TRM_IGNORE_LABEL  #: a label of this value is not scored


@dataclass(frozen=True, eq=False)
class Example:
    """A puzzle with its answer: tokens int32 [seq_len] each, labels :data:`IGNORED` where not scored."""

    puzzle: Puzzle
    question: IntArray
    label: IntArray
    puzzle_id: int

    def __repr__(self) -> str:
        if self.puzzle.kind == "none":
            return f"<trm.data.Example of {len(self.question)} tokens, id {self.puzzle_id}>"
        return f"<trm.data.Example {self.puzzle.format(self.question)[:100]}, id {self.puzzle_id}>"

    def _repr_svg_(self) -> Optional[str]:
        if self.puzzle.kind == "none":
            return None
        return self.puzzle.svg(_shown(self.label), self.question)


def _shown(label: IntArray) -> IntArray:
    """A label as a picture or a text has it: what is not scored is empty."""
    return np.where(label == IGNORED, 0, label).astype(np.int32)


class Gallery:
    """Examples to be looked at: pictures in a notebook, else lines of text."""

    def __init__(self, examples: List[Example]) -> None:
        self.examples = examples

    def __str__(self) -> str:
        return "\n".join(f"{e.puzzle.format(e.question)} -> {e.puzzle.format(_shown(e.label), e.question)}"
                         for e in self.examples)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        pairs = ((e.puzzle.svg(e.question), e.puzzle.svg(_shown(e.label), e.question)) for e in self.examples
                 if e.puzzle.kind != "none")
        return "".join(f'<div style="margin: 6px">{question} &rarr; {label}</div>' for question, label in pairs)


class Dataset(Owner):
    """Examples to learn from or to be measured on: a sequence of :class:`Example`.

    Args:
        inputs: the puzzles, n of them, in any form of :class:`trm.Puzzle`; without `puzzle` tokens
            int [n, seq_len].
        labels: their answers in the same forms; of tokens :data:`IGNORED` (-100) where nothing is
            scored.
        puzzle: what tokens mean; None: known by the examples where they are Sudokus, else unknown.
        vocab_size: tokens are below it; 0: the puzzle's, else the largest token plus 1.
        puzzle_ids: int [puzzles], of a model that is to know tasks by ids; None: all 0.
        puzzle_indices: int [puzzles + 1], the first example of each puzzle; None: one example each.
        group_indices: int [groups + 1], the first puzzle of each group (a puzzle and its stored
            copies, of which an epoch draws one); None: one puzzle each.

    int32 arrays in C order are used where they lie, and kept alive; they must not be changed.

    Raises:
        trm.RangeError, trm.ShapeError, trm.ArgumentError: with array, row and what was expected.
    """

    def __init__(self, inputs: Grids, labels: Any, *, puzzle: Optional[Puzzle] = None, vocab_size: int = 0,
                 puzzle_ids: Any = None, puzzle_indices: Any = None, group_indices: Any = None,
                 num_puzzle_ids: int = 0) -> None:
        instance(puzzle, Puzzle, "puzzle", True)
        x = _examples(inputs, puzzle, "inputs")
        y = _examples(labels, puzzle, "labels", may_be_ignored=True)
        if x.shape != y.shape:
            raise errors.ShapeError(f"inputs are {list(x.shape)}, labels {list(y.shape)}: want the same")
        if not vocab_size:
            vocab_size = puzzle.vocab_size if puzzle else int(max(x.max(initial=0), y.max(initial=0))) + 1
        ids = None if puzzle_ids is None else _index(puzzle_ids, np.int32, "puzzle_ids")
        starts = None if puzzle_indices is None else _index(puzzle_indices, np.int64, "puzzle_indices")
        groups = None if group_indices is None else _index(group_indices, np.int64, "group_indices")
        puzzles = len(x) if starts is None else len(starts) - 1
        if ids is not None and len(ids) != puzzles:
            raise errors.ShapeError(f"puzzle_ids: want [{puzzles}], one for each puzzle, got [{len(ids)}]")
        raw = _c.trm_dataset_arrays(
            vocab_size=whole(vocab_size, "vocab_size"), seq_len=x.shape[1], examples=len(x), puzzles=puzzles,
            num_puzzle_identifiers=whole(num_puzzle_ids, "num_puzzle_ids"),
            groups=puzzles if groups is None else len(groups) - 1, inputs=x.ctypes.data, labels=y.ctypes.data,
            puzzle_identifiers=_address(ids), puzzle_indices=_address(starts), group_indices=_address(groups))
        if puzzle is not None:
            raw.puzzle = puzzle.raw
        self._begin(create("trm_dataset_from_arrays", ctypes.byref(raw)), x, y)

    def _begin(self, address: int, *on: Any, owned: bool = True) -> None:
        """`on`: what it lies in."""
        self._handle = Handle(address, "trm_dataset_free" if owned else None, "data set", *on)
        info = lib.trm_dataset_get_info(address).contents
        self.puzzle = Puzzle(info.puzzle, int(info.seq_len))
        self.seq_len, self.vocab_size = int(info.seq_len), int(info.vocab_size)
        self.puzzles, self.groups = int(info.puzzles), int(info.groups)
        self.num_puzzle_ids = int(info.num_puzzle_identifiers)
        self._examples = int(info.examples)

    @classmethod
    def open(cls, folder: PathLike, split: str = "train") -> Dataset:
        """A split of a folder in the reference's layout or ours (docs/DATA.md); its files are mapped.

        Raises:
            trm.FileError, trm.FormatError, trm.ShapeError, trm.RangeError: with file and row.
        """
        return cls._of(create("trm_dataset_open", path_bytes(folder), text_bytes(split, "split")))

    @classmethod
    def _of(cls, address: int, *on: Any, owned: bool = True) -> Dataset:
        made = cls.__new__(cls)
        made._begin(address, *on, owned=owned)
        return made

    def show(self, first: int = 0, count: int = 4) -> Gallery:
        """Examples with their answers: pictures in a notebook, lines of text when printed."""
        return Gallery(self[max(first, 0):max(first, 0) + max(count, 0)])

    def __repr__(self) -> str:
        return (f"<trm.Dataset of {self._examples} examples, {self.puzzle.kind}, seq_len {self.seq_len}, "
                f"vocab_size {self.vocab_size}>")

    def __len__(self) -> int:
        return self._examples

    @overload
    def __getitem__(self, i: int) -> Example: ...
    @overload
    def __getitem__(self, i: slice) -> List[Example]: ...
    def __getitem__(self, i: Union[int, slice]) -> Union[Example, List[Example]]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        at = operator.index(i)
        at += self._examples if at < 0 else 0
        if not 0 <= at < self._examples:
            raise IndexError(f"example {i} of {self._examples}")
        rows, ids = np.empty((2, self.seq_len), np.int32), ctypes.c_int32()
        lib.trm_dataset_example(self.address, at, rows[0].ctypes.data, rows[1].ctypes.data, ctypes.byref(ids))
        return Example(self.puzzle, rows[0], rows[1], ids.value)

    def __iter__(self) -> Iterator[Example]:
        return (self[i] for i in range(len(self)))

    def arrays(self) -> Tuple[IntArray, IntArray, IntArray]:
        """All of it: inputs and labels int32 [n, seq_len], puzzle ids int32 [n]."""
        x, y = (np.empty((len(self), self.seq_len), np.int32) for _ in range(2))
        ids = np.empty(len(self), np.int32)
        for i in range(len(self)):
            lib.trm_dataset_example(self.address, i, x[i].ctypes.data, y[i].ctypes.data, ids[i:].ctypes.data)
        return x, y, ids

    def split(self, share: float, seed: int = 0) -> Tuple[Dataset, Dataset]:
        """Without and with a share of its groups, chosen by the seed; nothing is copied."""
        rest, held = ctypes.c_void_p(), ctypes.c_void_p()
        call("trm_dataset_split", self.address, float(share), whole(seed, "seed", 0, 2**64 - 1),
             ctypes.byref(rest), ctypes.byref(held))
        assert rest.value and held.value
        return Dataset._of(rest.value, self.memory), Dataset._of(held.value, self.memory)

    @property
    def fingerprint(self) -> int:
        """A number that differs between sets that are not the same."""
        out = ctypes.c_uint64()
        call("trm_dataset_fingerprint", self.address, ctypes.byref(out))
        return out.value

    def save(self, folder: PathLike, test: Optional[Dataset] = None, names: Optional[Sequence[str]] = None) -> None:
        """Writes it as the split `train` of a folder, which trm and the reference read.

        Args:
            test: another one, as the split `test`.
            names: of the puzzle ids.

        Raises:
            trm.FileError: it cannot be written, or the folder holds anything but a data set.
            trm.ShapeError: the two do not fit together.
        """
        if names is not None and len(names) != self.num_puzzle_ids:
            raise errors.ShapeError(f"names: want {self.num_puzzle_ids}, one for each puzzle id, got {len(names)}")
        instance(test, Dataset, "test", True)
        listed = None if names is None else texts(names, "names")
        call("trm_dataset_save", self.address, test.address if test else None, listed, path_bytes(folder))


def texts(words: Sequence[str], what: str) -> Any:
    """An array of texts for the library."""
    return (ctypes.c_char_p * len(words))(*(text_bytes(word, what) for word in words))


def _index(values: Any, dtype: Any, what: str) -> AnyArray:
    a = np.ascontiguousarray(int32(values, what).astype(dtype))
    if a.ndim != 1 or not len(a):
        raise errors.ShapeError(f"{what}: want one dimension and an element or more, got {list(a.shape)}")
    return a


def _address(a: Optional[AnyArray]) -> Optional[int]:
    return None if a is None else a.ctypes.data


def _examples(x: Any, puzzle: Optional[Puzzle], what: str, may_be_ignored: bool = False) -> IntArray:
    """Examples as int32 [n, seq_len]."""
    if puzzle is not None and not (may_be_ignored and np.ndim(x) == 2 and np.shape(x)[1] == puzzle.seq_len):
        tokens, single = puzzle.encode_all(x)
        if single:
            raise errors.ShapeError(f"{what}: want several puzzles, got one")
    else:
        if puzzle is None and (np.ndim(x) == 3 or np.asarray(x).dtype.kind == "U"):
            raise errors.ShapeError(f"{what}: grids and texts want `puzzle`, which says what they mean; without it want tokens "
                                    "[n, seq_len]")
        tokens = int32(x, what)
    if tokens.ndim != 2 or not tokens.size:
        raise errors.ShapeError(f"{what}: want tokens [n, seq_len], got {list(tokens.shape)}")
    return tokens


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples to learn from: inputs, labels int32 [B, seq_len], puzzle_ids int32 [B]."""

    inputs: IntArray
    labels: IntArray
    puzzle_ids: IntArray


def augmentation(name: str) -> int:
    """How a training changes puzzles, by its name."""
    kinds = {"none": _c.TRM_AUGMENT_NONE, "on-the-fly": _c.TRM_AUGMENT_ON_THE_FLY}
    if name not in kinds:
        raise errors.ArgumentError(f"augment={name!r}: want none or on-the-fly")
    return kinds[name]


class Stream:
    """An endless stream of batches, as training draws them: an epoch visits every group once.

    Args:
        data: a :class:`Dataset`, or several of the same shape; they are kept alive.
        batch_size: rows of a batch.
        seed: order, picks and images follow from it, 64 bits.
        augment: "none", or "on-the-fly": a fresh symmetric image of a puzzle at every draw.
        epochs_per_iter: an incomplete batch is dropped after so many epochs.

    Raises:
        trm.ConfigError: the puzzles have no images, or are too few for a batch.
    """

    def __init__(self, data: Union[Dataset, Sequence[Dataset]], batch_size: int, *, seed: int = 0,
                 augment: str = "none", epochs_per_iter: int = 1) -> None:
        sets = [instance(each, Dataset, "data") for each in ([data] if isinstance(data, Dataset) else data)]
        self.batch_size = whole(batch_size, "batch_size", 1)
        config = _c.trm_stream_config(batch_size=self.batch_size, seed=whole(seed, "seed", 0, 2**64 - 1),
                                      epochs_per_iter=whole(epochs_per_iter, "epochs_per_iter", 1, 2**62),
                                      augment=augmentation(augment))
        listed = (ctypes.c_void_p * len(sets))(*(s.address for s in sets))
        address = create("trm_stream_create", listed, len(sets), ctypes.byref(config))
        self._handle = Handle(address, "trm_stream_free", "stream", *(s.memory for s in sets))
        self._seq_len = sets[0].seq_len

    def __repr__(self) -> str:
        return f"<trm.Stream: batch_size {self.batch_size}, seq_len {self._seq_len}>"

    def next(self, wants: Optional[npt.NDArray[np.bool_]] = None) -> Batch:
        """The next batch. Rows that are not in `wants` (bool [B]; None: all are) are drawn, but zero."""
        if wants is not None:
            wants = np.ascontiguousarray(wants, np.bool_)
            if wants.shape != (self.batch_size,):
                raise errors.ShapeError(f"wants: want [{self.batch_size}], got {list(wants.shape)}")
        x, y = (np.zeros((self.batch_size, self._seq_len), np.int32) for _ in range(2))
        ids = np.zeros(self.batch_size, np.int32)
        with self._handle.lock:
            lib.trm_stream_next(self._handle.address, _address(wants), x.ctypes.data, y.ctypes.data, ids.ctypes.data)
        return Batch(x, y, ids)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.next()

    @property
    def position(self) -> int:
        """Batches given so far; setting it goes there."""
        with self._handle.lock:
            return int(lib.trm_stream_position(self._handle.address))

    @position.setter
    def position(self, value: int) -> None:
        with self._handle.lock:
            call("trm_stream_seek", self._handle.address, whole(value, "position", 0, 2**62))


def folder_of(data: Union[Dataset, Sequence[Any]], test: Optional[Dataset], folder: Optional[PathLike]) -> str:
    """The folder of data that a run is to read: written, unless they are there already."""
    train = data if isinstance(data, Dataset) else Dataset(*data)
    names: List[str] = [f"{each.fingerprint:016x}" for each in (train, test) if each is not None]
    place = os.fspath(folder) if folder is not None else os.path.join("data", "-".join(names))
    try:
        same = Dataset.open(place).fingerprint == train.fingerprint and (
            test is None or Dataset.open(place, "test").fingerprint == test.fingerprint)
    except errors.Error:
        same = False
    if not same:
        train.save(place, test)
    return place
