#!/usr/bin/env bash
# Views in torch files, read without torch.
#
# Expected: a reader of torch checkpoints either gives the values that torch gives, or refuses.
#
# Seen on 2026-11-29 with tinygrad 0.14.0, pt-safe-loader 0.1.4, numpy 2.3.5, Python 3.11: a tensor is
# saved with its strides, and with a mark where it is a view whose sign is still to be changed.
# tinygrad's torch_load takes as many values as the shape has from where the view starts: the left half
# of the columns of a matrix comes back as its first rows, and the diagonal likewise. Neither of the
# two looks at the mark: the negated view comes back with its sign wrong. (pt-safe-loader does refuse
# the columns.) torch 2.15.0 reads the file below rightly, and its own torch.save of the same views
# gives the same results.
#
# Hurt: weights that were cut from a fused matrix, or come from the imaginary part of a conjugate, run
# and are wrong; of a model only the score tells.
#
# Instead: .resolve_conj().resolve_neg().contiguous() before torch.save. trm reads strides and refuses
# the mark with this remedy.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  tinygrad==0.14.0 pt-safe-loader==0.1.4 numpy==2.3.5

# A state dict as torch.save writes it, without torch's gigabytes: stand-ins have the names that the
# pickle holds, and a storage is written by its key.
cat > "$dir/save.py" <<'EOF'
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict


class FloatStorage:
    pass


def _rebuild_tensor_v2():
    pass


for module, thing in (("torch", FloatStorage), ("torch._utils", _rebuild_tensor_v2)):
    sys.modules[module] = types.ModuleType(module)
    setattr(sys.modules[module], thing.__name__, thing)
    thing.__module__ = module


class Storage:
    key, values = "0", [float(i) for i in range(16)]


class View:
    def __init__(self, size, stride, *marks):
        self.parts = (Storage(), 0, size, stride, False, OrderedDict(), *marks)

    def __reduce__(self):
        return _rebuild_tensor_v2, self.parts


class Pickler(pickle._Pickler):
    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            return "storage", FloatStorage, thing.key, "cpu", len(thing.values)


name, views = sys.argv[1], {
    "whole": View((4, 4), (4, 1)),
    "left": View((4, 2), (4, 1)),
    "negated": View((4, 4), (4, 1), {"neg": True}),
}
names = sys.argv[2:]
with zipfile.ZipFile(name, "w") as file:
    with file.open("archive/data.pkl", "w") as part:
        Pickler(part, 2).dump({key: views[key] for key in names})
    file.writestr("archive/byteorder", "little")
    file.writestr("archive/data/0", struct.pack("<16f", *Storage.values))
    file.writestr("archive/version", "3\n")
EOF
"$dir/venv/bin/python" "$dir/save.py" "$dir/all.pt" whole left negated
"$dir/venv/bin/python" "$dir/save.py" "$dir/dense.pt" whole negated
"$dir/venv/bin/python" "$dir/save.py" "$dir/left.pt" left

CPU=1 "$dir/venv/bin/python" - "$dir" <<'EOF'
import sys

from pt_loader import PtCheckpoint
from tinygrad.nn.state import torch_load

whole = [float(i) for i in range(16)]
right = {"whole": whole, "left": [0, 1, 4, 5, 8, 9, 12, 13], "negated": [-x for x in whole]}
wrong = {"left": whole[:8], "negated": whole}

tiny = {key: t.numpy().ravel().tolist() for key, t in torch_load(f"{sys.argv[1]}/all.pt").items()}
safe = PtCheckpoint.load(f"{sys.argv[1]}/dense.pt").state_dict()
safe = {key: t.ravel().tolist() for key, t in safe.items()}
try:
    PtCheckpoint.load(f"{sys.argv[1]}/left.pt")
    refused = False
except RuntimeError:
    refused = True

for name, read in (("tinygrad", tiny), ("pt-safe-loader", safe)):
    for key, values in read.items():
        print(f"{name}, {key}:", "right" if values == right[key] else f"{values[:4]} …, wrong")
print("pt-safe-loader, left:", "refused" if refused else "taken")
if (tiny != {"whole": whole} | wrong or safe != {"whole": whole, "negated": wrong["negated"]}
        or not refused):
    sys.exit("this has changed")
EOF
