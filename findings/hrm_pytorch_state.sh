#!/usr/bin/env bash
# A hierarchical reasoning model whose upper net does not see its own state. (Installs torch: 5 GB.)
#
# Expected: HRM of hrm-pytorch updates the slow state as the paper does, z_H <- f_H(z_H, z_L).
#
# Seen on 2026-11-29 with HRM-pytorch 0.1.6, torch 2.15.0, Python 3.11: what the upper net is given is
# made of the embedded tokens and z_L; z_H is not in it. The list of states is cut to those from the
# net's own level up, its length is checked, and then the uncut list is used, of which the first are
# taken. The lower net is given what the paper gives it.
#
# Hurt: z_H is no memory of the upper net, so a comparison of HRM with other recursions by this package
# compares another model; training works all the same.
#
# Instead: the authors' code, or trm's arch=hrm, whose numbers are checked against it.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  HRM-pytorch==0.1.6 torch==2.15.0 x-transformers==2.31.10 einops==0.8.2 einx==0.4.3
"$dir/venv/bin/python" -W ignore - <<'EOF'
import sys

import torch
from HRM import HRM

torch.manual_seed(0)
net = dict(dim=32, depth=1, attn_dim_head=8, heads=4)
model = HRM(networks=[net, net], dim=32, num_tokens=11)
names = ("tokens", "z_L", "z_H")
states = [torch.randn(1, 9, 32) for _ in names]


def what_it_reads(level):
    combine, read = model.hidden_combiners[level], []
    for i, name in enumerate(names):
        changed = [s + torch.randn_like(s) if i == k else s for k, s in enumerate(states)]
        if not torch.equal(combine(states, level), combine(changed, level)):
            read.append(name)
    return read


lower, upper = what_it_reads(0), what_it_reads(1)
print("the lower net reads", *lower)
print("the upper net reads", *upper)
if lower != ["tokens", "z_L", "z_H"] or upper != ["tokens", "z_L"]:
    sys.exit("this has changed")
EOF
