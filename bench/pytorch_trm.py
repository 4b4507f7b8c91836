"""TRM in plain PyTorch, for bench/versus.py: one supervision step, and one whole update.

Written from what the published code computes: the names of its tensors (with '/' for '.'), its block
order, its rounding (activations in the number format of the model, weights cast where they are used,
norms in float32, the loss in float64). trm and this module are held against each other before
anything is timed.
"""
import math

import torch
import torch.nn.functional as F


def norm(x, eps=1e-5):
    f = x.float()
    return (f * torch.rsqrt(f.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


class TRM(torch.nn.Module):
    """A model of trm's configuration and weights.

    Args:
        c: trm.Model.config: arch trm, rotary or no positions, one puzzle id.
        state: its tensors by their names (trm.Model.to_torch).
        dtype: of activations.
        train: weights stay float32; else they are cast once, but for the halting head's.
    """

    def __init__(self, c, state, dtype, train):
        super().__init__()
        self.c, self.dtype = c, dtype
        self.w = torch.nn.ParameterDict()
        for name, value in state.items():
            if name in ("H_init", "L_init", "puzzle_emb.weights"):
                self.register_buffer(name.partition(".")[0], value.clone())
            else:
                cast = value if train or name.startswith("q_head") else value.to(dtype)
                self.w[name.replace(".", "/")] = torch.nn.Parameter(cast.clone(), requires_grad=train)
        length, d = c["puzzle_emb_len"] + c["seq_len"], c["hidden_size"] // c["num_heads"]
        angle = torch.arange(length)[:, None] * c["rope_theta"] ** (-torch.arange(0, d, 2) / d)
        angle = torch.cat([angle, angle], 1)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def weight(self, name, i=None):
        name = name if i is None else f"L_level.layers.{i}.{name}.weight"
        return self.w[name.replace(".", "/")].to(self.dtype)

    def swiglu(self, i, name, x):
        gate, up = (x @ self.weight(name + ".gate_up_proj", i).t()).chunk(2, -1)
        return (F.silu(gate) * up) @ self.weight(name + ".down_proj", i).t()

    def attend(self, i, x):
        b, length, d = x.shape
        heads = self.c["num_heads"]
        qkv = (x @ self.weight("self_attn.qkv_proj", i).t()).view(b, length, 3, heads, d // heads)
        q, k, v = qkv.unbind(2)

        def rotate(t):
            half = t.shape[-1] // 2
            turned = torch.cat([-t[..., half:], t[..., :half]], -1)
            c, s = self.cos[:, None].to(t.dtype), self.sin[:, None].to(t.dtype)
            return t * c + turned * s

        q, k, v = (t.transpose(1, 2) for t in (rotate(q), rotate(k), v))
        out = F.scaled_dot_product_attention(q, k, v)
        return out.transpose(1, 2).reshape(b, length, d) @ self.weight("self_attn.o_proj", i).t()

    def net(self, h):
        for i in range(self.c["L_layers"]):
            if self.c["mlp_t"]:
                t = h.transpose(1, 2)
                h = norm(t + self.swiglu(i, "mlp_t", t)).transpose(1, 2)
            else:
                h = norm(h + self.attend(i, h))
            h = norm(h + self.swiglu(i, "mlp", h))
        return h

    def cycle(self, z_h, z_l, e):
        for _ in range(self.c["L_cycles"]):
            z_l = self.net(z_l + (z_h + e))
        return self.net(z_h + z_l), z_l

    def forward(self, z_h, z_l, inputs, puzzle):
        """One supervision step.

        Args:
            z_h, z_l: the latents [B, P + cells, D].
            inputs: tokens, int [B, cells].
            puzzle: the puzzle embedding of each row, float32 [B, puzzle_emb_ndim].

        Returns:
            Both latents, logits [B, cells, vocab], q [B, 2] in float32.
        """
        d, positions = self.c["hidden_size"], self.c["puzzle_emb_len"]
        e = self.weight("embed_tokens.embedding_weight")[inputs.long()]
        if positions:
            front = F.pad(puzzle, (0, positions * d - puzzle.shape[-1])).to(self.dtype)
            e = torch.cat([front.view(-1, positions, d), e], 1)
        e = math.sqrt(d) * e
        with torch.no_grad():
            for _ in range(self.c["H_cycles"] - 1):
                z_h, z_l = self.cycle(z_h, z_l, e)
        z_h, z_l = self.cycle(z_h, z_l, e)
        logits = z_h[:, positions:] @ self.weight("lm_head.weight").t()
        q = z_h[:, 0].float() @ self.w["q_head/weight"].t() + self.w["q_head/bias"]
        return z_h, z_l, logits, q

    def start(self, batch):
        """Latents of fresh rows, and the puzzle embedding of each."""
        length = self.c["puzzle_emb_len"] + self.c["seq_len"]
        z_h, z_l = (init.to(self.dtype).expand(batch, length, -1).contiguous() for init in (self.H_init, self.L_init))
        puzzle = self.puzzle_emb if self.c["puzzle_emb_ndim"] else self.H_init.new_zeros(1, 0)
        return z_h, z_l, puzzle.expand(batch, -1).contiguous()


def stablemax(logits, labels):
    x = logits.double()
    s = torch.where(x < 0, 1 / (1 - x + 1e-30), x + 1)
    p = s / s.sum(-1, keepdim=True)
    return -torch.log(p.gather(-1, labels.clamp(min=0).long().unsqueeze(-1)).squeeze(-1))


def losses(logits, q, labels):
    valid = labels >= 0
    count = valid.sum(-1)
    lm = (torch.where(valid, stablemax(logits, labels), 0) / count.clamp(min=1)[:, None]).sum()
    right = ((logits.argmax(-1) == labels) | ~valid).all(-1)
    return lm, F.binary_cross_entropy_with_logits(q[:, 0], right.float(), reduction="sum")


BETAS = 0.9, 0.95


@torch.no_grad()
def adam_atan2(params, grads, ms, vs, emas, unbiased, lr, weight_decay, ema_rate):
    """AdamATan2 and the average of the weights, in place."""
    for p, g, m, v, ema in zip(params, grads, ms, vs, emas):
        m.lerp_(g, 1 - BETAS[0])
        v.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr / unbiased[0] * torch.atan2(m, (v / unbiased[1]).sqrt()))
        ema.lerp_(p, 1 - ema_rate)


class Trainer:
    """Whole updates: rows that halted take a new puzzle, the supervision step, both losses, backward,
    halting with exploration, AdamATan2, the EMA, and sign SGD on the puzzle embedding.

    Args:
        model: with `train`.
        o: fields of trm.Trainer by their names.
        compile: torch.compile, or a function that changes nothing; gets forward pass and losses, and
            with them the backward pass, and AdamATan2.
    """

    def __init__(self, model, o, compile):
        self.model, self.o, self.t = model, o, 0
        self.params = list(model.w.values())
        self.m, self.v = ([torch.zeros_like(p) for p in self.params] for _ in range(2))
        self.ema = [p.detach().clone() for p in self.params]
        batch, device = o["batch_size"], model.H_init.device
        self.z_h, self.z_l, _ = model.start(batch)
        self.steps = torch.zeros(batch, dtype=torch.int32, device=device)
        self.halted = torch.ones(batch, dtype=torch.bool, device=device)
        self.inputs = torch.zeros(batch, model.c["seq_len"], dtype=torch.int32, device=device)
        self.labels = torch.zeros_like(self.inputs)
        self.run, self.adam = compile(self.forward_loss), compile(adam_atan2)

    def forward_loss(self, z_h, z_l, inputs, labels, puzzle):
        z_h, z_l, logits, q = self.model(z_h, z_l, inputs, puzzle)
        lm, q_halt = losses(logits, q, labels)
        return z_h.detach(), z_l.detach(), q.detach(), lm, q_halt

    def update(self, inputs, labels):
        """int32 [B, cells] each. Returns both losses, summed over the rows."""
        c, batch, start = self.model.c, self.o["batch_size"], self.halted
        z_h, z_l, puzzle = self.model.start(batch)
        self.inputs = torch.where(start[:, None], inputs, self.inputs)
        self.labels = torch.where(start[:, None], labels, self.labels)
        self.z_h = torch.where(start[:, None, None], z_h, self.z_h)
        self.z_l = torch.where(start[:, None, None], z_l, self.z_l)
        self.steps = torch.where(start, 0, self.steps) + 1

        puzzle.requires_grad_()
        self.z_h, self.z_l, q, lm, q_halt = self.run(self.z_h, self.z_l, self.inputs, self.labels, puzzle)
        ((lm + c["q_weight"] * q_halt) / batch).backward()

        explore = torch.rand_like(q[:, 0]) < c["halt_exploration_prob"]
        least = torch.where(explore, torch.randint_like(self.steps, 2, c["halt_max_steps"] + 1), 0)
        self.halted = ((self.steps >= c["halt_max_steps"]) | (q[:, 0] > 0)) & (self.steps >= least)

        self.grads = [p.grad for p in self.params]
        self.optimise(puzzle.grad)
        for p in self.params:
            p.grad = None
        return lm.detach(), q_halt.detach()

    @torch.no_grad()
    def optimise(self, d_puzzle):
        o = self.o
        self.t += 1
        unbiased = [torch.tensor(1 - beta ** self.t) for beta in BETAS]
        self.adam(self.params, self.grads, self.m, self.v, self.ema, unbiased, o["lr"], o["weight_decay"], o["ema_rate"])
        if self.model.c["puzzle_emb_ndim"]:
            g = d_puzzle.sum(0, keepdim=True)
            self.model.puzzle_emb.mul_(1 - o["puzzle_emb_lr"] * o["puzzle_emb_weight_decay"])
            self.model.puzzle_emb.sub_(o["puzzle_emb_lr"] * g.sign())
