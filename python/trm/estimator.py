"""A solver with scikit-learn's habits. Works without scikit-learn, and with its tools where it is
installed (``clone``, ``Pipeline``, ``GridSearchCV``)."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import numpy as np

from . import errors
from ._arrays import AnyArray, FloatArray
from ._data import Dataset, Stream
from ._lib import real
from .model import Model, create_model, load
from .puzzle import Puzzle
from .solve import Answers, Halt, solve
from .train import Trainer

if TYPE_CHECKING:
    class _Base:
        pass

    class NotFittedError(ValueError, AttributeError):
        """It must be fitted first."""
else:
    try:
        from sklearn.base import BaseEstimator as _Base
        from sklearn.exceptions import NotFittedError
    except ImportError:
        class _Base:
            pass

        class NotFittedError(ValueError, AttributeError):
            """It must be fitted first."""


class TRMSolver(_Base):
    """A model that learns to answer puzzles from examples, in memory.

        solver = trm.TRMSolver(puzzle=trm.Puzzle.sudoku(6), epochs=60).fit(X, y)
        solver.predict(X_test), solver.score(X_test, y_test)

    X and y have the same form: grids [n, rows, cols], tokens [n, seq_len], or lists of texts
    (:class:`trm.Puzzle`); without `puzzle` whole numbers [n, seq_len] from 0 on. What `predict` gives
    has the form of its X.

    Args:
        puzzle: what tokens mean; None: they are only numbers.
        model: where to start, a :class:`trm.Model`, name or path; None: a new one of `hidden_size` and
            the rest. With it `fit` is not needed to predict.
        epochs: passes over the examples.
        batch_size, lr, weight_decay, ema_rate, grad_clip: of the training.
        augment: "none", or "on-the-fly" for fresh symmetric images.
        hidden_size, H_cycles, L_cycles, mlp_t, halt_max_steps: of a new model (docs/MODEL.md).
        steps, halt, views, select, verify: of answering (:class:`trm.Queue`).
        random_state: seed of weights, batches and images.
        threads: 0: as many as the process may use.
        device: "cpu", "auto", "cuda" or "cuda:N".

    Attributes:
        model_: the model that was learned.
        history_: the metrics of every update.
        n_features_in_: cells of a puzzle.
    """

    def __init__(self, puzzle: Optional[Puzzle] = None, model: Any = None, *, epochs: int = 50,
                 batch_size: int = 32, lr: float = 2e-3, weight_decay: float = 0.1, ema_rate: float = 0.98,
                 grad_clip: float = 1.0, augment: str = "none", hidden_size: int = 64, H_cycles: int = 2,
                 L_cycles: int = 3, mlp_t: bool = True, halt_max_steps: int = 16, steps: Optional[int] = None,
                 halt: Halt = None, views: int = 1, select: str = "q", verify: bool = False,
                 random_state: int = 0, threads: int = 0, device: str = "cpu") -> None:
        self.puzzle = puzzle
        self.model = model
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.ema_rate = ema_rate
        self.grad_clip = grad_clip
        self.augment = augment
        self.hidden_size = hidden_size
        self.H_cycles = H_cycles
        self.L_cycles = L_cycles
        self.mlp_t = mlp_t
        self.halt_max_steps = halt_max_steps
        self.steps = steps
        self.halt = halt
        self.views = views
        self.select = select
        self.verify = verify
        self.random_state = random_state
        self.threads = threads
        self.device = device

    # --- parameters ---

    @classmethod
    def _names(cls) -> List[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> Dict[str, Any]:
        """What it was made with. `deep` is for scikit-learn: nothing within has parameters."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: Any) -> TRMSolver:
        """Changes parameters; an unknown one is a ValueError."""
        for name, value in params.items():
            if name not in self._names():
                raise ValueError(f"invalid parameter {name!r}; it has {', '.join(self._names())}")
            setattr(self, name, value)
        return self

    # --- learning ---

    def fit(self, X: Any, y: Any) -> TRMSolver:  # noqa: N803 - scikit-learn's name
        """Learns from examples.

        Raises:
            trm.ShapeError, trm.RangeError, TypeError: what are no examples, with their place.
            trm.ArgumentError: `epochs` is not above 0.
            trm.NumericError: loss, gradient or weights became NaN or infinite.
        """
        data = Dataset(_plain(X, "X", self.puzzle), _plain(y, "y", self.puzzle), puzzle=self.puzzle)
        start = self._start(data)
        batch = min(self.batch_size, data.groups)
        if not 0 < real(self.epochs, "epochs") < math.inf:
            raise errors.ArgumentError(f"epochs={self.epochs!r}: want a number above 0")
        updates = max(1, math.ceil(self.epochs * data.groups / max(batch, 1)))
        stream = Stream(data, batch, seed=self.random_state, augment=self.augment, epochs_per_iter=1)
        history: List[Dict[str, float]] = []
        with Trainer(start, batch_size=batch, lr=self.lr, weight_decay=self.weight_decay, ema_rate=self.ema_rate,
                     grad_clip=self.grad_clip, seed=self.random_state, threads=self.threads, device=self.device,
                     lr_warmup_steps=min(100, updates // 4), total_steps=updates) as trainer:
            for _ in range(updates):
                history.append(trainer.step(stream.next(trainer.wants)))
            self.model_ = trainer.model
        self.history_ = history
        self.n_features_in_ = data.seq_len
        return self

    def _start(self, data: Dataset) -> Model:
        if self.model is not None:
            return self.model if isinstance(self.model, Model) else load(self.model)
        config: Dict[str, Any] = dict(
            arch="trm", hidden_size=self.hidden_size, H_cycles=self.H_cycles, L_cycles=self.L_cycles, mlp_t=self.mlp_t,
            halt_max_steps=self.halt_max_steps, num_heads=max(1, self.hidden_size // 32), puzzle_emb_len=1,
            puzzle_emb_ndim=self.hidden_size, pos_encodings="none" if self.mlp_t else "rope",
            vocab_size=data.vocab_size, seq_len=data.seq_len, num_puzzle_identifiers=data.num_puzzle_ids)
        return create_model(data.puzzle, self.random_state, **config)

    # --- answering ---

    def _model(self) -> Model:
        learned: Optional[Model] = getattr(self, "model_", None)
        if learned is None and self.model is not None:
            learned = self.model if isinstance(self.model, Model) else load(self.model)
        if learned is None:
            raise NotFittedError("this TRMSolver is not fitted yet: call `fit`, or give it a `model`")
        return learned

    def _answers(self, X: Any) -> Answers:  # noqa: N803
        model = self._model()
        found = solve(model, _plain(X, "X", model.puzzle), check=False, steps=self.steps, halt=self.halt,
                      views=self.views, select=self.select, verify=self.verify, seed=self.random_state,
                      threads=self.threads, device=self.device)
        if not isinstance(found, Answers):
            raise errors.ShapeError("X: want several puzzles, got one")
        return found

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The answers, in the form of X: texts as a list, grids as an array [n, rows, cols] (a list where
        their sizes differ), tokens as int32 [n, seq_len]."""
        answers = self._answers(X)
        if isinstance(X, (list, tuple)) and len(X) and isinstance(X[0], str):
            return answers.texts
        if np.ndim(np.asarray(X, object) if _is_ragged(X) else X) == 2:
            return answers.tokens
        grids = answers.grids
        return np.stack(grids) if len({grid.shape for grid in grids}) == 1 else grids

    def decision_function(self, X: Any) -> FloatArray:  # noqa: N803
        """How sure it is of each answer: the logit of q, float32 [n]."""
        return self._answers(X).q

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        """The share of puzzles whose answer is right as a whole, from 0 to 1."""
        puzzle = self._model().puzzle
        right, _ = puzzle.encode_all(_plain(y, "y", puzzle))
        tokens = self._answers(X).tokens
        if tokens.shape != right.shape:
            raise errors.ShapeError(f"X has answers {list(tokens.shape)}, y is {list(right.shape)}: want the same")
        return float(((tokens == right) | (right < 0)).all(axis=1).mean())


def _is_ragged(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and len({np.shape(row) for row in x}) > 1


def _plain(x: Any, what: str, puzzle: Optional[Puzzle]) -> Any:
    """What scikit-learn's users pass beside arrays: tables, of which the values count."""
    if hasattr(x, "toarray"):
        raise TypeError(f"{what}: a sparse matrix is no list of puzzles; want an array, as `toarray()` gives")
    if hasattr(x, "to_numpy"):
        x = x.to_numpy()
    if puzzle is None and not _is_ragged(x):
        a: AnyArray = np.asarray(x)
        if a.ndim != 2:
            raise errors.ShapeError(f"{what}: want whole numbers [n, seq_len], got {list(a.shape)}; grids want "
                                    "`puzzle`. Reshape your data")
        return a
    return x
