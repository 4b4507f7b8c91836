#!/usr/bin/env bash
# Loops in onnx.reference, the evaluator that comes with onnx.
#
# Expected: Loop does what its definition says. Without a condition ("" in its place) it runs as often
# as its trip count says, as a for loop; and what it collects of each iteration (scan outputs) lies
# behind each other along a new first axis: of K matrices [4, 2] an array [K, 4, 2].
#
# Seen on 2026-11-30 with onnx 1.23.2 and numpy 2.4.6, Python 3.11:
# * A Loop without a condition does not run at all, and hands out what it was begun with, without a
#   word. (Where it collects, NumPy refuses to stack nothing.)
# * Matrices are put below each other, [4 K, 2] in place of [K, 4, 2]; of numbers there come [K, 1] in
#   place of [K]. Vectors are right.
# The checker, with shape inference, accepts these models and infers the shapes of the definition;
# onnxruntime 1.32.0 gives them and the values.
#
# Hurt: who holds an exporter, an optimiser or a runtime against the evaluator: recurrent and iterative
# models, of which it is the one that is wrong.
#
# Instead: give every Loop the condition true, and collect vectors (Reshape in the body and behind it);
# or compare with onnxruntime.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 \
  numpy==2.4.6 ml_dtypes==0.6.0 protobuf==7.36.2
"$dir/venv/bin/python" - <<'EOF'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(3)


def count(shape, condition, collects):
    """z = zeros; three times z = z + 1; with `collects` also all values of z on the way."""
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, shape)
    nodes = [helper.make_node("Identity", ["go_on"], ["goes_on"]), helper.make_node("Add", ["z", "one"], ["next"])]
    outputs = [helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
               helper.make_tensor_value_info("next", TensorProto.FLOAT, shape)]
    if collects:
        nodes.append(helper.make_node("Identity", ["next"], ["each"]))
        outputs.append(helper.make_tensor_value_info("each", TensorProto.FLOAT, shape))
    body = helper.make_graph(nodes, "body", [helper.make_tensor_value_info("i", TensorProto.INT64, []),
                                             helper.make_tensor_value_info("go_on", TensorProto.BOOL, []), z], outputs)
    names = ["last", "all"][:1 + collects]
    loop = helper.make_node("Loop", ["times", condition, "start"], names, body=body)
    constants = {"times": np.array(3), "one": np.array(1, np.float32), "true": np.array(True)}
    if not condition:
        del constants["true"]
    shapes = {"last": shape, "all": ["k", *shape]}
    graph = helper.make_graph([loop], "count", [helper.make_tensor_value_info("start", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in names],
                              [numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)

    inputs = {"start": np.zeros(shape, np.float32)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    both = [session.run(None, inputs), ReferenceEvaluator(model).run(None, inputs)]
    return [(float(np.max(found[0])), *(list(a.shape) for a in found[1:])) for found in both]


seen = []
for shape, condition, collects in (([2], "true", False), ([2], "", False), ([], "true", True), ([2], "true", True),
                                   ([4, 2], "true", True)):
    runtime, reference = count(shape, condition, collects)
    print(f"shape {shape}, condition '{condition}': onnxruntime {runtime}, onnx.reference {reference}")
    seen.append((runtime, reference))
if seen != [((3,), (3,)), ((3,), (0,)), ((3, [3]), (3, [3, 1])), ((3, [3, 2]), (3, [3, 2])),
            ((3, [3, 4, 2]), (3, [12, 2]))]:
    sys.exit("this has changed")
EOF
