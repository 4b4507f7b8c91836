"""No crash and no exception that does not fit, whatever Python passes: fuzz_api.py in a process of its
own. TRM_FUZZ_SECONDS=600 searches for longer than a dozen seconds, with other seeds each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)


def fuzz(code: str, log: Path, seconds: float, seed: int) -> subprocess.CompletedProcess:
    start = f"import sys; sys.path.insert(0, {HERE!r}); import fuzz_api; {code}; sys.stdout.flush(); sys.exit(fuzz_api.main())"
    return subprocess.run([sys.executable, "-W", "ignore", "-c", start, str(seconds), str(seed), str(log)], capture_output=True,
                          text=True, timeout=seconds + 200)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is of Linux")
def test_nothing_that_python_passes_crashes(tmp_path):
    seconds = float(os.environ.get("TRM_FUZZ_SECONDS", "12"))
    seed = 1 if seconds <= 12 else int.from_bytes(os.urandom(3), "little")
    told = fuzz("pass", tmp_path / "log", seconds, seed)
    last = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert told.returncode == 0, f"exit code {told.returncode}; the last was {last}\n{told.stdout}\n{told.stderr[-3000:]}"
    print(told.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is of Linux")
@pytest.mark.parametrize("fault, code", [("ctypes.string_at(0)", -11), ("{}.nothing", 1)])
def test_a_crash_and_an_exception_that_fits_not_are_seen_and_named(tmp_path, fault, code):
    bad = f"import ctypes, trm; bad = eval(compile('lambda: {fault}', trm.__file__, 'eval')); fuzz_api.FUNCTIONS[:] = [bad]"
    told = fuzz(bad, tmp_path / "log", 6, 1)
    assert told.returncode == code
    assert "<lambda>" in ((tmp_path / "log").read_text() if code < 0 else told.stdout)
