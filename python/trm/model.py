"""Models: loading, asking and saving them, and their weights as arrays."""

from __future__ import annotations

import ctypes
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union, overload

import numpy as np

from . import _c, errors
from ._arrays import AnyArray, FloatArray, view
from ._lib import Handle, Owner, PathLike, call, create, instance, lib, path_bytes, text, text_bytes, whole
from ._listen import tell
from .puzzle import Grids, Puzzle, of_struct

if TYPE_CHECKING:
    from ._data import Dataset
    from ._evaluate import Evaluation
    from .solve import Answer

_ENDING = ".safetensors"
_DTYPES = {"float32": _c.TRM_FLOAT32, "bfloat16": _c.TRM_BFLOAT16,
           "int8": _c.TRM_INT8}


class Cost(NamedTuple):
    """What a model costs."""

    n_params: int  #: weights trained by the dense optimiser, as the paper counts them
    n_puzzle_emb: int  #: values in the table of puzzle embeddings
    positions: int  #: of a row: cells and the puzzle's own positions before them
    depth: int  #: layer applications of a supervision step
    n_updates: int  #: updates of a latent in a supervision step
    n_updates_with_grad: int  #: of those, with gradient
    flops_forward: float  #: of a row and supervision step, matrix products only
    flops_train: float  #: the same with the backward pass
    bytes_saved: int  #: kept of a row for the backward pass
    bytes_carry: int  #: latents of a row between supervision steps


