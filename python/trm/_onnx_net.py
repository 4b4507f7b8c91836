"""A model as pieces of an ONNX graph: what src/nn computes (docs/MODEL.md), in standard operators.

The tests hold it against the library. Everything is float32, whatever the weights are stored in.
Shapes in comments: B rows, L = P + S positions of which the first P are the model's own, D channels,
H heads of d, V tokens.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import errors
from ._arrays import AnyArray, FloatArray, copy
from ._lib import lib

if TYPE_CHECKING:
    from .model import Model


class Update(NamedTuple):
    """z[dst] <- net(sum of all z, plus e with `add_input`)."""

    net: str
    dst: int
    add_input: bool


class Recursion:
    """The latents of a model and the updates of one supervision step (src/nn/archs.c)."""

    def __init__(self, config: Dict[str, Any], weights: Dict[str, FloatArray]) -> None:
        starts = [name for name in weights if name.endswith("_init")]
        self.latents = [f"z_{name[:-len('_init')]}" for name in starts]
        self.starts = dict(zip(self.latents, starts))
        nets = [net for net in ("L_level", "H_level") if any(name.startswith(f"{net}.") for name in weights)]
        direct = config["arch"] == "transformers_baseline"
        thinking = list(range(1, len(self.latents))) or [0]

        # n times the latents of the reasoning in turn, then the answer.
        n, T = (0, 1) if direct else (config["L_cycles"], config["H_cycles"])
        cycle = [Update(nets[0], thinking[i % len(thinking)], True) for i in range(n)]
        cycle.append(Update(nets[-1], 0, direct or config["x_always"]))
        self.updates = cycle * T
        self.share = 1.0 - float(config["damping"])


class Writer:
    """A graph that grows node by node. Values go by their names."""

    def __init__(self, onnx: Any, dtype: str, counter: Optional[List[int]] = None) -> None:
        self.onnx, self.helper, self.types = onnx, onnx.helper, onnx.TensorProto
        self.dtype = dtype
        self.nodes: List[Any] = []
        self.initializers: List[Any] = []
        self._constants: Dict[Tuple[Any, ...], str] = {}
        self._counter = [0] if counter is None else counter

    def inner(self) -> Writer:
        """The graph of a loop's body, which sees all that is here."""
        body = Writer(self.onnx, self.dtype, self._counter)
        body._constants, body.initializers = self._constants, self.initializers
        return body

    def name(self, stem: str) -> str:
        self._counter[0] += 1
        return f"{stem}_{self._counter[0]}"

    def op(self, kind: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Appends a node with one output; returns that, `to` or a name of its own."""
        return self.ops(kind, *inputs, outputs=(to or self.name(kind),), **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: Sequence[str], **attributes: Any) -> Sequence[str]:
        """Appends a node, which is called as its first output: some runtimes make names of names."""
        self.nodes.append(self.helper.make_node(kind, list(inputs), list(outputs), name=outputs[0], **attributes))
        return outputs

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A value of the graph, once however often it is asked for."""
        a = np.asarray(value, dtype, order="C")
        key = (a.dtype.str, a.shape, a.tobytes())
        if key not in self._constants:
            self._constants[key] = self.name("const")
            self.put(self._constants[key], a)
        return self._constants[key]

    def put(self, name: str, a: AnyArray) -> None:
        """A value under a name."""
        kind = self.helper.np_dtype_to_tensor_dtype(a.dtype)
        little = a.astype(a.dtype.newbyteorder("<"))
        self.initializers.append(self.helper.make_tensor(name, kind, a.shape, little.tobytes(), raw=True))

    def weight(self, name: str, a: FloatArray) -> str:
        """A weight by its name, float32 whatever it is stored in."""
        if self.dtype == "float32":
            self.put(name, a)
            return name
        stored = f"{name}.bfloat16"
        self.initializers.append(self.helper.make_tensor(stored, self.types.BFLOAT16, a.shape,
                                                         _bfloat16(a).tobytes(), raw=True))
        return self.cast(stored, self.types.FLOAT, name)

    # --- short forms ---

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def add(self, *terms: str) -> str:
        total = terms[0]
        for term in terms[1:]:
            total = self.op("Add", total, term)
        return total

    def scaled(self, x: str, by: float) -> str:
        return x if by == 1 else self.op("Mul", x, self.constant(by))

    def cast(self, x: str, kind: int, to: str = "") -> str:
        output = to or self.name("Cast")
        self.nodes.append(self.helper.make_node("Cast", [x], [output], name=output, to=kind))
        return output

    def shaped(self, x: str, *shape: int) -> str:
        """0: as it is."""
        return self.op("Reshape", x, self.ints(*shape))

    def split(self, x: str, axis: int, *sizes: int) -> Sequence[str]:
        names = [self.name("Split") for _ in sizes]
        return self.ops("Split", x, self.ints(*sizes), outputs=names, axis=axis)

    def norm(self, x: str, axis: int, eps: float) -> str:
        """x / sqrt(mean(x^2) + eps) along an axis."""
        mean = self.op("ReduceMean", self.op("Mul", x, x), self.ints(axis), keepdims=1)
        return self.op("Div", x, self.op("Sqrt", self.op("Add", mean, self.constant(eps))))


def _bfloat16(a: FloatArray) -> AnyArray:
    """The bits of the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(a, np.float32).view(np.uint32)
    return ((bits + (0x7FFF + (bits >> 16 & 1)).astype(np.uint32)) >> 16).astype("<u2")


class Net:
    """The parts of a model as pieces of a graph. What does not change from step to step is made when it
    is first asked for, in the outer graph."""

    def __init__(self, model: Model, w: Writer) -> None:
        c = model.config
        self.model, self.c, self.puzzle = model, c, model.puzzle
        self.weights = model.state_dict()
        self.recursion = Recursion(c, self.weights)
        self.w = w
        self._named: Dict[str, str] = {}
        self._turned: Dict[str, str] = {}

        self.cells = model.seq_len
        self.L = model.cost.positions
        self.S = (c["max_open_cells"] or self.cells) if c["open_cells"] else self.cells
        self.P = self.L - self.S
        self.D, self.H = int(c["hidden_size"]), int(c["num_heads"])
        self.eps, self.inner_eps = float(c["rms_norm_eps"]), float(c["inner_norm_eps"])
        self.has_ids = "puzzle_emb.weights" in self.weights and c["num_puzzle_identifiers"] > 1
        if len(self.recursion.updates) != model.cost.n_updates:
            raise errors.ConfigError(f"arch={c['arch']}: its recursion is not known to ONNX export")

    def weight(self, name: str) -> str:
        if name not in self._named:
            self._named[name] = self.w.weight(name, self.weights[name])
        return self._named[name]

    def turned(self, name: str) -> str:
        """The transpose of a weight."""
        if name not in self._turned:
            self._turned[name] = self.w.op("Transpose", self.weight(name), perm=[1, 0])
        return self._turned[name]

    # --- what is read ---

    def read(self, inputs: str, puzzle_ids: str) -> None:
        """From inputs [B, cells]: what every step reads and no step changes."""
        w = self.w
        self.inputs = inputs
        self.batch = w.op("Shape", inputs, start=0, end=1)
        if self.c["open_cells"]:
            self._find_open_cells()
        front = self._front(puzzle_ids)
        cells = self._cells()
        self.scale = float(np.sqrt(self.D))
        if self.c["pos_encodings"] == "learned":
            self.scale *= 0.707106781
        self.front = w.scaled(front, self.scale) if front else ""
        self.at_cells = cells
        self.rotations = self._rotations() if self._rotates() else None
        if not self.c["feedback"]:
            self.e = self._joined(w, cells)

    def _joined(self, w: Writer, cells: str) -> str:
        """e [B, L, D] of the positions before the cells and of these, padding being 0."""
        cells = w.scaled(cells, self.scale)
        if self.c["open_cells"]:
            cells = w.op("Where", self.is_cell, cells, self.poison)
        return w.op("Concat", self.front, cells, axis=1) if self.front else cells

    def _front(self, puzzle_ids: str) -> str:
        """[B, P, D]: registers, then the puzzle's embedding, whose values fill its positions from their start."""
        w, parts = self.w, []
        R = int(self.c["registers"])
        if R:
            whole_batch = w.op("Concat", self.batch, w.ints(R, self.D), axis=0)
            parts.append(w.op("Expand", self.weight("embed_registers.embedding_weight"), whole_batch))
        if self.P > R:
            values = w.op("Gather", *self._embeddings(puzzle_ids), axis=0)
            missing = (self.P - R) * self.D - int(self.c["puzzle_emb_ndim"])
            if missing:
                values = w.op("Pad", values, w.ints(0, 0, 0, missing))
            parts.append(w.shaped(values, -1, self.P - R, self.D))
        if not parts:
            return ""
        front = w.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
        if self.c["pos_encodings"] == "learned":
            table = self.weight("embed_pos.embedding_weight")
            front = w.add(front, w.op("Slice", table, w.ints(0), w.ints(self.P), w.ints(0)))
        return front

    def _embeddings(self, puzzle_ids: str) -> Tuple[str, str]:
        """The table of puzzle embeddings, and each row's place in it [B]."""
        w, table = self.w, self.weight("puzzle_emb.weights")
        n_kept = ctypes.c_int()
        kept = lib.trm_model_puzzle_ids(self.model.address, ctypes.byref(n_kept))
        if not self.has_ids:
            return table, w.op("Expand", w.constant(0, np.int32), self.batch)
        if not kept:
            return table, puzzle_ids

        # An id that was not kept has NaN: a graph cannot refuse it.
        places = np.full(self.c["num_puzzle_identifiers"], n_kept.value, np.int32)
        places[copy(kept, (n_kept.value,), np.int32)] = np.arange(n_kept.value, dtype=np.int32)
        nothing = w.constant(np.full((1, self.c["puzzle_emb_ndim"]), np.nan))
        return (w.op("Concat", table, nothing, axis=0),
                w.op("Gather", w.constant(places, np.int32), puzzle_ids, axis=0))

    def _cells(self) -> str:
        """[B, S, D]: embeddings of the tokens, of what their places are, and of the walls around them."""
        w, terms = self.w, [self._tokens(self.w, self.inputs, "embed_tokens.embedding_weight")]
        for table, unit in self._units():
            terms.append(self._by_cell(w.op("Gather", self.weight(table), w.constant(unit, np.int64), axis=0)))
        if self.c["open_cells"]:
            terms.append(w.op("Gather", self.weight("embed_walls.embedding_weight"), self.walls, axis=0))
            terms.append(self.poison)
        if self.c["pos_encodings"] == "learned":
            end = w.ints(self.P + self.cells)
            at_cells = w.op("Slice", self.weight("embed_pos.embedding_weight"), w.ints(self.P), end, w.ints(0))
            terms.append(self._by_cell(at_cells))
        return w.add(*terms)

    def _tokens(self, w: Writer, tokens: str, table: str) -> str:
        """[B, S, D] of tokens [B, cells]."""
        if self.c["open_cells"]:
            tokens = w.op("GatherND", tokens, self.cell_index, batch_dims=1)
        return w.op("Gather", self.weight(table), tokens, axis=0)

    def _by_cell(self, table: str) -> str:
        """The rows of a table [cells, n] that belong to the tokens: as it is, or [B, S, n]."""
        return self.w.op("Gather", table, self.cell, axis=0) if self.c["open_cells"] else table

    def _units(self) -> List[Tuple[str, AnyArray]]:
        """The tables of units that a model has, each with the unit of every cell."""
        high, wide = self.puzzle.box or (1, 1)
        cell = np.arange(self.cells)
        row, column = cell // max(self.puzzle.cols, 1), cell % max(self.puzzle.cols, 1)
        units = {"row": row, "column": column, "box": row // high * (self.puzzle.cols // wide) + column // wide}
        tables = {f"embed_{name}.embedding_weight": unit for name, unit in units.items()}
        return [(table, unit) for table, unit in tables.items() if table in self.weights]

    def _find_open_cells(self) -> None:
        """Of a maze: the cells that are no walls, in reading order, as S tokens with padding behind them."""
        w = self.w
        rows, cols = self.puzzle.rows, self.puzzle.cols
        cell = np.arange(self.cells)
        wall = w.constant(self.puzzle.wall, np.int32)
        self.is_open = w.op("Not", w.op("Equal", w.cast(self.inputs, w.types.INT32), wall))  # [B, cells]

        # Their places, by sorting: walls come behind all cells.
        order = w.op("Where", self.is_open, w.constant(cell, np.int64), w.constant(cell + self.cells, np.int64))
        places = w.ops("TopK", order, w.ints(self.S), outputs=(w.name("TopK"), w.name("TopK")), axis=1, largest=0,
                       sorted=1)[0]
        self.cell = w.op("Mod", places, w.ints(self.cells))  # [B, S]
        self.cell_index = w.op("Unsqueeze", self.cell, w.ints(2))
        valid = w.op("Less", places, w.ints(self.cells))
        self.is_cell = w.op("Unsqueeze", valid, w.ints(2))  # [B, S, 1]

        # Keys of attention: padding is seen by nobody.
        front = w.op("Expand", w.constant(True, np.bool_), w.op("Concat", self.batch, w.ints(self.P), axis=0))
        keys = w.op("Concat", front, valid, axis=1) if self.P else valid
        hidden = w.op("Where", keys, w.constant(0), w.constant(-1e30))
        self.mask = w.op("Unsqueeze", hidden, w.ints(1, 2))  # [B, 1, 1, L]

        # Walls around them: above 1, to the right 2, below 4, to the left 8; beyond the grid are walls.
        closed = w.cast(w.op("Not", self.is_open), w.types.INT32)
        grid = w.op("Pad", w.shaped(closed, -1, rows, cols), w.ints(0, 1, 1, 0, 1, 1), w.constant(1, np.int32))
        around = []
        for bit, (i, j) in enumerate(((0, 1), (1, 2), (2, 1), (1, 0))):
            shifted = w.op("Slice", grid, w.ints(i, j), w.ints(i + rows, j + cols), w.ints(1, 2))
            around.append(w.op("Mul", w.shaped(shifted, -1, self.cells), w.constant(1 << bit, np.int32)))
        self.walls = w.op("GatherND", w.add(*around), self.cell_index, batch_dims=1)  # [B, S]

        # A maze with no open cell, or with more than there are tokens, has NaN: a graph cannot refuse it.
        n_open = w.op("ReduceSum", w.cast(self.is_open, w.types.INT32), w.ints(1), keepdims=1)
        wrong = w.op("Or", w.op("Equal", n_open, w.constant(0, np.int32)),
                     w.op("Greater", n_open, w.constant(self.S, np.int32)))
        poison = w.op("Where", wrong, w.constant(np.nan), w.constant(0))
        self.poison = w.op("Unsqueeze", poison, w.ints(2))  # [B, 1, 1]

    # --- blocks: y = norm(x + branch(x)) ---

    def product(self, w: Writer, x: str, weight: str, axis: int) -> str:
        """W x along an axis of x [B, L, D]."""
        return w.op("MatMul", x, self.turned(weight)) if axis == 2 else w.op("MatMul", self.weight(weight), x)

    def swiglu(self, w: Writer, x: str, name: str, axis: int) -> str:
        width = len(self.weights[f"{name}.gate_up_proj.weight"]) // 2
        gate, up = w.split(self.product(w, x, f"{name}.gate_up_proj.weight", axis), axis, width, width)
        if self.c["gate_norm"]:
            opened = w.op("Mul", w.op("Sigmoid", gate), w.norm(w.op("Mul", gate, up), axis, self.inner_eps))
        else:
            opened = w.op("Mul", w.op("Mul", w.op("Sigmoid", gate), gate), up)
        return self.product(w, opened, f"{name}.down_proj.weight", axis)

    def mlp(self, w: Writer, x: str, layer: str) -> str:
        return w.norm(w.add(x, self.swiglu(w, x, f"{layer}.mlp", 2)), 2, self.eps)

    def mixer(self, w: Writer, x: str, layer: str) -> str:
        return w.norm(w.add(x, self.swiglu(w, x, f"{layer}.mlp_t", 1)), 1, self.eps)

    def attention(self, w: Writer, x: str, layer: str) -> str:
        D, H = self.D, self.H
        d = D // H

        # q, k, v of each head; q and k normed and turned, [B, H, L, d].
        qkv = w.shaped(self.product(w, x, f"{layer}.self_attn.qkv_proj.weight", 2), 0, 0, 3 * H, d)
        both, v = w.split(w.op("Transpose", qkv, perm=[0, 2, 1, 3]), 1, 2 * H, H)
        if self.c["qk_norm"]:
            both = w.norm(both, 3, self.inner_eps)
        if self.rotations:
            cos, sin = self.rotations
            a, b = w.split(both, 3, d // 2, d // 2)
            both = w.op("Concat", w.op("Sub", w.op("Mul", a, cos), w.op("Mul", b, sin)),
                        w.op("Add", w.op("Mul", b, cos), w.op("Mul", a, sin)), axis=3)
        q, k = w.split(both, 1, H, H)

        # o = softmax(q k^T / sqrt(d)) v, the heads side by side again.
        scores = w.scaled(w.op("MatMul", q, w.op("Transpose", k, perm=[0, 1, 3, 2])), 1 / float(np.sqrt(d)))
        if self.c["open_cells"]:
            scores = w.add(scores, self.mask)
        heads = w.op("MatMul", w.op("Softmax", scores, axis=3), v)
        o = w.shaped(w.op("Transpose", heads, perm=[0, 2, 1, 3]), 0, 0, D)
        if self.c["attn_out_norm"]:
            o = w.norm(o, 2, self.inner_eps)
        return w.norm(w.add(x, self.product(w, o, f"{layer}.self_attn.o_proj.weight", 2)), 2, self.eps)

    def net(self, w: Writer, x: str, name: str) -> str:
        i = 0
        while f"{name}.layers.{i}.mlp.gate_up_proj.weight" in self.weights:
            layer = f"{name}.layers.{i}"
            for weight, block in _BLOCKS:
                if f"{layer}.{weight}.weight" in self.weights:
                    x = block(self, w, x, layer)
            i += 1
        return x

    def _rotates(self) -> bool:
        return self.c["pos_encodings"] in ("rope", "rope2d") and not self.c["mlp_t"]

    def _rotations(self) -> Tuple[str, str]:
        """Cosines and sines of the angles that turn a pair of channels, [L, d/2] or, where places
        differ from row to row, [B, 1, L, d/2]."""
        w, d = self.w, self.D // self.H
        t = np.arange(self.P + self.cells, dtype=np.float64)
        theta = float(self.c["rope_theta"])
        if self.c["pos_encodings"] == "rope":
            angles = t[:, None] * theta ** (-2.0 * np.arange(d // 2) / d)
        else:
            # By the row, then by the column: a cell is at (P + row, column), position t before them at (0, t).
            fall = -4.0 * np.arange(d // 4) / d
            cell, before = t - self.P, t < self.P
            row = np.where(before, 0, self.P + cell // self.puzzle.cols)
            column = np.where(before, t, cell % self.puzzle.cols)
            theta_cols = float(self.c["rope_theta_cols"]) or theta
            angles = np.concatenate([row[:, None] * theta**fall, column[:, None] * theta_cols**fall], axis=1)
        cos, sin = w.constant(np.cos(angles)), w.constant(np.sin(angles))
        if not self.c["open_cells"]:
            return cos, sin
        places = w.add(self.cell, w.ints(self.P))
        if self.P:
            front = w.op("Expand", w.constant(np.arange(self.P), np.int64),
                         w.op("Concat", self.batch, w.ints(self.P), axis=0))
            places = w.op("Concat", front, places, axis=1)
        turns = [w.op("Unsqueeze", w.op("Gather", table, places, axis=0), w.ints(1)) for table in (cos, sin)]
        return turns[0], turns[1]

    # --- steps ---

    def start(self, w: Writer, latent: str) -> str:
        """[B, L, D]: where a latent begins."""
        shape = w.op("Concat", self.batch, w.ints(self.L, self.D), axis=0)
        return w.op("Expand", self.weight(self.recursion.starts[latent]), shape)

    def step(self, w: Writer, z: List[str], last_tokens: str) -> List[str]:
        """One supervision step on latents, which sees the tokens [B, cells] of the one before."""
        z = list(z)
        e = self._fed(w, last_tokens) if self.c["feedback"] else self.e
        for update in self.recursion.updates:
            terms = [*z, e] if update.add_input else z
            new = self.net(w, w.add(*terms), update.net)
            if self.recursion.share != 1:
                old = w.scaled(z[update.dst], 1 - self.recursion.share)
                new = w.add(w.scaled(new, self.recursion.share), old)
            z[update.dst] = new
        return z

    def _fed(self, w: Writer, last_tokens: str) -> str:
        """e with what was answered last where the question is blank, and the given elsewhere."""
        blanks = [w.op("Equal", self.inputs, w.constant(token, np.int32)) for token in self.puzzle.blanks]
        blank = blanks[0] if len(blanks) == 1 else w.op("Or", *blanks)
        seen = w.op("Where", blank, last_tokens, self.inputs)
        return self._joined(w, w.add(self.at_cells, self._tokens(w, seen, "embed_feedback.embedding_weight")))

    def logits(self, w: Writer, z: str, to: str = "") -> str:
        """[B, cells, V] of the answer's latent."""
        head = "lm_head.weight" if "lm_head.weight" in self.weights else "embed_tokens.embedding_weight"
        at_cells = w.op("Slice", z, w.ints(self.P), w.ints(self.L), w.ints(1)) if self.P else z
        if not self.c["open_cells"]:
            return w.op("MatMul", at_cells, self.turned(head), to=to)

        # Of all cells: a wall is sure to stay a wall, the i-th other one has the i-th token.
        found = self.product(w, at_cells, head, 2)
        count = w.op("CumSum", w.cast(self.is_open, w.types.INT64), w.constant(1, np.int64))
        index = w.op("Clip", w.op("Sub", count, w.ints(1)), w.constant(0, np.int64), w.constant(self.S - 1, np.int64))
        spread = w.op("GatherND", found, w.op("Unsqueeze", index, w.ints(2)), batch_dims=1)
        sure = np.zeros(self.model.vocab_size)
        sure[self.puzzle.wall] = 1e30
        return w.op("Where", w.op("Unsqueeze", self.is_open, w.ints(2)), spread, w.constant(sure), to=to)

    def tokens(self, w: Writer, logits: str, to: str = "") -> str:
        return w.cast(w.op("ArgMax", logits, axis=2, keepdims=0), w.types.INT32, to)

    def heads(self, w: Writer, z: str) -> None:
        """The outputs of a graph: tokens, logits, q_halt, q_continue."""
        self.tokens(w, self.logits(w, z, "logits"), "tokens")
        first = w.op("Gather", z, w.constant(0, np.int64), axis=1)
        q = w.add(self.product(w, first, "q_head.weight", 2), self.weight("q_head.bias"))
        for i, name in enumerate(("q_halt", "q_continue")):
            w.op("Gather", q, w.constant(i, np.int64), axis=1, to=name)


# The blocks of a layer, in their order, each by the first of its weights.
_BLOCKS: Tuple[Tuple[str, Callable[[Net, Writer, str, str], str]], ...] = (
    ("self_attn.qkv_proj", Net.attention), ("mlp_t.gate_up_proj", Net.mixer), ("mlp.gate_up_proj", Net.mlp))
