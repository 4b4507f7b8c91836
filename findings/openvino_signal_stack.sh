#!/usr/bin/env bash
# The stack on which a thread takes its signals, and OpenVINO.
#
# Expected: the alternate signal stack of a thread (sigaltstack) is the program's: who makes an
# openvino.Core and drops it finds it as it was, however many there are and in whatever order they go.
#
# Seen on 2026-11-30 with openvino 2026.4.1, Python 3.11, Linux on x86-64 with AVX-512: its CPU plug-in
# gives the thread that loads it an alternate signal stack of its own, a plug-in for every Core, and puts
# back on its way out the one that it found. With one Core at a time all is well. Of two that go in the
# order in which they came, the second puts back the stack of the first, which is freed: the thread has a
# signal stack where no memory is.
#
# Hurt: CPython (since 3.10) and others ask for their signal handlers to run on that stack. The next
# Ctrl-C of such a process is not a KeyboardInterrupt but a segmentation fault, far away from OpenVINO:
# notebooks and test suites that make a Core here and there, trainings that save on Ctrl-C.
#
# Instead: one Core for the process, kept until its end.
#
# Below the stack is looked at only, and no signal is sent.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 numpy==2.4.6
"$dir/venv/bin/python" - <<'EOF'
import ctypes
import gc

import numpy as np
import openvino
from openvino import opset13

libc = ctypes.CDLL(None)


class Stack(ctypes.Structure):
    _fields_ = [("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


def signal_stack():
    """none; or whether there is memory where this thread's alternate signal stack is said to be."""
    stack = Stack()
    assert libc.sigaltstack(None, ctypes.byref(stack)) == 0
    if not stack.sp:
        return "none"
    for line in open("/proc/self/maps"):
        first, end = (int(word, 16) for word in line.split()[0].split("-"))
        if first <= stack.sp < end:
            return "in memory"
    return "where no memory is"


def made():
    x = opset13.parameter([2], np.float32)
    core = openvino.Core()
    return core, core.compile_model(openvino.Model([opset13.relu(x)], [x], "relu"), "CPU")


seen = [("at the start", signal_stack())]
first = made()
seen.append(("with one Core", signal_stack()))
del first
gc.collect()
seen.append(("it was dropped", signal_stack()))
first, second = made(), made()
del first
gc.collect()
del second
gc.collect()
seen.append(("of two the first was dropped, then the second", signal_stack()))
for when, what in seen:
    print(f"{when}: {what}")
assert [what for _, what in seen] == ["none", "in memory", "none", "where no memory is"], "it is otherwise now"
EOF
echo "as described"