class Model(Owner):
    """A Tiny Recursive Model: its configuration and weights.

    A model never changes, so any number of solvers and threads may use it at once. It comes from
    :func:`load`, :func:`create`, :func:`from_torch` or a training. It can be pickled and copied.

    Attributes:
        puzzle: what its tokens mean.
        seq_len, vocab_size: cells of a puzzle, and tokens.
    """

    def __init__(self, handle: Handle, name: str = "", checkpoint: Optional[str] = None) -> None:
        self._handle = handle
        self.name = name
        self._checkpoint = checkpoint  # RUN/step_N that it is, for its card
        config = self.raw_config
        self.seq_len = int(config.seq_len)
        self.vocab_size = int(config.vocab_size)
        self.puzzle: Puzzle = of_struct(config.puzzle, self.seq_len)

    def __repr__(self) -> str:
        c = self.config
        return (f"<trm.Model {self.name or c['arch']}: {c['arch']}, {self.puzzle.kind} "
                f"{self.puzzle.rows}x{self.puzzle.cols}, {self.cost.n_params:,} weights>")

    # --- what it is ---

    @property
    def raw_config(self) -> _c.trm_model_config:
        """The structure of the library; not to be changed."""
        config: _c.trm_model_config = lib.trm_model_get_config(self.address).contents
        return config

    @property
    def config(self) -> Dict[str, Any]:
        """Its configuration by the reference's names: numbers, booleans and words. `puzzle` and the
        fingerprints of ids are not in it."""
        out: Dict[str, Any] = {}
        buffer = ctypes.create_string_buffer(256)
        i = 0
        while True:
            field = lib.trm_model_config_field(i)
            if not field:
                return out
            bounds = lib.trm_field_bounds(field)
            call("trm_model_config_get", ctypes.byref(self.raw_config), bounds.name, buffer, len(buffer))
            out[text(bounds.name)] = typed(buffer.value.decode(), text(bounds.type))
            i += 1

    @property
    def cost(self) -> Cost:
        """Its weights, arithmetic and memory, of the configuration alone."""
        out = _c.trm_model_cost()
        call("trm_model_cost_of", ctypes.byref(self.raw_config), ctypes.byref(out))
        return Cost(*(getattr(out, name) for name, *_ in out._fields_))

    def _tensors(self) -> Iterator[Tuple[str, FloatArray]]:
        for i in range(lib.trm_model_tensor_count(self.address)):
            t = lib.trm_model_tensor_at(self.address, i)
            shape = tuple(int(n) for n in t.shape[:t.ndim])
            yield text(t.name), (view(t.data, shape, np.float32, self._handle.memory) if t.count
                                 else np.empty(shape, np.float32))

    def state_dict(self, prefix: str = "") -> Dict[str, FloatArray]:
        """Its weights by the reference's names, float32, as read-only arrays that lie in the model
        (nothing is copied; ``{k: torch.from_numpy(v.copy()) ...}`` for PyTorch, or :func:`to_torch`).

        Args:
            prefix: stands before each name; the published checkpoints have
                ``"_orig_mod.model.inner."``, the reference's module ``"model.inner."``.
        """
        return {prefix + name: array for name, array in self._tensors()}

    def to_torch(self, prefix: str = "") -> Dict[str, Any]:
        """The same as tensors of PyTorch, copied. Wants torch to be installed."""
        import torch  # pyright: ignore[reportMissingImports]

        return {name: torch.from_numpy(array.copy()) for name, array in self.state_dict(prefix).items()}

    def with_dtype(self, dtype: str) -> Model:
        """A copy whose matrix products take operands of another format: "float32",
        "bfloat16" or "int8", which is for solving only."""
        address = create("trm_model_clone", self.address)
        model = Model(Handle(address, "trm_model_free", "model"), self.name)
        call("trm_model_set_dtype", address, dtype_of(dtype))
        return model

    # --- files ---

    def save(self, path: PathLike, dtype: str = "float32") -> None:
        """Writes the model. What it becomes the path says: ``NAME.safetensors`` one file with its
        configuration, ``NAME.pt`` or ``NAME.pth`` a state dict for ``torch.load`` with
        ``all_config.yaml`` beside it, ``NAME.onnx`` what :meth:`to_onnx` writes; a name without an
        ending, with ``/`` behind it, or that of a folder, a model folder, with a card (README.md)
        that says what is known of its training, as the Hugging Face hub reads it. Complete or not
        at all.

        Args:
            dtype: of the weights in the file, "float32" or "bfloat16".

        Raises:
            trm.ArgumentError: any other ending.
            trm.FileError: it cannot be written, or takes the place of something else than a model,
                as of a card that somebody edited.
        """
        place, ending = path_bytes(path), _ending(path)
        if ending == ".onnx":
            self.to_onnx(path, dtype=dtype)
        elif ending in (".pt", ".pth"):
            call("trm_published_save", self.address, place, dtype_of(dtype))
        elif ending == _ENDING:
            call("trm_model_export", self.address, place, _c.TRM_FILE_SAFETENSORS, dtype_of(dtype))
        elif not ending:
            origin = None if self._checkpoint is None else path_bytes(self._checkpoint)
            call("trm_model_publish", self.address, origin, place, dtype_of(dtype))
        else:
            raise errors.ArgumentError(
                f"{os.fspath(path)}: {ending} is nothing that is written; want NAME.safetensors, NAME.pt, NAME.pth, "
                "NAME.onnx, or a folder, whose name has no ending or a '/' behind it")

    def to_onnx(self, path: PathLike, kind: str = "solve", dtype: str = "float32",
                steps: Optional[int] = None) -> None:
        """Writes the model as an ONNX file, which ONNX Runtime, OpenVINO and others run without trm
        (docs/PYTHON.md has its inputs and outputs). It computes in float32, as this model does
        ``with_dtype("float32")``. Complete or not at all. Wants the package `onnx`.

        Args:
            kind: "solve", all supervision steps in a Loop; or "step", one of them with the latents
                as inputs and outputs.
            dtype: of the weights in the file, "float32" or "bfloat16".
            steps: of "solve" how many there are by default; None: as the model was trained with.

        Raises:
            trm.ArgumentError: `steps` is out of its range (1 to 1024), or there with "step".
            trm.ConfigError: the model has what ONNX cannot say, as experts; or it is too large.
            trm.FileError: it cannot be written.
            ImportError: there is no `onnx`.
        """
        from ._onnx import save

        save(self, path, kind, dtype, steps)

    def to_bytes(self) -> bytes:
        """The bytes of its file, for :func:`from_bytes`."""
        with tempfile.TemporaryDirectory(prefix="trm-") as folder:
            path = Path(folder) / f"model{_ENDING}"
            self.save(path)
            return path.read_bytes()

    def __reduce__(self) -> Tuple[Any, ...]:
        return from_bytes, (self.to_bytes(), self.name)

    # --- answers ---

    @overload
    def solve(self, puzzles: str, **options: Any) -> Answer: ...
    @overload
    def solve(self, puzzles: Grids, **options: Any) -> Any: ...
    def solve(self, puzzles: Grids, **options: Any) -> Any:
        """Answers one puzzle or many; :func:`trm.solve` has the options and what comes of it."""
        from .solve import solve

        return solve(self, puzzles, **options)

    def evaluate(self, data: Dataset, **options: Any) -> Evaluation:
        """Answers every example of a :class:`trm.Dataset` and counts what is right; :func:`trm.evaluate`
        has the options and what comes of it."""
        from ._evaluate import evaluate

        return evaluate(self, data, **options)


