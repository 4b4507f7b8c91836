#!/usr/bin/env bash
# ONNX inputs that have a default value, in OpenVINO.
#
# Expected: an input with an initializer of its name may be given, and has that value where it is not:
# so the ONNX standard defines it since IR version 4 (an initializer that is no input is a constant), and
# so do onnxruntime (its "overridable initializers") and onnx.reference.
#
# Seen on 2026-11-30 with openvino 2026.4.1, Python 3.11: read_model and convert_model make a constant of
# it, without a word. The input is not there: `inputs` does not list it, and who gives it a value is told
# that there is no such port. Who goes by the list of inputs gets the default for good.
#
# Hurt: models with thresholds, scales, temperatures or numbers of steps that have defaults: they run, and
# whatever was to be set stays as it was when the file was written.
#
# Instead: before reading, remove the initializer from the graph (model.graph.initializer), so that the
# input is an ordinary one; or write the file with the value that is wanted.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 \
  openvino==2026.4.1 numpy==2.4.6 ml_dtypes==0.6.0 protobuf==7.36.2
"$dir/venv/bin/python" - "$dir" <<'EOF'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(3)

# y = x * scale, where scale is 1 unless it is given.
vector = [2]
graph = helper.make_graph(
    [helper.make_node("Mul", ["x", "scale"], ["y"])], "scaled",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, vector),
     helper.make_tensor_value_info("scale", TensorProto.FLOAT, [])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, vector)],
    [numpy_helper.from_array(np.array(1, np.float32), "scale")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
path = f"{sys.argv[1]}/model.onnx"
onnx.save(model, path)

x, three = np.ones(2, np.float32), np.array(3, np.float32)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
runs = {"onnxruntime": lambda inputs: session.run(None, inputs)[0],
        "onnx.reference": lambda inputs: ReferenceEvaluator(model).run(None, inputs)[0]}
for how, read in (("read_model", openvino.Core().read_model), ("convert_model", openvino.convert_model)):
    found = read(path)
    print(f"openvino, {how}: the inputs are", [port.get_any_name() for port in found.inputs])
    compiled = openvino.Core().compile_model(found, "CPU")
    runs[f"openvino, {how}"] = lambda inputs, compiled=compiled: compiled(inputs)[0]

seen = {}
for name, run in runs.items():
    plain = float(run({"x": x})[0])
    try:
        scaled = float(run({"x": x, "scale": three})[0])
    except RuntimeError as e:
        scaled = "refused" if "scale was not found" in str(e) else str(e)
    print(f"{name}: without scale {plain}, with scale 3 {scaled}")
    seen[name] = (plain, scaled)
if seen != {"onnxruntime": (1, 3), "onnx.reference": (1, 3), "openvino, read_model": (1, "refused"),
            "openvino, convert_model": (1, "refused")}:
    sys.exit("this has changed")
EOF
