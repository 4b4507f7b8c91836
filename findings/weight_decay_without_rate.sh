#!/usr/bin/env bash
# Weight decay in optimisers that look like AdamW. (Installs torch: 5 GB.)
#
# Expected: with weight_decay=wd an update multiplies weights by 1 - lr wd, as in torch's AdamW and in
# the reference's AdamATan2; and where an option makes decay independent of the rate, a group with a
# rate of its own decays like the others.
#
# Seen on 2026-11-29 with grokfast-pytorch 0.0.11, adam-atan2-pytorch 0.4.1, torch 2.15.0, Python 3.11:
# * GrokFastAdamW multiplies by 1 - wd at its initial rate. With the 1.0 of TRM's recipes and of many
#   on grokking, one update sets every weight to zero. AdamW of the same arguments leaves 0.9999.
# * AdamAtan2 with decoupled_wd=True divides every group's decay by the rate of the constructor, and
#   later multiplies it by the group's own. Of two groups with lr 1e-4 and 1e-2, as TRM's recipe for ARC
#   has, and decay 0.1, the second is multiplied by -9 at each update. A group added later by
#   add_param_group is not divided: it decays ten thousand times less than the first.
# * Without that option AdamAtan2 moves by 1.27 times what the reference does (a=1.27, b=1).
#
# Hurt: recipes that are carried over with their numbers.
#
# Instead: wd times the rate for GrokFastAdamW; decoupled_wd=False, and a=1 and betas=(0.9, 0.95) for
# the reference's update. trm's rule is the reference's, in every group.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  grokfast-pytorch==0.0.11 adam-atan2-pytorch==0.4.1 torch==2.15.0
"$dir/venv/bin/python" -W ignore - <<'EOF'
import sys

import torch
from adam_atan2_pytorch import AdamAtan2
from grokfast_pytorch import GrokFastAdamW


def weight(value=1.0):
    return torch.nn.Parameter(torch.tensor([value]))


def after_update(optimiser, *weights, gradient=0.0):
    for w in weights:
        w.grad = torch.tensor([gradient])
    optimiser.step()
    return [round(w.item(), 5) for w in weights]


w = weight()
adamw = after_update(torch.optim.AdamW([w], lr=1e-4, weight_decay=1.0), w)
w = weight()
grokfast = after_update(GrokFastAdamW([w], lr=1e-4, weight_decay=1.0), w)

a, b = weight(), weight()
groups = [dict(params=[a], lr=1e-4), dict(params=[b], lr=1e-2)]
rates = after_update(AdamAtan2(groups, lr=1e-4, weight_decay=0.1, decoupled_wd=True), a, b)

a, b = weight(), weight()
later = AdamAtan2([a], lr=1e-4, weight_decay=0.1, decoupled_wd=True)
later.add_param_group(dict(params=[b], weight_decay=0.1))
added = after_update(later, a, b)

w = weight(0.0)
moved = after_update(AdamAtan2([w], lr=1.0), w, gradient=1.0)[0]
ratio = round(-moved / (torch.pi / 4), 2)

print("a weight of 1 after one update without a gradient:")
print("  AdamW, decay 1:", *adamw)
print("  GrokFastAdamW, decay 1:", *grokfast)
print("  AdamAtan2 decoupled, decay 0.1, groups of rate 1e-4 and 1e-2:", *rates)
print("  the same, the second group of rate 1e-4 added later:", *added)
print("AdamAtan2's first update over the reference's:", ratio)
if (adamw, grokfast, rates, added, ratio) != ([0.9999], [0.0], [0.9, -9.0], [0.9, 0.99999], 1.27):
    sys.exit("this has changed")
EOF