def typed(value: str, kind: str) -> Any:
    """A value that the library tells as text, by the type of its field."""
    if kind == "bool":
        return value == "true"
    if kind in ("int", "bytes"):
        return int(value)
    return float(value) if kind == "float" else value


def _ending(path: PathLike) -> str:
    """".pt" of "a/b.PT": the last part of a name that begins with a dot and a letter; "" of a folder, and where
    there is none, as in "step_1.5"."""
    name = os.fspath(path)
    ending = os.path.splitext(name)[1].lower()
    return "" if os.path.isdir(name) or not ending[1:2].isalpha() else ending


def dtype_of(name: str) -> int:
    """A number format by its name."""
    if name not in _DTYPES:
        raise errors.ConfigError(f"dtype={name!r}: want {' or '.join(_DTYPES)}")
    return _DTYPES[name]


# --- where models come from ---


def _folders() -> List[Path]:
    """Where a name is looked for, as `trm models` does: what TRM_MODELS lists, then the package's."""
    listed = [Path(part) for part in os.environ.get("TRM_MODELS", "").split(":") if part]
    here = Path(__file__).resolve().parent
    return [*listed, here / "models", here.parent.parent / "models"]


def models() -> Dict[str, str]:
    """The models that have a name, and what each is: the first line of its card."""
    found: Dict[str, str] = {}
    for folder in _folders():
        for path in sorted(folder.glob(f"[!.]*{_ENDING}")):
            card = path.with_suffix(".md")
            first = card.read_text("utf-8", "replace").partition("\n")[0] if card.is_file() else ""
            found.setdefault(path.stem, first.partition(": ")[2])
    return found


def _named(path: PathLike) -> PathLike:
    """The file of a model that has a name; a path that exists wins over a name."""
    name = os.fsdecode(path)
    if not name or name.startswith(".") or "/" in name or os.path.lexists(name):
        return path
    for folder in _folders():
        if (folder / f"{name}{_ENDING}").is_file():
            return folder / f"{name}{_ENDING}"
    return path


def load(path: PathLike, *, dtype: Optional[str] = None, seq_len: int = 0,
         puzzle: Optional[Puzzle] = None) -> Model:
    """A model by its name or path.

    Args:
        path: the name of a model that comes with the package (:func:`models`); a run folder (its best
            checkpoint), ``RUN/last``, a checkpoint ``step_N``, a model folder, a ``.safetensors`` file;
            or a published checkpoint of the reference or a fork, with its ``all_config.yaml`` beside it
            (docs/CHECKPOINTS.md).
        dtype: the number format of matrix products, "float32", "bfloat16" or, for
            solving only, "int8"; None: as it is configured.
        seq_len: of a published checkpoint whose tensors do not show it.
        puzzle: what the tokens of a published checkpoint mean.

    Raises:
        trm.FileError: there is nothing, or it cannot be read.
        trm.FormatError, trm.ConfigError, trm.ShapeError, trm.NumericError: the file is not whole.
    """
    instance(puzzle, Puzzle, "puzzle", True)
    shown = os.fsdecode(path)
    file = ctypes.create_string_buffer(_c.TRM_PATH_SIZE)
    which = ctypes.c_char_p()
    listener = _c.trm_run_listener(message=tell)
    call("trm_model_find", path_bytes(_named(path)), ctypes.byref(listener), file, ctypes.byref(which))
    if not file.value:
        raise errors.FileError(f"{shown}: no such file or folder; models with a name are "
                               f"{', '.join(models()) or 'none here'}")
    info = _data_info(seq_len, puzzle)
    address = create("trm_model_open", file.value, info, ctypes.byref(listener))
    handle = Handle(address, "trm_model_free", "model")
    if dtype is not None:
        call("trm_model_set_dtype", address, dtype_of(dtype))
    return Model(handle, Path(shown).name.partition(_ENDING)[0], os.fsdecode(file.value))


