#!/usr/bin/env bash
# The paper's settings in the package of the paper's name. (Installs torch: 5 GB.)
#
# Expected: Trainer(learning_rate=1e-4, ema_decay_rate=0.999, max_recurrent_steps=12) of
# tiny-recursive-model trains at 1e-4, with up to 12 supervision steps for each batch, and leaves the
# average of all updates, which counts a thousandth of each.
#
# Seen on 2026-11-29 with tiny-recursive-model 0.0.15, ema-pytorch 0.8.3, torch 2.15.0, Python 3.11:
# * The rate is 5.2e-7: it is divided by batch size times steps, 16 x 12, which Adam's updates, being
#   free of the gradient's scale, do not make good.
# * The first 14 batches get one supervision step. The halting head starts at zero, so its probability
#   is 0.5, the threshold is 0.5, and "at least" halts; the first updates of the warm-up are smaller
#   than float32 can tell from it. The reference starts at a bias of -5. A model that was just made
#   halts at its first step in predict(), too.
# * No average comes of a short run: up to update 100 ema-pytorch copies the weights of each tenth, so
#   what is left of 86 updates are the weights after the 81st. Later its decay is less than the 0.999
#   that was asked for until about update 31,600, and is applied once in ten updates.
#
# Hurt: comparisons of this package with the paper at the paper's numbers.
#
# Instead: an optimiser of one's own (optim=…), and EMA(model, beta=mu, min_value=mu, update_every=1,
# update_after_step=-1), which is the reference's average from the first update's weights on.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  tiny-recursive-model==0.0.15 ema-pytorch==0.8.3 adam-atan2-pytorch==0.4.1 accelerate==1.15.0 \
  x-transformers==2.31.10 einops==0.8.2 torch==2.15.0
"$dir/venv/bin/python" -W ignore - <<'EOF'
import contextlib
import io
import re
import sys

import torch
from tiny_recursive_model import MLPMixer1D, TinyRecursiveModel, Trainer
from torch.utils.data import TensorDataset

torch.set_num_threads(1)
torch.manual_seed(0)
questions = torch.randint(0, 10, (320, 9))
model = TinyRecursiveModel(dim=16, num_tokens=11, network=MLPMixer1D(dim=16, depth=1, seq_len=9))
_, first_exits = model.predict(questions[:4])
trainer = Trainer(model, TensorDataset(questions, (questions + 1) % 10), cpu=True, epochs=1,
                  learning_rate=1e-4, ema_decay_rate=0.999, max_recurrent_steps=12)
rate = trainer.optim.param_groups[0]["initial_lr"]

after = []
trainer.optim.optimizer.register_step_post_hook(
    lambda *_: after.append([p.detach().clone() for p in model.parameters()]))
log = io.StringIO()
with contextlib.redirect_stdout(log):
    trainer()

steps = [int(step) for step in re.findall(r"\((\d+) / 12\)", log.getvalue())]
starts = [i for i, step in enumerate(steps) if step == 1] + [len(steps)]
of_batch = [b - a for a, b in zip(starts, starts[1:])]
left = [i + 1 for i, weights in enumerate(after)
        if all(map(torch.equal, weights, model.parameters()))]
print(f"rate {rate:.2g}; a new model halts at steps {first_exits.tolist()}")
print("supervision steps of the batches:", *of_batch)
print(f"{len(after)} updates; the weights left are those after update", *left)
if (abs(rate - 1e-4 / 192) > 1e-12 or first_exits.tolist() != [1] * 4
        or of_batch[:10] != [1] * 10 or of_batch[-1] != 12
        or left != [(len(after) - 1) // 10 * 10 + 1]):
    sys.exit("this has changed")
EOF
