"""What the tests share: small models that come with the package, and puzzles for them."""

from __future__ import annotations

import os
import signal

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's products are small here, and threads would wait

import trm  # noqa: E402

# What is started in the background may ignore Ctrl-C, and Python keeps that: these tests are sent some.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def sudoku6() -> trm.Model:
    return trm.load("sudoku6")


@pytest.fixture(scope="session")
def maze10() -> trm.Model:
    return trm.load("maze10")


@pytest.fixture(scope="session")
def puzzle6() -> str:
    """A 6x6 Sudoku that has one solution, `answer6`."""
    return "26....3.........1.5...2.43.........5"


@pytest.fixture(scope="session")
def answer6() -> str:
    return "264351351246642513513624435162126435"
