"""The mirror of the headers: that it is what they say, and what the library that was loaded has."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from trm import _c, _lib

SCRIPT = Path(__file__).resolve().parent.parent / "mirror.py"


def script():
    if not SCRIPT.exists():
        pytest.skip("the sources are not here")
    spec = importlib.util.spec_from_file_location("mirror", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_mirror_is_what_the_headers_say():
    mirror = script()
    assert Path(_c.__file__).read_text() == mirror.write(mirror.read()), "run python3 python/mirror.py"


def test_a_compiler_finds_every_constant_size_and_offset():
    if not shutil.which("cc"):
        pytest.skip("no C compiler here")
    mirror = script()
    program = mirror.probe(Path(_c.__file__).read_text())
    assert program.count("_Static_assert") > 900
    assert mirror.compiles(program) == ""


def test_a_changed_structure_is_noticed():
    """The check can fail: a member more, an exchange of two, another number of an enumeration."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler here")
    mirror = script()
    text = Path(_c.__file__).read_text()
    for old, new in [('("batch", c_int),', '("batch", c_int),\n        ("more", c_int),'),
                     ('("rows", c_int),\n        ("group", c_int),', '("group", c_int),\n        ("rows", c_int),'),
                     ("TRM_E_SHAPE = 6", "TRM_E_SHAPE = 5")]:
        assert old in text
        assert "_c.py" in mirror.compiles(mirror.probe(text.replace(old, new, 1)))


def test_every_function_is_in_the_library():
    for name in _c.FUNCTIONS:
        getattr(_lib.lib, name)


def test_records_of_the_library_lie_as_in_the_mirror():
    """What the library tells of its structures at run time, member by member."""
    lib, members, i = _lib.lib, 0, 0
    while True:
        record = lib.trm_record_at(i)
        if not record:
            break
        structure = getattr(_c, lib.trm_record_name(record).decode())
        assert lib.trm_record_size(record) == ctypes.sizeof(structure)
        j = 0
        while True:
            field = lib.trm_record_field(record, j)
            if not field:
                break
            name = lib.trm_field_bounds(field).name
            place, kind = ctypes.c_size_t(), ctypes.c_void_p()
            _lib.call("trm_record_place", record, name, ctypes.byref(kind), ctypes.byref(place))
            assert getattr(structure, name.decode()).offset == place.value, (structure, name)
            members += 1
            j += 1
        i += 1
    assert members > 250


def test_another_library_is_refused(tmp_path):
    """TRM_LIBRARY with what is no such library: an ImportError that names it, not a crash later."""
    import subprocess

    for library in (tmp_path / "none.so", "libm.so.6"):
        done = subprocess.run([sys.executable, "-c", "import trm"], capture_output=True, text=True,
                              env={"TRM_LIBRARY": str(library), "PYTHONPATH": str(Path(_c.__file__).parent.parent),
                                   "PATH": "/usr/bin:/bin"})
        assert done.returncode == 1
        assert "ImportError" in done.stderr and "AttributeError" not in done.stderr
        assert str(library) in done.stderr
