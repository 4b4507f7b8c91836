"""What a model's tokens mean: grids, texts and pictures of puzzles."""

from __future__ import annotations

import ctypes
import json
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np

from . import _c, errors
from ._arrays import AnyArray, IntArray, int32
from ._lib import call, lib, text, text_bytes, whole

Grids = Union[str, AnyArray, Sequence[Any]]


class Puzzle:
    """A kind of puzzle and its size: what the tokens of a model or of a data set mean.

    Puzzles have three forms, and every function that takes puzzles takes each of them:

    * *text*: a ``str``, one line as ``trm solve`` reads it: cells in reading order, rows separated by
      ``/`` (a Sudoku has no ``/``): ``"53..7....6..195...."``.
    * *grid*: an array or nested list [rows, cols] of what stands in the cells: of a Sudoku 0 (blank)
      to 9 (in a 16x16 to 16), of ARC colours 0 to 9, of a maze the characters ``"#"``, ``" "``,
      ``"S"``, ``"G"``, ``"o"``, else the puzzle's own symbols.
    * *tokens*: an array [seq_len] of the numbers that the model reads, as in the files of a data set
      (of a Sudoku the digit plus 1). int32 in C order is used as it is, without a copy.

    Several of them: a list of texts or of grids, an array [n, rows, cols] or [n, seq_len]. An array
    whose last axis is seq_len holds tokens, any other one grids.

    Attributes:
        kind: "sudoku", "maze", "arc", "grid", or "none" where tokens are only numbers.
        rows, cols: the canvas; seq_len is their product.
        rules: the name of its rule checker; "" where there is none.
        symbols: what the tokens from ``first_token`` on stand for.
        blanks: the tokens of cells that a question leaves open; () where nothing says which.
        wall: the token of walls, which every answer leaves as they are; -1 where there are none.
        box: the rows and columns of a box; None where there are no boxes.
    """

    def __init__(self, raw: _c.trm_puzzle, seq_len: int = 0) -> None:
        if not isinstance(raw, _c.trm_puzzle):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"raw: want a structure of the library, got {type(raw).__name__}: `Puzzle.sudoku` and the like, "
                            "and `trm.grid`, make puzzles")
        self._raw = _c.trm_puzzle()
        ctypes.pointer(self._raw)[0] = raw  # a copy of all of it
        self.kind = text(lib.trm_puzzle_kind_name(raw.kind))
        self.rows, self.cols = int(raw.rows), int(raw.cols)
        self.seq_len = seq_len or self.rows * self.cols
        if self.kind != "none" and self.seq_len != self.rows * self.cols:
            raise errors.ShapeError(f"seq_len={seq_len}: a {self.kind} of {self.rows}x{self.cols} has {self.rows * self.cols} cells")
        self.rules = raw.rules.decode() or (self.kind if lib.trm_puzzle_has_rules(self._ref) else "")
        self.is_sized = bool(lib.trm_puzzle_is_sized(self._ref))
        self.first_token = int(lib.trm_puzzle_first_symbol(self._ref))
        n = int(lib.trm_puzzle_n_symbols(self._ref))
        self.symbols: Tuple[str, ...] = tuple(
            text(lib.trm_puzzle_symbol(self._ref, self.first_token + i)) for i in range(n))
        self._values = self._values_of_tokens()

        # What the kind, or the rules, say of the cells.
        blanks = (ctypes.c_int32 * _c.TRM_PUZZLE_MAX_BLANKS)()
        n = int(lib.trm_puzzle_blanks(self._ref, blanks))
        self.blanks: Tuple[int, ...] = tuple(blanks[:n])
        self.wall = int(lib.trm_puzzle_wall(self._ref))
        high, wide = ctypes.c_int(), ctypes.c_int()
        has_boxes = lib.trm_puzzle_boxes(self._ref, ctypes.byref(high), ctypes.byref(wide))
        self.box: Optional[Tuple[int, int]] = (high.value, wide.value) if has_boxes else None

    @classmethod
    def sudoku(cls, size: int) -> Puzzle:
        """Sudokus of size 4, 6, 8, 9, 10, 12 or 16."""
        raw = lib.trm_sudoku_of_size(whole(size, "size"))
        if raw.kind == _c.TRM_PUZZLE_NONE:
            raise errors.ArgumentError(f"size={size}: want 4, 6, 8, 9, 10, 12 or 16")
        return cls(raw)

    @classmethod
    def maze(cls, rows: int, cols: int) -> Puzzle:
        """Mazes of rows x cols cells."""
        raw = lib.trm_maze_of_size(whole(rows, "rows"), whole(cols, "cols"))
        if raw.kind == _c.TRM_PUZZLE_NONE:
            raise errors.ArgumentError(f"a maze of {rows}x{cols}: want sides of 1 or more, and at "
                                       f"most {_c.TRM_MAZE_MAX_CELLS} cells")
        return cls(raw)

    @property
    def _ref(self) -> Any:
        return ctypes.byref(self._raw)

    @property
    def raw(self) -> _c.trm_puzzle:
        """The structure of the library, for calls of your own; not to be changed."""
        return self._raw

    @property
    def vocab_size(self) -> int:
        """Tokens are below it; 0 of kind none."""
        return self.first_token + len(self.symbols)

    def __repr__(self) -> str:
        return f"<trm.Puzzle {self.kind} {self.rows}x{self.cols}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Puzzle) and bytes(self._raw) == bytes(other._raw)

    def __hash__(self) -> int:
        return hash(bytes(self._raw))

    def __reduce__(self) -> Tuple[Any, ...]:
        return _unpickle, (bytes(self._raw), self.seq_len)

    # --- in ---

    def encode(self, puzzles: Grids) -> IntArray:
        """Puzzles of any form as tokens.

        Returns:
            int32 [seq_len] for one puzzle, [n, seq_len] for several.

        Raises:
            trm.FormatError, trm.RangeError: a text or cell that no symbol is, with its place.
            trm.ShapeError: an array of another shape.
            TypeError: what is neither text, array nor list.
        """
        tokens, single = self.encode_all(puzzles)
        return tokens[0] if single else tokens

    def encode_all(self, puzzles: Grids) -> Tuple[IntArray, bool]:
        """The same always as [n, seq_len], and whether it was one puzzle."""
        if isinstance(puzzles, str):
            return self._parse(puzzles)[np.newaxis], True
        if isinstance(puzzles, (list, tuple)) and not len(puzzles):
            return np.empty((0, self.seq_len), np.int32), False
        if isinstance(puzzles, (list, tuple)) and isinstance(puzzles[0], str):
            return self._stack(puzzles), False
        try:
            a = np.asarray(puzzles)
        except ValueError:
            a = None  # of several sizes
        if isinstance(puzzles, (list, tuple)) and (a is None or a.dtype == object):
            return self._stack(puzzles), False
        if a is None or a.ndim == 0:
            raise TypeError(f"puzzles: want text, an array or a list, got {type(puzzles).__name__}")

        # Tokens, or grids: one, or several of one size.
        if a.ndim in (1, 2) and a.shape[-1] == self.seq_len and a.dtype.kind in "iufb":
            return self._check_tokens(int32(np.atleast_2d(a), "tokens")), a.ndim == 1
        if self.kind == "none":
            raise errors.ShapeError(f"tokens: want an array [{self.seq_len}] or [n, {self.seq_len}], got "
                                    f"{list(a.shape)} of {a.dtype}; what they mean is not known")
        if a.ndim not in (2, 3):
            raise errors.ShapeError(
                f"puzzles: want text, grids [{self.rows}, {self.cols}] or [n, {self.rows}, {self.cols}], or "
                f"tokens [{self.seq_len}] or [n, {self.seq_len}]; got {list(a.shape)} of {a.dtype}")
        grids = a[np.newaxis] if a.ndim == 2 else a
        return self._encode_grids(grids), a.ndim == 2

    def _stack(self, puzzles: Sequence[Any]) -> IntArray:
        rows: List[IntArray] = []
        for i, each in enumerate(puzzles):
            try:
                tokens, single = self.encode_all(each)
            except errors.Error as e:
                raise type(e)(f"puzzle {i}: {e}") from None
            if not single:
                raise errors.ShapeError(f"puzzle {i}: want one puzzle, got {len(tokens)}")
            rows.append(tokens[0])
        return np.stack(rows)

    def _check_tokens(self, tokens: IntArray) -> IntArray:
        """Token 0 is padding, which no puzzle of one size has: who has it means digits."""
        if self.kind != "none" and not self.is_sized and (tokens == 0).any():
            row, cell = (int(i) for i in np.argwhere(tokens == 0)[0])
            raise errors.RangeError(
                f"tokens[{row}, {cell}] is 0, which is padding: tokens of this {self.kind} are "
                f"{self.first_token} to {self.vocab_size - 1}; what stands in the cells is given as grids "
                f"[{self.rows}, {self.cols}]")
        return tokens

    def _encode_grids(self, grids: AnyArray) -> IntArray:
        if self.kind == "sudoku" and grids.dtype.kind in "iuf":
            if grids.shape[1:] != (self.rows, self.cols):
                raise errors.ShapeError(f"grids: want [{self.rows}, {self.cols}], got {list(grids.shape[1:])}")
            values = int32(grids, "grids")
            wrong = np.argwhere((values < 0) | (values > self.rows))
            if wrong.size:
                place = tuple(int(i) for i in wrong[0])
                raise errors.RangeError(f"grids{list(place)} is {values[place]}: want 0 (blank) to {self.rows}")
            return (values + self.first_token).reshape(len(values), self.seq_len)
        if grids.dtype.kind not in "iufU":
            raise TypeError(f"grids: want whole numbers or texts, got an array of {grids.dtype}")
        out = np.empty((len(grids), self.seq_len), np.int32)
        for i, grid in enumerate(grids):
            cells = int32(grid, "grids") if grid.dtype.kind != "U" else grid
            if self.kind == "sudoku":
                line = "".join(str(cell) for row in cells.tolist() for cell in row)
            else:
                line = json.dumps(cells.tolist(), ensure_ascii=False)
            try:
                out[i] = self._parse(line)
            except errors.Error as e:
                raise type(e)(f"grid {i}: {e}") from None
        return out

    def _parse(self, line: str) -> IntArray:
        encoded = line.encode("utf-8", "surrogateescape")
        out = np.empty(self.seq_len, np.int32)
        call("trm_puzzle_parse", self._ref, encoded, len(encoded), out.ctypes.data)
        return out

    # --- out ---

    def _values_of_tokens(self) -> AnyArray:
        """What stands in a cell for each token: numbers where all symbols are some, else texts."""
        before: List[Any]
        if self.kind == "sudoku":
            return np.arange(-self.first_token, len(self.symbols), dtype=np.int32).clip(-1)
        if self.symbols and all(s.isdecimal() and str(int(s)) == s for s in self.symbols):
            before = [-1] * self.first_token
            return np.array([*before, *(int(s) for s in self.symbols)], np.int32)
        before = ["?"] * self.first_token
        return np.array([*before, *self.symbols]) if self.symbols else np.empty(0, np.int32)

    def decode(self, tokens: Any, question: Any = None) -> AnyArray:
        """Tokens as the grid that people see.

        Args:
            tokens: [seq_len], of a question, a label or an answer.
            question: where grids may be smaller than their canvas (ARC), the tokens of the question:
                an answer is cropped from its corner on.

        Returns:
            [rows, cols] of int32, or of texts where the symbols are no numbers (a maze). A cell that
            is no symbol is -1, or "?".
        """
        t = self._one(tokens)
        if self.kind == "none":
            return t.reshape(self.rows or 1, -1)
        box = self._box(t, question)
        known = np.where((t >= self.first_token) & (t < self.vocab_size), t, 0)
        grid = self._values[known].reshape(self.rows, self.cols)
        return grid[box.row:box.row + box.rows, box.col:box.col + box.cols]

    def format(self, tokens: Any, question: Any = None) -> str:
        """Tokens as one line of text, which :meth:`encode` reads."""
        t = self._one(tokens)
        if self.kind == "none":
            return " ".join(str(token) for token in t.tolist())
        buffer = ctypes.create_string_buffer(lib.trm_puzzle_text_size(self._ref))
        lib.trm_puzzle_format_box(self._ref, t.ctypes.data, self._box(t, question), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def _one(self, tokens: Any) -> IntArray:
        t = int32(tokens, "tokens")
        if t.shape != (self.seq_len,):
            raise errors.ShapeError(f"tokens: want [{self.seq_len}], got {list(t.shape)}")
        return t

    def _box(self, tokens: IntArray, question: Any) -> _c.trm_puzzle_box:
        asked = tokens if question is None else self._one(question)
        box: _c.trm_puzzle_box = lib.trm_puzzle_locate(self._ref, asked.ctypes.data)
        if question is not None:
            box = lib.trm_puzzle_crop(self._ref, tokens.ctypes.data, box.row, box.col)
        return box

    # --- rules ---

    def solves(self, question: Any, answer: Any) -> Optional[bool]:
        """Whether an answer is right by the rules, be it the labelled one or not; None where no
        rules are known. Tokens [seq_len] each."""
        if not self.rules:
            return None
        return bool(lib.trm_puzzle_solves(self._ref, self._one(question).ctypes.data,
                                          self._one(answer).ctypes.data))

    def check(self, question: Any) -> None:
        """Refuses a question that no answer can be right to by the rules.

        Raises:
            trm.PuzzleError: with what is wrong and where.
        """
        call("trm_puzzle_check", self._ref, self._one(question).ctypes.data)

    # --- pictures ---

    def svg(self, tokens: Any, question: Any = None, cell: int = 28) -> str:
        """A picture: an SVG of its own, as a notebook shows it. With the question, what was given is
        printed bold and what the model found is blue. `cell`: pixels of a cell's side."""
        t = self._one(tokens)
        given = t if question is None else self._one(question)
        box = self._box(t, question)
        facts = lib.trm_puzzle_facts_of(self._ref).contents
        size = max(cell // 2, 4) if facts.pixels else cell
        width, height = box.cols * size, box.rows * size
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 2}" height="{height + 2}" '
                 f'viewBox="-1 -1 {width + 2} {height + 2}" font-family="sans-serif" '
                 f'font-size="{size * 0.6:g}" text-anchor="middle">',
                 f'<rect width="{width}" height="{height}" fill="#fff"/>']
        for r in range(box.rows):
            for c in range(box.cols):
                at = (box.row + r) * self.cols + box.col + c
                parts += self._cell(int(t[at]), int(t[at] != given[at]), c * size, r * size, size, facts)
        for r in range(box.rows + 1):
            parts.append(_line(0, r * size, width, r * size, self._is_thick(r, self._raw.box_rows)))
        for c in range(box.cols + 1):
            parts.append(_line(c * size, 0, c * size, height, self._is_thick(c, self._raw.box_cols)))
        return "".join([*parts, "</svg>"])

    def _cell(self, token: int, found: int, x: int, y: int, size: int,
              facts: _c.trm_puzzle_facts) -> List[str]:
        """A cell's colour, where its symbol has one, and its symbol, unless the colour says it all."""
        i = token - self.first_token
        known = 0 <= i < len(self.symbols)
        symbol = self.symbols[i] if known else "?"
        parts: List[str] = []
        ink, shown = ("#1f5fbf" if found else "#000"), symbol != facts.blank.decode()
        if known and facts.n_fill:
            colour = i % facts.n_fill
            fill = ctypes.c_uint32.from_address((facts.fill or 0) + 4 * colour).value
            light = 299 * (fill >> 16) + 587 * (fill >> 8 & 255) + 114 * (fill & 255) > 128_000
            ink, shown = ("#000" if light else "#fff"), bool(facts.lettered >> colour & 1)
            parts.append(f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="#{fill:06x}"/>')
        if shown:
            weight = "" if found else ' font-weight="bold"'
            escaped = symbol.replace("&", "&amp;").replace("<", "&lt;")
            parts.append(f'<text x="{x + size / 2:g}" y="{y + size * 0.71:g}" fill="{ink}"{weight}>{escaped}</text>')
        return parts

    def _is_thick(self, i: int, box: int) -> bool:
        return bool(box) and i % box == 0


def _line(x1: int, y1: int, x2: int, y2: int, thick: bool) -> str:
    return (f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{"#000" if thick else "#aaa"}" '
            f'stroke-width="{1.6 if thick else 0.6}"/>')


def _unpickle(raw: bytes, seq_len: int) -> Puzzle:
    return Puzzle(_c.trm_puzzle.from_buffer_copy(raw), seq_len)


def of_struct(raw: _c.trm_puzzle, seq_len: int) -> Puzzle:
    return Puzzle(raw, seq_len)


def named_rules() -> List[str]:
    """The names of the rule checkers."""
    out: List[str] = []
    while (name := lib.trm_puzzle_rules_name(len(out))):
        out.append(text(name))
    return out


def grid(rows: int, cols: int, vocabulary: Sequence[str], rules: str = "", symmetries: str = "",
         sized: bool = False) -> Puzzle:
    """Your own puzzles: grids of symbols.

    Args:
        rows, cols: the canvas.
        vocabulary: up to 250 symbols of at most 15 bytes, in the order of their tokens.
        rules: a rule checker (:func:`named_rules`); "": none.
        symmetries: comma-separated names, e.g. "dihedral,permute:1-9"; "": none.
        sized: grids may be smaller than the canvas.
    """
    raw = _c.trm_puzzle(kind=_c.TRM_PUZZLE_GRID, rows=whole(rows, "rows", 1, _c.TRM_PUZZLE_MAX_SIDE),
                        cols=whole(cols, "cols", 1, _c.TRM_PUZZLE_MAX_SIDE), sized=bool(sized),
                        rules=text_bytes(rules, "rules"), symmetries=text_bytes(symmetries, "symmetries"))
    words = [text_bytes(word, "a symbol") for word in vocabulary]
    if not 0 < len(words) <= _c.TRM_PUZZLE_MAX_SYMBOLS or not all(
            0 < len(word) <= _c.TRM_PUZZLE_MAX_SYMBOL for word in words):
        raise errors.ArgumentError(f"vocabulary: want 1 to {_c.TRM_PUZZLE_MAX_SYMBOLS} symbols of 1 to "
                                   f"{_c.TRM_PUZZLE_MAX_SYMBOL} bytes")
    if len(set(words)) != len(words):
        raise errors.ArgumentError("vocabulary: a symbol is there twice")
    packed = b"".join(word + b"\0" for word in words) + b"\0"
    place: Any = _c.trm_puzzle.vocabulary
    if len(packed) > place.size:
        raise errors.ArgumentError(f"vocabulary: {len(packed)} bytes are too many, want {place.size} at most")
    ctypes.memmove(ctypes.addressof(raw) + place.offset, packed, len(packed))
    return Puzzle(raw)
