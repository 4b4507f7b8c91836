#!/usr/bin/env bash
# Gradients of a fixed point that is found early, in torchdeq. (Installs torch: 5 GB.)
#
# Expected: get_deq(core="indexing", ift=True, n_states=n) gives n states of the solver in training,
# the last of them the best estimate with the gradient of the implicit function theorem, as its
# documentation says; so does the first, and only, of n_states=1.
#
# Seen on 2026-11-29 with torchdeq 0.1.0, torch 2.15.0, Python 3.11: states are taken at fixed
# iterations of f_max_iter, and a solver that has reached its tolerance does not come to the later
# ones. What is then the last state is paired with the gradient of an earlier place: one step. For
# z = a z + 1, a = 0.5, whose dz/da is 4, that gives 2, and at a = 0.6 2.5 in place of 6.25, by each
# of the three solvers; and the state may be that of iteration 20 of 28, not the best. With
# n_states=1, with a tolerance that is never reached, or with core="sliced", the gradient is right.
#
# Hurt: models whose loss is taken at several states. The better a model converges, the more of its
# batches train by one-step gradients, and without a word.
#
# Instead: core="sliced", or f_tol=0, which runs all iterations; and a check that as many states come
# back as were asked for.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check torchdeq==0.1.0 torch==2.15.0
"$dir/venv/bin/python" -W ignore - <<'EOF'
import sys

import torch
from torchdeq import get_deq


def solve(rate, **options):
    """How many states come back, the last of them, and its derivative to the rate."""
    a = torch.tensor(rate, requires_grad=True)
    deq = get_deq(ift=True, f_max_iter=40, b_max_iter=400, b_tol=1e-9, **options)
    states, _ = deq(lambda z: a * z + 1, torch.zeros(1, 1))
    last = states[-1]
    last = last if torch.is_tensor(last) else last[0]
    slope, = torch.autograd.grad(last.sum(), a)
    return len(states), round(last.item(), 4), round(slope.item(), 3)


def show(what, got, right):
    mark = "" if got[1:] == right else "wrong"
    print(f"{what}: {got[0]} states, z = {got[1]}, dz/da = {got[2]}", mark)
    return got


solvers = ("fixed_point_iter", "anderson", "broyden")
seen = {}
for rate, right in ((0.5, (2.0, 4.0)), (0.6, (2.5, 6.25))):
    for solver in solvers:
        for core, n in (("indexing", 1), ("indexing", 2), ("sliced", 2)):
            what = f"a = {rate}, {solver}, {core}, n_states = {n}"
            seen[rate, solver, core, n] = show(
                what, solve(rate, core=core, n_states=n, f_tol=1e-6, f_solver=solver), right)
never = show("a = 0.5, fixed_point_iter, indexing, n_states = 2, f_tol = 0",
             solve(0.5, core="indexing", n_states=2, f_tol=0.0), (2.0, 4.0))

wanted = {}
for rate, z, slope in ((0.5, 2.0, 4.0), (0.6, 2.5, 6.25)):
    for solver in solvers:
        wanted[rate, solver, "indexing", 1] = (1, z, slope)
        wanted[rate, solver, "indexing", 2] = (1, z, z)
        wanted[rate, solver, "sliced", 2] = (2, z, slope)
wanted[0.6, "fixed_point_iter", "indexing", 2] = (1, 2.4999, 2.5)
if seen != wanted or never != (2, 2.0, 4.0):
    sys.exit("this has changed")
EOF