def _data_info(seq_len: int, puzzle: Optional[Puzzle]) -> Any:
    """What is known of the data of a published checkpoint; None: nothing."""
    if not seq_len and puzzle is None:
        return None
    info = _c.trm_dataset_info(ignore_label_id=_c.TRM_IGNORE_LABEL)
    info.seq_len = whole(seq_len, "seq_len") or (puzzle.seq_len if puzzle else 0)
    if puzzle is not None:
        info.puzzle = puzzle.raw
        info.vocab_size = puzzle.vocab_size
    return ctypes.byref(info)


def from_bytes(data: bytes, name: str = "model") -> Model:
    """A model of the bytes of a ``.safetensors`` file that :meth:`Model.save` wrote."""
    data = bytes(data)
    buffer = (ctypes.c_char * len(data)).from_buffer_copy(data) if data else None
    address = create("trm_model_load_memory", buffer, len(data), text_bytes(name, "name"))
    return Model(Handle(address, "trm_model_free", "model"), name)


def create_model(puzzle: Puzzle, seed: int = 0, **config: Any) -> Model:
    """A new model with initial weights, as the reference draws them.

    Args:
        puzzle: what its tokens mean; it says `vocab_size` and `seq_len`.
        seed: of the weights, 64 bits.
        config: fields by the reference's names: ``arch="trm"``, ``hidden_size=128``, ``H_cycles=3``
            and so on (docs/MODEL.md); what is left out has the architecture's default.

    Raises:
        trm.ConfigError: an unknown field, with the one that may be meant, or a value out of its range.
    """
    sizes = {"vocab_size": instance(puzzle, Puzzle, "puzzle").vocab_size, "seq_len": puzzle.seq_len, "num_puzzle_identifiers": 1}
    raw = _config({**sizes, **config}, puzzle)
    address = create("trm_model_create", ctypes.byref(raw), whole(seed, "seed", 0, 2**64 - 1))
    return Model(Handle(address, "trm_model_free", "model"))


def _config(fields: Mapping[str, Any], puzzle: Optional[Puzzle]) -> _c.trm_model_config:
    """Fields in the form of :attr:`Model.config` as the structure."""
    raw = _c.trm_model_config()
    arch = ctypes.c_int()
    name = str(fields.get("arch", "trm"))
    if not lib.trm_arch_from_name(text_bytes(name, "arch"), ctypes.byref(arch)):
        raise errors.ConfigError(f"arch={name!r}: no architecture is called so")
    raw.arch = arch.value
    lib.trm_record_default(lib.trm_record_named(b"trm_model_config"), ctypes.byref(raw))
    if puzzle is not None:
        raw.puzzle = puzzle.raw
    for key, value in fields.items():
        if key != "arch":
            call("trm_model_config_set", ctypes.byref(raw), text_bytes(key, "a field"), setting(value, key))
    return raw


def setting(value: Any, key: str) -> bytes:
    """A value as the library reads it."""
    if isinstance(value, (bool, np.bool_)):
        return b"true" if value else b"false"
    if isinstance(value, str):
        return text_bytes(value, key)
    if isinstance(value, (int, np.integer)):
        return b"%d" % int(value)
    if isinstance(value, (float, np.floating)):
        return repr(float(value)).encode()
    raise TypeError(f"{key}: want a number, a bool or a str, got {type(value).__name__}")


# --- weights of others ---


def _as_array(tensor: Any, name: str) -> Tuple[str, AnyArray]:
    """A tensor as safetensors has it: its type and an array of its bits. Anything that NumPy takes
    will do, and tensors of PyTorch on any device."""
    if hasattr(tensor, "detach"):
        if "bfloat16" in str(tensor.dtype):
            tensor = tensor.float()  # which has all of its values; NumPy has no bfloat16
        try:
            tensor = tensor.numpy(force=True)  # of any device, with gradient, negated when it is read
        except (RuntimeError, TypeError) as e:
            raise TypeError(f"{name}: no array can be made of this tensor: {e}") from None
    a = np.ascontiguousarray(tensor)
    kinds = {"f2": "F16", "f4": "F32", "f8": "F64", "i4": "I32", "i8": "I64"}
    kind = kinds.get(a.dtype.newbyteorder("<").str[1:])
    if kind is None:
        raise TypeError(f"{name}: want float16, bfloat16, float32 or float64, got {a.dtype}")
    return kind, a.astype(a.dtype.newbyteorder("<"), copy=False).reshape(np.shape(tensor))


