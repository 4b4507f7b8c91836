"""The estimator: what scikit-learn's own checks ask, as far as they know answers with a label for each
cell, and the rest of them here in the shape of such data."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from test_data import SUDOKU, sudokus

import trm

TINY = dict(epochs=2, batch_size=8, hidden_size=8, H_cycles=1, L_cycles=1, halt_max_steps=2, threads=1)
X, Y = sudokus(24)

# All of these give one class a sample as y: TRMSolver wants y in the form of X, a label for each cell,
# and refuses that before what the check is about. The tests below ask the same of data of that form.
ONE_CLASS_A_SAMPLE = """
    check_complex_data check_dict_unchanged check_dont_overwrite_parameters check_dtype_object
    check_estimators_dtypes check_estimators_empty_data_messages check_estimators_fit_returns_self
    check_estimators_nan_inf check_estimators_overwrite_params check_estimators_pickle
    check_f_contiguous_array_estimator check_fit2d_1feature check_fit2d_1sample check_fit2d_predict1d
    check_fit_check_is_fitted check_fit_idempotent check_fit_score_takes_y
    check_methods_sample_order_invariance check_methods_subset_invariance check_n_features_in
    check_n_features_in_after_fitting check_pipeline_consistency check_positive_only_tag_during_fit
    check_readonly_memmap_input""".split()


def tiny(**params) -> trm.TRMSolver:
    return trm.TRMSolver(**{"puzzle": SUDOKU, **TINY, **params})


def test_checks_of_scikit_learn():
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    found = checks.check_estimator(trm.TRMSolver(**TINY), on_fail=None)
    failed = {c["check_name"] for c in found if c["status"] == "failed"}
    assert failed <= set(ONE_CLASS_A_SAMPLE), failed - set(ONE_CLASS_A_SAMPLE)
    passed = {c["check_name"] for c in found if c["status"] == "passed"}
    assert {"check_estimator_cloneable", "check_estimators_unfitted", "check_get_params_invariance", "check_set_params",
            "check_no_attributes_set_in_init", "check_parameters_default_constructible"} <= passed


def test_tools_of_scikit_learn():
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    copy = clone(tiny(epochs=7))
    assert copy.epochs == 7 and not hasattr(copy, "model_")
    search = GridSearchCV(tiny(), {"lr": [1e-3, 1e-2]}, cv=2).fit(X, Y)
    assert search.best_params_["lr"] in (1e-3, 1e-2) and 0 <= search.best_score_ <= 1
    assert make_pipeline(tiny()).fit(X, Y).predict(X).shape == X.shape


def test_what_it_predicts_has_the_form_of_x():
    s = tiny().fit(X, Y)
    assert s.n_features_in_ == 16 and len(s.history_) == 6 and s.history_[-1]["loss"] > 0
    grids = s.predict(X)
    assert grids.shape == (24, 4, 4) and grids.dtype == np.int32
    tokens = s.predict(SUDOKU.encode(X))
    assert tokens.shape == (24, 16) and (SUDOKU.decode(tokens[5]) == grids[5]).all()
    texts = s.predict([SUDOKU.format(row) for row in SUDOKU.encode(X)])
    assert [SUDOKU.format(row) for row in tokens] == texts
    assert s.decision_function(X).shape == (24,)
    assert s.score(X, Y) == s.score(SUDOKU.encode(X), SUDOKU.encode(Y)) == np.mean((grids == Y).all(axis=(1, 2)))


def test_it_is_the_same_bits_again_and_by_parts():
    """Fits are the same, each puzzle is answered for itself, and nothing that was passed is changed."""
    before = X.copy(), Y.copy()
    one, two = tiny(), tiny()
    assert one.fit(X, Y) is one
    kept = dict(vars(one))
    answers = one.predict(X)
    assert vars(one) == kept and (X == before[0]).all() and (Y == before[1]).all()
    assert (two.fit(X, Y).predict(X) == answers).all()
    assert one.fit(X, Y).model_.to_bytes() == two.model_.to_bytes() != tiny(random_state=1).fit(X, Y).model_.to_bytes()
    assert (np.concatenate([one.predict(X[i:i + 5]) for i in range(0, 24, 5)]) == answers).all()
    assert (one.predict(X[::-1])[::-1] == answers).all()
    X.flags.writeable = False
    assert (one.predict(np.asfortranarray(X)) == answers).all()
    assert (pickle.loads(pickle.dumps(one)).predict(X) == answers).all()
    X.flags.writeable = True


def test_it_learns():
    """To answer what is asked with what is given: the answer is a copy."""
    s = tiny(epochs=120, hidden_size=32, halt_max_steps=1, lr=5e-3).fit(Y, Y)
    assert s.score(Y, Y) > 0.9


def test_it_starts_from_a_model():
    ready = trm.TRMSolver(model="sudoku4")
    x, y = trm.load("sudoku4").puzzle.encode(X), ready.predict(X)
    assert y.shape == (24, 4, 4) and ready.predict(x).shape == (24, 16)
    tuned = tiny(model=trm.load("sudoku4"), epochs=1).fit(X, Y)
    assert tuned.model_.config["hidden_size"] == 64


def test_numbers_of_no_puzzle():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, (20, 7))
    s = tiny(puzzle=None).fit(x, (x + 1) % 5)
    assert s.predict(x).shape == (20, 7) and s.n_features_in_ == 7
    assert (s.predict(x.astype(float)) == s.predict(x.astype(object).astype(int))).all()
    pandas = pytest.importorskip("pandas")
    assert (s.predict(pandas.DataFrame(x)) == s.predict(x)).all()


def test_parameters():
    s = tiny()
    assert s.get_params()["epochs"] == 2 and s.set_params(epochs=3) is s and s.epochs == 3
    with pytest.raises(ValueError, match="epochs"):
        s.set_params(epoch=3)
    assert trm.TRMSolver(**s.get_params()).get_params() == s.get_params()


@pytest.mark.parametrize("call, kind", [
    (lambda: tiny().predict(X), ValueError), (lambda: tiny().predict(X), AttributeError),
    (lambda: tiny().fit(X, Y[:3]), trm.ShapeError), (lambda: tiny().fit(X, Y + 9), trm.RangeError),
    (lambda: tiny().fit(X[0], Y[0]), trm.ShapeError), (lambda: tiny().fit(X[:0], Y[:0]), trm.ShapeError),
    (lambda: tiny().fit(X + np.nan, Y), trm.RangeError), (lambda: tiny().fit(X * 1j, Y), TypeError),
    (lambda: tiny().fit(X, None), TypeError), (lambda: tiny(puzzle=None).fit([[1, 2]], [1]), trm.ShapeError),
    (lambda: tiny(epochs="x").fit(X, Y), TypeError), (lambda: tiny(lr=-1).fit(X, Y), trm.ConfigError),
    (lambda: tiny(epochs=0).fit(X, Y), trm.ArgumentError), (lambda: tiny(epochs=-3).fit(X, Y), trm.ArgumentError),
    (lambda: tiny(epochs=float("inf")).fit(X, Y), trm.ArgumentError),
    (lambda: tiny(batch_size=0).fit(X, Y), trm.ArgumentError), (lambda: tiny(augment="x").fit(X, Y), trm.ArgumentError),
    (lambda: tiny().fit(X, Y).predict(X[:, :3]), trm.ShapeError), (lambda: tiny().fit(X, Y).predict(X[0]), trm.ShapeError),
    (lambda: tiny().fit(X, Y).score(X, Y[:5]), trm.ShapeError), (lambda: tiny(model="nothing").fit(X, Y), trm.FileError),
    (lambda: trm.NoSuchName, AttributeError),
])
def test_what_cannot_be_learned_is_refused(call, kind):
    with pytest.raises(kind):
        call()
