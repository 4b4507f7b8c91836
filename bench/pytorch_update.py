#!/usr/bin/env python3
"""One training update of TRM in plain PyTorch, to time beside `trm bench train`.

    bench/pytorch_update.py [--batch 768] [--attention] [--eager] [--updates 10] [--json]
    bench/pytorch_update.py --check CASE_DIR ...     numbers of the reference, float32, on the CPU

By default Sudoku-MLP at the paper's size in bfloat16: n = 6, T = 3, D = 512, 16 puzzle positions and
81 cells. The update is the whole of it: halted rows take a new puzzle, T - 1 cycles without gradient
and one with, stable-max loss in double precision, q loss, halting, AdamATan2, the EMA, and sign-SGD
on the puzzle embedding. Weights are cast where they are used. Timed as it is and through
torch.compile; the rate of a plain product of the same run is printed beside it.
"""
import argparse
import json
import math
import os
import statistics
import struct
import sys
import time

import torch
import torch.nn.functional as F


def norm(x, eps=1e-5):
    f = x.float()
    return (f * torch.rsqrt(f.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def width(expansion, n):
    return -(-round(expansion * n * 2 / 3) // 256) * 256


class TRM(torch.nn.Module):
    """Tensor names are the reference's, with '/' for '.'."""

    def __init__(self, o):
        super().__init__()
        self.o = o
        d, length = o.dim, o.puzzle_positions + o.cells
        shapes = {"embed_tokens.embedding_weight": (o.vocab, d), "lm_head.weight": (o.vocab, d),
                  "q_head.weight": (2, d), "q_head.bias": (2,)}
        for i in range(o.layers):
            at = f"L_level.layers.{i}."
            if o.attention:
                shapes[at + "self_attn.qkv_proj.weight"] = (3 * d, d)
                shapes[at + "self_attn.o_proj.weight"] = (d, d)
            else:
                f = width(o.expansion, length)
                shapes[at + "mlp_t.gate_up_proj.weight"] = (2 * f, length)
                shapes[at + "mlp_t.down_proj.weight"] = (length, f)
            f = width(o.expansion, d)
            shapes[at + "mlp.gate_up_proj.weight"] = (2 * f, d)
            shapes[at + "mlp.down_proj.weight"] = (d, f)
        self.w = torch.nn.ParameterDict()
        for name, shape in shapes.items():
            value = torch.randn(shape) / math.sqrt(shape[-1])
            if name == "q_head.weight":
                value.zero_()
            if name == "q_head.bias":
                value.fill_(-5)
            self.w[name.replace(".", "/")] = torch.nn.Parameter(value)
        self.register_buffer("H_init", torch.randn(d))
        self.register_buffer("L_init", torch.randn(d))
        self.register_buffer("puzzle_emb", torch.zeros(1, d))
        angle = torch.arange(length)[:, None] * o.theta ** (-torch.arange(0, d // o.heads, 2) / (d // o.heads))
        angle = torch.cat([angle, angle], 1)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def weight(self, name, i=None):
        name = name if i is None else f"L_level.layers.{i}.{name}.weight"
        return self.w[name.replace(".", "/")].to(self.o.dtype)

    def swiglu(self, i, name, x):
        gate, up = (x @ self.weight(name + ".gate_up_proj", i).t()).chunk(2, -1)
        return (F.silu(gate) * up) @ self.weight(name + ".down_proj", i).t()

    def attend(self, i, x):
        b, length, d = x.shape
        heads = self.o.heads
        qkv = (x @ self.weight("self_attn.qkv_proj", i).t()).view(b, length, 3, heads, d // heads)
        q, k, v = qkv.unbind(2)

        def rotate(t):
            half = t.shape[-1] // 2
            turned = torch.cat([-t[..., half:], t[..., :half]], -1)
            c, s = self.cos[:, None].to(t.dtype), self.sin[:, None].to(t.dtype)
            return t * c + turned * s

        q, k, v = (t.transpose(1, 2) for t in (rotate(q), rotate(k), v))
        if hasattr(F, "scaled_dot_product_attention"):
            out = F.scaled_dot_product_attention(q, k, v)
        else:
            out = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1) @ v
        return out.transpose(1, 2).reshape(b, length, d) @ self.weight("self_attn.o_proj", i).t()

    def net(self, h):
        for i in range(self.o.layers):
            if self.o.attention:
                h = norm(h + self.attend(i, h))
            else:
                t = h.transpose(1, 2)
                h = norm(t + self.swiglu(i, "mlp_t", t)).transpose(1, 2)
            h = norm(h + self.swiglu(i, "mlp", h))
        return h

    def cycle(self, z_h, z_l, e):
        for _ in range(self.o.n):
            z_l = self.net(z_l + (z_h + e))
        return self.net(z_h + z_l), z_l

    def forward(self, z_h, z_l, inputs, puzzle):
        o = self.o
        e = self.weight("embed_tokens.embedding_weight")[inputs.long()]
        front = F.pad(puzzle, (0, o.puzzle_positions * o.dim - puzzle.shape[-1])).to(o.dtype)
        e = math.sqrt(o.dim) * torch.cat([front.view(-1, o.puzzle_positions, o.dim), e], 1)
        with torch.no_grad():
            for _ in range(o.T - 1):
                z_h, z_l = self.cycle(z_h, z_l, e)
        z_h, z_l = self.cycle(z_h, z_l, e)
        logits = z_h[:, o.puzzle_positions:] @ self.weight("lm_head.weight").t()
        q = z_h[:, 0].float() @ self.w["q_head/weight"].t() + self.w["q_head/bias"]
        return z_h, z_l, logits, q


def stablemax(logits, labels):
    x = logits.double()
    s = torch.where(x < 0, 1 / (1 - x + 1e-30), x + 1)
    p = s / s.sum(-1, keepdim=True)
    return -torch.log(p.gather(-1, labels.clamp(min=0).long().unsqueeze(-1)).squeeze(-1))


def losses(logits, q, labels):
    valid = labels >= 0
    count = valid.sum(-1)
    lm = (torch.where(valid, stablemax(logits, labels), torch.zeros(())) / count.clamp(min=1)[:, None]).sum()
    right = ((logits.argmax(-1) == labels) | ~valid).all(-1)
    q_halt = F.binary_cross_entropy_with_logits(q[:, 0], right.float(), reduction="sum")
    return lm, q_halt


class Trainer:
    def __init__(self, model, o, compiled):
        self.model, self.o, self.t = model, o, 0
        self.params = list(model.w.values())
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]
        self.ema = [p.detach().clone() for p in self.params]
        size = (o.batch, o.puzzle_positions + o.cells, o.dim)
        device = model.H_init.device
        self.z_h = torch.zeros(size, dtype=o.dtype, device=device)
        self.z_l = torch.zeros_like(self.z_h)
        self.steps = torch.zeros(o.batch, dtype=torch.int32, device=device)
        self.halted = torch.ones(o.batch, dtype=torch.bool, device=device)
        self.inputs = torch.zeros(o.batch, o.cells, dtype=torch.int32, device=device)
        self.labels = torch.zeros_like(self.inputs)
        self.run = torch.compile(self.forward_loss) if compiled else self.forward_loss

    def forward_loss(self, z_h, z_l, inputs, labels, puzzle):
        z_h, z_l, logits, q = self.model(z_h, z_l, inputs, puzzle)
        lm, q_halt = losses(logits, q, labels)
        return z_h.detach(), z_l.detach(), q.detach(), lm, q_halt

    def update(self, inputs, labels, explore=0.1):
        o, model, start = self.o, self.model, self.halted
        self.inputs = torch.where(start[:, None], inputs, self.inputs)
        self.labels = torch.where(start[:, None], labels, self.labels)
        self.z_h = torch.where(start[:, None, None], model.H_init.to(o.dtype), self.z_h)
        self.z_l = torch.where(start[:, None, None], model.L_init.to(o.dtype), self.z_l)
        self.steps = torch.where(start, torch.zeros_like(self.steps), self.steps) + 1
        puzzle = model.puzzle_emb.expand(o.batch, -1).clone().requires_grad_()
        self.z_h, self.z_l, q, lm, q_halt = self.run(self.z_h, self.z_l, self.inputs, self.labels, puzzle)
        ((lm + 0.5 * q_halt) / o.batch).backward()
        least = torch.where(torch.rand_like(q[:, 0]) < explore,
                            torch.randint_like(self.steps, 2, o.halt_max_steps + 1), torch.zeros_like(self.steps))
        self.halted = ((self.steps >= o.halt_max_steps) | (q[:, 0] > 0)) & (self.steps >= least)
        self.grads = [p.grad for p in self.params]
        self.puzzle_grad = puzzle.grad
        self.optimise()
        for p in self.params:
            p.grad = None
        return lm.detach(), q_halt.detach()

    @torch.no_grad()
    def optimise(self):
        o = self.o
        self.t += 1
        warm = min(1.0, self.t / o.warmup)
        lr, b1, b2 = o.lr * warm, 0.9, 0.95
        torch._foreach_mul_(self.m, b1)
        torch._foreach_add_(self.m, self.grads, alpha=1 - b1)
        torch._foreach_mul_(self.v, b2)
        torch._foreach_addcmul_(self.v, self.grads, self.grads, 1 - b2)
        for p, m, v, e in zip(self.params, self.m, self.v, self.ema):
            p.mul_(1 - lr * o.weight_decay)
            p.sub_(lr / (1 - b1 ** self.t) * torch.atan2(m, v.sqrt() / math.sqrt(1 - b2 ** self.t)))
            e.mul_(o.ema).add_(p, alpha=1 - o.ema)
        lr = o.puzzle_lr * warm
        g = self.puzzle_grad.sum(0, keepdim=True)
        self.model.puzzle_emb.mul_(1 - lr * o.puzzle_decay).sub_(lr * g.sign())


# --- the reference's numbers ---


def read_safetensors(path):
    types = {"F32": torch.float32, "I32": torch.int32}
    with open(path, "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = bytearray(f.read())
    return {k: torch.frombuffer(data, dtype=types[v["dtype"]], offset=v["data_offsets"][0],
                                count=math.prod(v["shape"])).reshape(v["shape"])
            for k, v in head.items() if k != "__metadata__"}


def error(a, b):
    return ((a - b).norm() / b.norm().clamp(min=1e-30)).item()


def check(case):
    """The worst relative error of losses, first gradients, final weights and EMA."""
    with open(os.path.join(case, "case.json")) as f:
        info = json.load(f)
    c, opt = info["model"], info["optimizer"]
    if info["arch"] != "trm" or c["pos_encodings"] == "learned" or info["loss"] != "stablemax_cross_entropy":
        sys.exit(f"{case}: this transcription is TRM with rotary or no positions and the stable-max loss")
    o = argparse.Namespace(
        batch=c["batch_size"], cells=c["seq_len"], vocab=c["vocab_size"], dim=c["hidden_size"], heads=c["num_heads"],
        layers=c["L_layers"], n=c["L_cycles"], T=c["H_cycles"], expansion=c["expansion"], theta=10000.0,
        puzzle_positions=c["puzzle_emb_len"], attention=not c["mlp_t"], dtype=torch.float32,
        halt_max_steps=c["halt_max_steps"], lr=opt["lr"], warmup=opt["warmup_steps"], weight_decay=opt["weight_decay"],
        puzzle_lr=opt["puzzle_emb_lr"], puzzle_decay=opt["puzzle_emb_weight_decay"], ema=opt["ema_rate"])
    if c["num_puzzle_identifiers"] != 1:
        sys.exit(f"{case}: this transcription has one puzzle id")
    model = TRM(o)
    init, batches = (read_safetensors(os.path.join(case, f"{f}.safetensors")) for f in ("init", "batches"))
    want = read_safetensors(os.path.join(case, "expected_train.safetensors"))
    with torch.no_grad():
        for name, p in model.w.items():
            p.copy_(init[name.replace("/", ".")])
        model.H_init.copy_(init["H_init"])
        model.L_init.copy_(init["L_init"])
        model.puzzle_emb.copy_(init["puzzle_emb.weights"])
    trainer = Trainer(model, o, False)
    worst = 0.0
    for k in range(info["train_steps"]):
        lm, q_halt = trainer.update(batches["inputs"][k], batches["labels"][k], 0)
        metrics = info["metrics"][k]
        worst = max(worst, abs(lm.item() / metrics["lm_loss"] - 1), abs(q_halt.item() - metrics["q_halt_loss"]) /
                    max(metrics["q_halt_loss"], 1))
        if trainer.halted.int().tolist() != metrics["halted"]:
            sys.exit(f"{case}: update {k}: other rows halt")
        if k == 0:
            for name, g in zip(model.w, trainer.grads):
                worst = max(worst, error(g, want["step0.grad." + name.replace("/", ".")]))
    for name, p, e in zip(model.w, trainer.params, trainer.ema):
        worst = max(worst, error(p, want["final." + name.replace("/", ".")]),
                    error(e, want["ema." + name.replace("/", ".")]))
    return worst


# --- timing ---


def seconds_of(f, runs, device):
    times = []
    for _ in range(runs):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        f()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return times


def product_rate(side, dtype, device):
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    seconds_of(lambda: a @ b, 3, device)
    return 2 * side ** 3 / statistics.median(seconds_of(lambda: a @ b, 10, device))


def flops(o):
    """Products of an update, 2 per multiply-add: a gradient costs two more."""
    length, d = o.puzzle_positions + o.cells, o.dim
    branch = 2 * length * 4 * d * d + 4 * length * length * d if o.attention else 6 * length * d * width(o.expansion, length)
    net = o.layers * (branch + 6 * length * d * width(o.expansion, d))
    head = 2 * o.cells * d * o.vocab
    return o.batch * ((o.n + 1) * net * (o.T + 2) + 3 * head)


def measure(o, device, compiled):
    torch.manual_seed(0)
    trainer = Trainer(TRM(o).to(device), o, compiled)
    inputs, labels = (torch.randint(1, o.vocab, (o.batch, o.cells), dtype=torch.int32, device=device) for _ in range(2))
    for _ in range(o.warm):
        trainer.update(inputs, labels)
    return sorted(seconds_of(lambda: trainer.update(inputs, labels), o.updates, device))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", nargs="+", metavar="CASE_DIR")
    p.add_argument("--attention", action="store_true", help="in place of the mixer")
    p.add_argument("--eager", action="store_true", help="without torch.compile")
    p.add_argument("--json", action="store_true")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    for name, value in (("batch", 768), ("cells", 81), ("vocab", 11), ("dim", 512), ("heads", 8), ("layers", 2), ("n", 6),
                        ("T", 3), ("puzzle-positions", 16), ("halt-max-steps", 16), ("updates", 10), ("warm", 3),
                        ("square", 8192)):
        p.add_argument("--" + name, type=int, default=value)
    o = p.parse_args()
    if o.check:
        bad = 0
        for case in o.check:
            worst = check(case)
            bad |= not worst < 1e-4
            print(f"{case}: worst relative error {worst:.2e}{'' if worst < 1e-4 else '  FAILS'}")
        return bad
    o.dtype = getattr(torch, o.dtype)
    vars(o).update(expansion=4, theta=10000.0, lr=1e-4, warmup=2000, weight_decay=1.0, puzzle_lr=1e-4, puzzle_decay=1.0,
                   ema=0.999)
    peak = product_rate(o.square, o.dtype, o.device)
    ways = ["eager"] if o.eager or not hasattr(torch, "compile") else ["eager", "compiled"]
    rows = []
    for way in ways:
        times = measure(o, o.device, way == "compiled")
        median = statistics.median(times)
        rows.append({"test": way, "torch": torch.__version__, "batch": o.batch, "updates": len(times),
                     "ms": 1e3 * median, "ms_min": 1e3 * times[0], "ms_max": 1e3 * times[-1],
                     "updates_per_s": 1 / median, "tflops": 1e-12 * flops(o) / median,
                     "peak_tflops": 1e-12 * peak, "share_of_peak": flops(o) / median / peak})
    if o.json:
        print(json.dumps(rows))
        return 0
    print(f"PyTorch {torch.__version__}, {o.device}, batch {o.batch}, {1e-12 * flops(o):.4g} TFLOP an update; "
          f"product of {o.square} cubed: {1e-12 * peak:.4g} TFLOP/s")
    for r in rows:
        print(f"{r['test']:9} {r['ms']:9.1f} ms ({r['ms_min']:.1f} to {r['ms_max']:.1f})  {r['updates_per_s']:.3g} updates/s"
              f"  {r['tflops']:.4g} TFLOP/s  {100 * r['share_of_peak']:.1f} % of the product")
    return 0


if __name__ == "__main__":
    sys.exit(main())
