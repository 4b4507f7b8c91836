"""Models as ONNX files, by the `onnx` package: :meth:`trm.Model.to_onnx`, and what `trm convert` runs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import _c, errors
from ._arrays import AnyArray
from ._lib import PathLike, lib, whole
from ._onnx_net import Net, Writer

if TYPE_CHECKING:
    from .model import Model

# What every runtime of the last years reads: reductions with axes as an input came with 18.
OPSET = 18
IR_VERSION = 8

# A file is one message of protobuf, of which none is larger; nodes and names need a little of it.
MOST_BYTES = 2**31 - 2**24

REMEDY = "pip install 'trm-solver[onnx]'"

# What a graph cannot say, by the field and the value that it may have.
_REFUSED: Tuple[Tuple[str, Any, str], ...] = (
    ("moe", "none", "each token has experts of its own, and a graph would run all of them for every token"),
    ("moe_t", "none", "each token has experts of its own, and a graph would run all of them for every token"),
    ("solver", "recursion", "it stops each row by its residual, and remembers earlier iterates"),
    ("start_std", 0.0, "latents start at draws of trm's own generator, which no runtime has"),
    ("update_noise", 0.0, "updates get draws of trm's own generator, which no runtime has"),
)


def _import() -> Any:
    try:
        import onnx
    except ImportError as e:
        raise ImportError(f"ONNX files are written by the package onnx, which cannot be imported ({e}): {REMEDY}",
                          name="onnx") from e
    return onnx


# --- graphs ---


class Port(NamedTuple):
    """An input or output of a graph, "batch" standing for B."""

    name: str
    type: str
    shape: Sequence[Any]
    about: str

    def declared(self, onnx: Any) -> Any:
        kind = getattr(onnx.TensorProto, self.type)
        return onnx.helper.make_tensor_value_info(self.name, kind, self.shape, self.about)


def _ports(net: Net) -> Tuple[List[Port], List[Port], List[Port]]:
    """What both kinds of graph read and give, and the latents."""
    m, B = net.model, "batch"
    tokens = "tokens of the puzzle; what they stand for is in the metadata, trm_puzzle"
    read = [Port("inputs", "INT32", [B, net.cells], tokens)]
    if net.has_ids:
        read.append(Port("puzzle_ids", "INT32", [B], f"0 to {net.c['num_puzzle_identifiers'] - 1}"))
    given = [Port("tokens", "INT32", [B, net.cells], "the answer: the token of the largest logit"),
             Port("logits", "FLOAT", [B, net.cells, m.vocab_size], ""),
             Port("q_halt", "FLOAT", [B], "logit: above 0 the model believes its answer to be right"),
             Port("q_continue", "FLOAT", [B], "logit of going on, where the model was trained with it")]
    latents = [Port(name, "FLOAT", [B, net.L, net.D], "a latent: the model's own positions, then the cells")
               for name in net.recursion.latents]
    return read, given, latents


class Graph(NamedTuple):
    inputs: List[Port]
    outputs: List[Port]
    defaults: Dict[str, AnyArray]  #: of inputs
    about: str


def _step(net: Net, steps: int) -> Graph:
    """One supervision step, with the latents in and out."""
    w = net.w
    read, given, latents = _ports(net)
    read.append(Port("reset", "BOOL", ["batch"], "rows that begin: their latents start anew, whatever comes in"))
    reset = w.op("Unsqueeze", "reset", w.ints(1, 2))
    z = [w.op("Where", reset, net.start(w, latent.name), latent.name) for latent in latents]
    last = ""
    if net.c["feedback"]:
        read.append(Port("last_tokens", "INT32", ["batch", net.cells], "`tokens` of the step before"))
        last = w.op("Where", w.op("Unsqueeze", "reset", w.ints(1)), "inputs", "last_tokens")

    z = net.step(w, z, last)
    for latent, value in zip(latents, z):
        w.op("Identity", value, to=f"next_{latent.name}")
    net.heads(w, z[0])
    after = [latent._replace(name=f"next_{latent.name}") for latent in latents]
    return Graph([*read, *latents], [*given, *after], {}, "one supervision step")


def _solve(net: Net, steps: int) -> Graph:
    """All supervision steps, a Loop over them."""
    w, onnx = net.w, net.w.onnx
    read, given, latents = _ports(net)
    carried = latents
    begin = [net.start(w, latent.name) for latent in latents]
    if net.c["feedback"]:
        carried = [*latents, Port("last_tokens", "INT32", ["batch", net.cells], "")]
        begin.append("inputs")

    # The body: what it carries goes in and comes out under other names.
    body = w.inner()
    names = [f"{port.name}_before" for port in carried]
    z = net.step(body, names[:len(latents)], names[-1])
    after = z if carried == latents else [*z, net.tokens(body, net.logits(body, z[0]))]
    after = [body.op("Identity", value, to=f"{port.name}_after") for port, value in zip(carried, after)]
    go_on = body.op("Identity", "go_on_before", to="go_on_after")
    scalar = [Port("step", "INT64", [], ""), Port("go_on_before", "BOOL", [], "")]
    inner = w.helper.make_graph(
        body.nodes, "supervision_step",
        [p.declared(onnx) for p in (*scalar, *(p._replace(name=n) for p, n in zip(carried, names)))],
        [p.declared(onnx) for p in (Port(go_on, "BOOL", [], ""),
                                    *(p._replace(name=n) for p, n in zip(carried, after)))])

    # By the standard a loop without a condition goes on, but onnx.reference then does not begin.
    final = [w.name(port.name) for port in carried]
    w.ops("Loop", "steps", w.constant(True, np.bool_), *begin, outputs=final, body=inner)
    net.heads(w, final[0])
    read.append(Port("steps", "INT64", [], f"supervision steps, {steps} where it is not given"))
    return Graph(read, given, {"steps": np.array(steps, np.int64)}, "a whole solve")


KINDS: Dict[str, Callable[[Net, int], Graph]] = {"solve": _solve, "step": _step}


def _describe(model: Model, kind: str, dtype: str) -> Dict[str, str]:
    """The metadata of a file."""
    p = model.puzzle
    puzzle = {"kind": p.kind, "rows": p.rows, "cols": p.cols, "first_token": p.first_token, "symbols": p.symbols}
    return {"trm_graph": kind, "trm_weights": dtype, "trm_config": json.dumps(model.config),
            "trm_puzzle": json.dumps(puzzle)}


def build(model: Model, kind: str = "solve", dtype: str = "float32", steps: Optional[int] = None) -> Any:
    """The model as an `onnx.ModelProto`; :meth:`trm.Model.to_onnx` has the arguments."""
    from .model import dtype_of

    if dtype_of(dtype) == _c.TRM_INT8:
        raise errors.ConfigError("dtype='int8': files hold weights in float32 or bfloat16")
    onnx = _import()
    if kind not in KINDS:
        raise errors.ConfigError(f"kind={kind!r}: want {' or '.join(KINDS)}")
    if steps is not None and kind != "solve":
        raise errors.ArgumentError(f"steps={steps}: want it with kind='solve'; a {kind} is one of them")
    config = model.config
    n_steps = int(config["halt_max_steps"]) if steps is None else whole(steps, "steps", 1, _c.TRM_MAX_STEPS)
    for field, usual, why in _REFUSED:
        if config[field] != usual:
            raise errors.ConfigError(f"{field}={config[field]}: it cannot become ONNX: {why}")
    n_bytes = sum(a.size for a in model.state_dict().values()) * (4 if dtype == "float32" else 2)
    if n_bytes > MOST_BYTES:
        raise errors.ConfigError(
            f"{n_bytes:,} bytes of weights: an ONNX file holds no more than {MOST_BYTES:,}; bfloat16 halves them, and "
            "`trm convert` with --puzzle-emb used:DATA, or drop, keeps fewer puzzle embeddings")

    w = Writer(onnx, dtype)
    net = Net(model, w)
    net.read("inputs", "puzzle_ids")
    graph = KINDS[kind](net, n_steps)
    for name, value in graph.defaults.items():
        w.put(name, value)
    about = f"{graph.about} of a Tiny Recursive Model, {config['arch']}"
    name = (model.name or config["arch"]).encode("utf-8", "replace").decode()  # protobuf takes nothing else
    made = w.helper.make_graph(w.nodes, name, [p.declared(onnx) for p in graph.inputs],
                               [p.declared(onnx) for p in graph.outputs], w.initializers, about)
    proto = w.helper.make_model(made, ir_version=IR_VERSION, opset_imports=[w.helper.make_opsetid("", OPSET)],
                                producer_name="trm", producer_version=lib.trm_version().decode(), doc_string=about)
    w.helper.set_model_props(proto, _describe(model, kind, dtype))
    return proto


def save(model: Model, path: PathLike, kind: str = "solve", dtype: str = "float32",
         steps: Optional[int] = None) -> None:
    """Writes the file, complete or not at all: it grows beside its place and then takes its name."""
    data = build(model, kind, dtype, steps).SerializeToString()
    place = os.fspath(path)
    draft = f"{place}.{os.getpid()}.trm-partial"
    try:
        with open(draft, "xb") as f:
            try:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
                os.replace(draft, place)
            except BaseException:
                os.unlink(draft)
                raise
    except OSError as e:
        raise errors.FileError(f"{place}: cannot write: {e.strerror or e}") from e


# --- for the program ---

# Exit codes of `trm` that are not 1.
_CODES = ((errors.ArgumentError, 2), (errors.ConfigError, 2), (errors.FormatError, 3), (errors.ShapeError, 3),
          (errors.RangeError, 3))


def main(arguments: Sequence[str]) -> int:
    """FILE OUT KIND DTYPE NAME: writes a model's .safetensors file as OUT; NAME is what the model is called
    in it, or a path to that. Prints what is refused; the exit code is that of `trm convert`."""
    from .model import load

    file, out, kind, dtype, name = arguments
    try:
        model = load(file)
        model.name = os.path.basename(os.path.normpath(name)).partition(".safetensors")[0]
        save(model, out, kind, dtype)
        return 0
    except (errors.Error, ImportError) as e:
        print(e)
        return next((code for kind_of, code in _CODES if isinstance(e, kind_of)), 1)
    except KeyboardInterrupt:
        return 130