def _write_safetensors(path: Path, state: Mapping[str, Any]) -> None:
    arrays = {str(name): _as_array(tensor, str(name)) for name, tensor in state.items()}
    header: Dict[str, Any] = {}
    at = 0
    for name, (kind, a) in arrays.items():
        header[name] = {"dtype": kind, "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with open(path, "wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for _, a in arrays.values():
            file.write(a.data if a.nbytes else b"")


def from_torch(state_dict: Mapping[str, Any], config: Union[Mapping[str, Any], PathLike], *,
               seq_len: int = 0, puzzle: Optional[Puzzle] = None) -> Model:
    """A model of a state dict of the reference, of a fork, or of :meth:`Model.state_dict`.

    Args:
        state_dict: tensors by their names, of PyTorch or NumPy, in float16, bfloat16, float32 or
            float64. Names may begin as the wrappers of training leave them (``_orig_mod.model.inner.``,
            ``module.`` and the like), and of weights and their average the average is taken
            (docs/CHECKPOINTS.md).
        config: what the tensors do not show: the ``arch`` part of ``all_config.yaml`` or the whole as
            a dict, :attr:`Model.config`, or the path of such a file (YAML or JSON).
        seq_len, puzzle: of the data; needed where the tensors do not show the length, to give and take
            puzzles in other forms than tokens, and of a model that looks at them (``feedback``, ``rope2d`` and
            the like).

    The weights go by a temporary file, so that one reader checks all that comes from outside.

    Raises:
        trm.ConfigError: a key is missing or out of its range.
        trm.ShapeError, trm.FormatError, trm.NumericError: the tensors are no such model, or hold NaN.
        TypeError: a tensor of another type.
    """
    instance(puzzle, Puzzle, "puzzle", True)
    if not isinstance(state_dict, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"state_dict: want a dictionary of tensors, got {type(state_dict).__name__}")
    if not isinstance(config, (Mapping, str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"config: want a dictionary or the path of a file, got {type(config).__name__}")
    with tempfile.TemporaryDirectory(prefix="trm-") as folder:
        weights = Path(folder) / f"state{_ENDING}"
        _write_safetensors(weights, state_dict)
        is_json = isinstance(config, Mapping) or Path(config).suffix == ".json"
        described = Path(folder) / ("config.json" if is_json else "all_config.yaml")
        try:
            return _of_files(weights, described, config, seq_len, puzzle)
        except errors.Error as e:
            # Nobody gave these files, and they are gone.
            shown = "config" if isinstance(config, Mapping) else os.fspath(config)
            said = type(e)(str(e).replace(str(weights), "state_dict").replace(str(described), shown))
            said.pos = e.pos
            raise said from None


# Fields of a model's own configuration that only a model of a known puzzle can have.
_OF_PUZZLE = ("feedback", "open_cells", "grid_tables", "constraint_weight")


def _of_files(weights: Path, described: Path, config: Union[Mapping[str, Any], PathLike], seq_len: int,
              puzzle: Optional[Puzzle]) -> Model:
    """A model of a file of weights; `described`: where its configuration is to lie beside it."""
    # A model's own configuration says it all; a published one is read as its file is.
    if isinstance(config, Mapping) and isinstance(config.get("arch"), str):
        asking = [key for key in _OF_PUZZLE if config.get(key)]
        if puzzle is None and (asking or config.get("pos_encodings") == "rope2d"):
            raise errors.ArgumentError("puzzle: want what the tokens mean, as `model.puzzle` of the model they are from, which "
                                       f"{asking[0] if asking else 'rope2d'} has to know")
        raw = _config(config, puzzle)
        address = create("trm_model_import", path_bytes(weights), ctypes.byref(raw))
        return Model(Handle(address, "trm_model_free", "model"))
    if isinstance(config, Mapping):
        described.write_text(json.dumps(config, default=_plain))
    else:
        described.write_bytes(Path(config).read_bytes())
    model = load(weights, seq_len=seq_len, puzzle=puzzle)
    model.name = ""
    return model


def _plain(value: Any) -> Any:
    """A number of NumPy as JSON has it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"config: want numbers, bools, texts, lists and dictionaries, got {type(value).__name__}")
