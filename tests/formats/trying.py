"""What the groups of scripts/try-formats share: each form is tried once and gets one line."""

import subprocess
import sys
from pathlib import Path

TRM, WORK = sys.argv[1], Path(sys.argv[2])
_failed = []


def trm(*args, stdin=None):
    """Runs trm in WORK: (exit code, stdout, stderr)."""
    done = subprocess.run([TRM, *map(str, args)], input=stdin, capture_output=True, text=True, cwd=WORK)
    return done.returncode, done.stdout, done.stderr


def tried(form, program, good, got=""):
    """One line: the form, the program and version that wrote or read it, and whether all went well."""
    print(f"{'ok  ' if good else 'FAIL'}  {form:<48} {program}" + ("" if good else f"\n      {got}"), flush=True)
    if not good:
        _failed.append(form)


def finish():
    sys.exit(1 if _failed else 0)
