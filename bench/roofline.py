#!/usr/bin/env python3
"""The roofline of one training update on a GPU, by calculation: every kernel and product that the
CUDA backend launches, its operations, the bytes it must move, the time both allow. Nothing here is
measured; src/backend/cuda and src/nn/walk.c say what is launched, and --check holds the two together.

Bytes: each operand of a launch once, read or written, as if it came from device memory; what stays
in the second-level cache between two launches (50 MB on an H100, a latent of Sudoku at batch 768 is
76 MB) makes a launch faster than said here. Operations: a multiply-add is two; `work` is what is
executed, with the padding of tiles and what the backward pass computes again, `model` the part that
the model's arithmetic needs (`trm info`).

Time of a launch: max(work / rate, bytes / bandwidth) + launch overhead. The rate is that of products
for cuBLASLt, --group-share of it for kernels of our own with wgmma (compute capability 9.0) and
--mma-share of it for those with mma.sync; the others are bound by bytes. bf16."""
import argparse
import itertools
import os
import re
import subprocess
import sys
import tempfile

BF16, FLOAT, INT = 2, 4, 4
WORKSPACE = 32 << 20          # plugin.cu
MIB = 1 << 20


def up(n, unit):
    return -(-n // unit) * unit


class Model:
    """The sizes of docs/MODEL.md, architecture trm without a continue loss."""
    hopper = True

    def __init__(self, name, S, V, n, T, mixer, P=16, D=512, H=8, E=512, ids=1, layers=2, expansion=4.0,
                 rope=True):
        self.name, self.S, self.V, self.n, self.T, self.mixer = name, S, V, n, T, mixer
        self.P, self.D, self.H, self.E, self.ids, self.layers = P, D, H, E, ids, layers
        self.rope, self.L, self.d = rope and not mixer, P + S, D // H
        self.F, self.FL = (up(int(expansion * x * 2 / 3 + 0.5), 256) for x in (D, self.L))
        self.kinds = ['mixer' if mixer else 'attention', 'mlp'] * layers
        self.steps, self.grad_steps = T * (n + 1), n + 1

    def shapes(self, kind):
        return {'attention': ((3 * self.D, self.D), (self.D, self.D)),
                'mixer': ((2 * self.FL, self.L), (self.L, self.FL)),
                'mlp': ((2 * self.F, self.D), (self.D, self.F))}[kind]

    def parameters(self):
        sizes = [self.V * self.D, self.V * self.D, 2 * self.D, 2]
        sizes += [a * b for k in self.kinds for a, b in self.shapes(k)]
        return sum(up(s, 16) for s in sizes)

    def fused(self):
        return self.mixer and self.L <= 128

    def gated(self):
        """SwiGLU of the channels in the epilogues of its products (cuda/hopper/gated.cu)."""
        return self.hopper and self.D <= 512

    def groups(self):
        """The mixer's forward pass by warp groups (cuda/hopper/mixer_groups.cu)."""
        return self.hopper and self.fused() and self.L > 64 and self.D % 64 == 0 and self.FL % 64 == 0

    def positions(self, least=32):
        """Of the fused mixer's tiles."""
        return next(p for p in (32, 64, 96, 112, 128) if self.L <= p >= least)

    def packed(self, kind):
        """Values of the weights as the kernels by warp groups read them, of each launch that packs."""
        if kind == 'mlp' and self.gated():
            return [2 * self.F * up(self.D, 64), self.F * up(self.D, 64)]
        if kind == 'mixer' and self.groups():
            return [self.FL // 64 * (256 + self.positions(96)) * 64]
        return []

    def flops(self):
        """Per row and update, as trm_model_cost_of counts."""
        L, D = self.L, self.D
        one = {'attention': 8 * L * D * D + 4 * L * L * D, 'mixer': 6 * L * self.FL * D,
               'mlp': 6 * L * D * self.F}
        net = sum(one[k] for k in self.kinds)
        return net * (self.steps + 2 * self.grad_steps) + 6 * self.S * self.V * D


MODELS = {m.name: m for m in (
    Model('sudoku-mlp', 81, 11, 6, 3, True),
    Model('sudoku-mlp-nopad', 81, 11, 6, 3, True, P=0, E=0),
    Model('sudoku-att', 81, 11, 6, 3, False),
    Model('maze-att', 900, 6, 4, 3, False))}


class Launch:
    def __init__(self, group, name, kind, model, work, read, written):
        self.group, self.name, self.kind, self.count = group, name, kind, 1
        self.model, self.work, self.read, self.written = model, work, read, written

    def rate(self, c):
        return {'product': c.flops, 'group': c.flops * c.group_share, 'mma': c.flops * c.mma_share}.get(self.kind)

    def seconds(self, c):
        rate = self.rate(c)
        busy = max(self.work / rate if rate else 0, (self.read + self.written) / c.bandwidth)
        return self.count * (busy + c.launch)

    def bound(self, c):
        rate = self.rate(c)
        return 'work' if rate and self.work / rate > (self.read + self.written) / c.bandwidth else 'bytes'


def most_parts(m, n):
    """Into which a gradient is cut at most (cuda/product.cu)."""
    return max(1, min(64, 512 // (up(m, 128) // 128 * (up(n, 128) // 128))))


class Update:
    """The launches of one update, in order; equal ones are counted."""

    def __init__(self, m, batch, micro, what_if=()):
        self.m, self.batch, self.micro, self.what_if, self.launches = m, batch, micro, what_if, {}
        self.halted = 1 / 16  # share of rows that a row's end refills: at least one in 16 steps
        self.program()

    def add(self, group, name, kind='plain', read=0, written=0, work=0, model=None):
        key = (group, name, read, written, work)
        if key in self.launches:
            self.launches[key].count += 1
        else:
            self.launches[key] = Launch(group, name, kind, work if model is None else model, work, read, written)

    def product(self, group, name, m, n, k, out=BF16, added=False, read=0, written=None):
        """read, written: what an epilogue has beside, and instead of, the result."""
        size = m * n * out
        self.add(group, f'{name} {m}x{n}x{k}', 'product', (m * k + k * n) * BF16 + added * size + read,
                 size if written is None else written, 2 * m * n * k)

    def gradient(self, group, name, m, n, k, accumulate):
        """Of weights: k in parts side by side, which are added up (multiply_gradient in cuda/product.cu)."""
        parts = max(1, min(k // 4096, most_parts(m, n)))
        parts = next(p for p in range(parts, 0, -1) if p == 1 or k % p == 0 and k // p % 8 == 0)
        size = parts * m * up(n, 8) * FLOAT
        self.add(group, f'{name} {m}x{n}x{k // parts} x{parts}', 'product', (m + n) * k * BF16, size, 2 * m * n * k)
        self.add(group, 'add_parts_kernel', read=size + accumulate * m * n * FLOAT, written=m * n * FLOAT)

    # --- the update -------------------------------------------------------------------------------

    def program(self):
        m, B, n = self.m, self.batch, self.m.parameters()
        latent = m.L * m.D * BF16
        cells = B * m.S
        self.add('rows', 'refill_latents_kernel', read=B, written=2 * self.halted * B * latent)
        self.add('rows', 'refill_kernel', read=8 * self.halted * cells, written=8 * self.halted * cells)
        self.add('optimiser', 'memset', written=4 * n)
        for first in range(0, B, self.micro):
            self.tile(min(self.micro, B - first), first > 0)
        self.add('rows', 'halt_kernel', read=60 * B, written=B)
        self.add('optimiser', 'mean_kernel', read=8 * n, written=4 * n)
        self.add('optimiser', 'totals_kernel', read=n // 512 + 56 * B)
        self.add('optimiser', 'update_kernel', read=20 * n, written=16 * n)
        for k in m.kinds:
            for rows, cols in m.shapes(k):
                self.add('optimiser', 'convert_rows_kernel', read=4 * rows * cols, written=BF16 * rows * up(cols, 8))
            for values in m.packed(k):
                name = 'pack_kernel' if k == 'mlp' else 'pack_mixer_kernel'
                self.add('optimiser', name, read=4 * values, written=BF16 * values)
        if m.E:
            self.add('optimiser', 'puzzle_mean_kernel', read=4 * B * m.E, written=4 * B * m.E)
            self.add('optimiser', 'update_puzzle_kernel', read=4 * B * m.E, written=4 * m.E)

    def sum(self, group, count):
        z = self.latent
        self.add(group, 'sum_kernel', read=count * z, written=z)

    def tile(self, b, accumulate):
        m = self.m
        self.b, self.R, self.N = b, b * m.L, b * m.D
        self.latent = z = self.R * m.D * BF16
        logits = 4 * b * m.S * m.V
        self.add('embedding, heads, losses', 'embed_kernel', read=4 * b * m.S + 4 * m.V * m.D, written=z)
        for i in range(m.steps):
            to_high = i % (m.n + 1) == m.n
            kept = i >= m.steps - m.grad_steps
            if 'sums' not in self.what_if:
                self.sum('sums and copies of latents', 2 if to_high else 3)
            for kind in m.kinds:
                getattr(self, kind)(kept)
            if kept and 'sums' not in self.what_if:
                self.sum('sums and copies of latents', 1)
        head, S = 'embedding, heads, losses', b * m.S
        cells, model = S * m.D * BF16, 2 * S * m.V * m.D
        self.add(head, 'logits_kernel', read=cells, written=logits, work=model)
        self.add(head, 'q_kernel', read=b * m.D * BF16, written=8 * b)
        self.add(head, 'losses_kernel', read=logits + 4 * S, written=logits)
        for _ in range(2):
            self.add('sums and copies of latents', 'memset', written=z)
        self.table(m.V, S, cells + logits, model)
        self.table(2, b, b * m.D * BF16, 0)
        self.add(head, 'bias_grad_kernel', read=8 * b)
        self.add(head, 'head_grad_kernel', read=logits, written=z, work=model)
        for i in reversed(range(m.grad_steps)):
            for kind in reversed(m.kinds):
                getattr(self, kind + '_grad')(accumulate or i < m.grad_steps - 1)
            self.sum('sums and copies of latents', 2)
            if i < m.n:
                self.sum('sums and copies of latents', 2)
        self.table(m.V, S, cells + 4 * S, 0)
        if m.E:
            self.add(head, 'puzzle_grad_kernel', read=b * m.E * BF16, written=4 * b * m.E)

    def table(self, V, rows, read, model):
        stretch = max(64, up(rows, 256) // 256)
        part = up(rows, stretch) // stretch * V * self.m.D * FLOAT
        self.add('embedding, heads, losses', 'table_grad_kernel', read=read, written=part, work=model)
        self.add('embedding, heads, losses', 'add_parts_kernel', read=part, written=4 * V * self.m.D)

    def norm(self, group, grad=False):
        name = 'norm_rows_grad_kernel' if grad else 'norm_rows_kernel'
        self.add(group, name, read=(2 if grad else 1) * self.latent, written=self.latent + 4 * self.R)

    # --- SwiGLU over channels -------------------------------------------------------------------------

    def gated(self, g, name, columns, read, written):
        m, R = self.m, self.R
        weights = BF16 * columns * up(m.D, 64)
        self.add(g, f'gated_kernel {name}', 'group', R * m.D * BF16 + weights + read, written,
                 2 * up(R, 256) * columns * up(m.D, 64), 2 * R * columns * m.D)

    def mlp(self, kept):
        m, R, g = self.m, self.R, 'mlp forward'
        if m.gated():
            self.gated(g, 'forward', 2 * m.F, 0, (3 if kept else 1) * R * m.F * BF16)
        else:
            self.product(g, 'in', R, 2 * m.F, m.D)
            self.add(g, 'swiglu_kernel', read=2 * R * m.F * BF16, written=R * m.F * BF16)
        self.product(g, 'out', R, m.D, m.F, added=True)
        self.norm(g)

    def mlp_grad(self, accumulate):
        m, R, g = self.m, self.R, 'mlp backward'
        self.norm(g, grad=True)
        if m.gated():
            self.gated(g, 'backward', m.F, 2 * R * m.F * BF16, 3 * R * m.F * BF16)
        else:
            self.product(g, 'back through out', R, m.F, m.D)
            self.add(g, 'swiglu_grad_kernel', read=3 * R * m.F * BF16, written=3 * R * m.F * BF16)
        self.gradient(g, 'gradient of out', m.D, m.F, R, accumulate)
        self.gradient(g, 'gradient of in', 2 * m.F, m.D, R, accumulate)
        self.product(g, 'back through in', R, m.D, 2 * m.F, added=True)

    # --- SwiGLU over positions ------------------------------------------------------------------------

    def mixer(self, kept):
        m, N, g = self.m, self.N, 'mixer forward'
        if m.fused():
            groups = m.groups()
            weights = BF16 * (m.packed('mixer')[0] if groups else 3 * m.L * m.FL)
            self.add(g, 'mixer_groups_kernel' if groups else 'mixer forward_kernel', 'group' if groups else 'mma',
                     self.latent + weights, self.latent + 4 * N * kept,
                     6 * self.mixer_padded(32, 96 if groups else 32), 6 * m.L * m.FL * N)
            return
        self.add(g, 'columns_kernel', read=self.latent, written=self.latent)
        self.product(g, 'in', 2 * m.FL, N, m.L)
        self.add(g, 'swiglu_kernel', read=2 * m.FL * N * BF16, written=m.FL * N * BF16)
        self.product(g, 'out', m.L, N, m.FL)
        self.add(g, 'norm_columns_kernel', read=2 * self.latent, written=self.latent + 4 * N)

    def mixer_padded(self, units, least=32):
        """Positions, SwiGLU units and channels of the tiles, times the rows."""
        m = self.m
        return m.positions(least) * up(m.FL, units) * self.b * up(m.D, 32)

    def mixer_grad(self, accumulate):
        m, N, g, z = self.m, self.N, 'mixer backward', self.latent
        if m.fused():
            self.add(g, 'mixer backward_kernel', 'mma', 3 * z + 4 * N + BF16 * 3 * m.L * m.FL,
                     3 * z + 3 * m.FL * N * BF16, 10 * self.mixer_padded(16), 6 * m.L * m.FL * N)
        else:
            self.add(g, 'norm_columns_grad_kernel', read=2 * z + 4 * N, written=z)
            self.product(g, 'back through out', m.FL, N, m.L)
            self.add(g, 'swiglu_grad_kernel', read=3 * m.FL * N * BF16, written=3 * m.FL * N * BF16)
            self.add(g, 'columns_kernel', read=z, written=z)
        self.gradient(g, 'gradient of out', m.L, m.FL, N, accumulate)
        self.gradient(g, 'gradient of in', 2 * m.FL, m.L, N, accumulate)
        if not m.fused():
            self.product(g, 'back through in', m.L, N, 2 * m.FL, added=True)
            self.add(g, 'columns_kernel', read=z, written=z)

    # --- attention --------------------------------------------------------------------------------

    def head_columns(self):
        return next(p for p in (16, 32, 64, 128) if self.m.d <= p)

    def attention(self, kept):
        m, R, g, z = self.m, self.R, 'attention forward', self.latent
        self.product(g, 'qkv', R, 3 * m.D, m.D)
        self.rotate(g)
        heads, queries = self.b * m.H, 32 if m.d <= 64 else 16
        self.add(g, 'attention forward_kernel', 'mma', 3 * z, z + 4 * R * m.H,
                 4 * up(m.L, queries) * up(m.L, 64) * self.head_columns() * heads, 4 * m.L * m.L * m.D * self.b)
        self.product(g, 'out', R, m.D, m.D, added=True)
        self.norm(g)

    def rotate(self, g):
        if self.m.rope:
            self.add(g, 'rotate_kernel', read=2 * self.latent, written=2 * self.latent)

    def attention_grad(self, accumulate):
        m, R, g, z = self.m, self.R, 'attention backward', self.latent
        self.norm(g, grad=True)
        self.product(g, 'back through out', R, m.D, m.D)
        self.gradient(g, 'gradient of out', m.D, m.D, R, accumulate)
        heads, needed, numbers = self.b * m.H, 8 * m.L * m.L * m.D * self.b, 4 * R * m.H
        if m.L <= 128 and 32 < m.d <= 64:
            padded = next(p for p in (32, 64, 96, 112, 128) if m.L <= p)
            self.add(g, 'head_kernel', 'mma', 5 * z + numbers, 3 * z, 10 * padded * padded * 64 * heads, needed)
        else:
            own = 32 if m.d <= 64 else 16
            padded = up(m.L, own) * up(m.L, 32) * self.head_columns() * heads
            self.add(g, 'delta_kernel', read=2 * z, written=numbers)
            self.add(g, 'backward_kernel of keys', 'mma', 4 * z + 2 * numbers, 2 * z, 8 * padded, needed * 0.6)
            self.add(g, 'backward_kernel of queries', 'mma', 4 * z + 2 * numbers, z, 6 * padded, needed * 0.4)
        self.rotate(g)
        self.gradient(g, 'gradient of qkv', 3 * m.D, m.D, R, accumulate)
        self.product(g, 'back through qkv', R, m.D, 3 * m.D, added=True)


# --- memory ---------------------------------------------------------------------------------------

def memory(m, batch, micro, ema=True):
    """Bytes as trm__trainer_cost counts them (src/train/cost.c, nn/walk.c, cuda/*_block.cu)."""
    pad, n = lambda size: up(int(size), 256), m.parameters()
    held = WORKSPACE + 2 * m.L * (m.d // 2) * FLOAT
    held += sum(pad(rows * up(cols, 8) * BF16) for k in m.kinds for rows, cols in m.shapes(k))
    held += sum(pad(values * BF16) for k in m.kinds for values in m.packed(k))
    held += pad(max(most_parts(*s) * s[0] * up(s[1], 8) * FLOAT for k in m.kinds for s in m.shapes(k)))
    puzzles = up(m.ids * m.E, 16)
    latent = m.L * m.D * BF16

    def block(kind, b, saved, backward):
        """What a block keeps, or what its pass of one direction shares."""
        R, N = b * m.L, b * m.D
        if kind == 'attention':
            keep = [3 * R * m.D * BF16, R * m.D * BF16, R * m.H * 4, R * 4]
            share = [R * m.D * BF16, 3 * R * m.D * BF16, R * m.H * 4] if backward else []
        elif kind == 'mlp':
            keep, share = [2 * R * m.F * BF16, R * 4], [R * m.F * BF16]
        else:
            gates, rest = 2 * m.FL * N * BF16, [m.FL * N * BF16] + 2 * [m.L * N * BF16]
            keep = [N * 4] if m.fused() else [gates, N * 4]
            share = rest if not m.fused() else [gates] + rest if backward else []
        return sum(map(pad, keep if saved else share))

    def shared(kind, b):
        forward = block(kind, b, True, False) + block(kind, b, False, False)
        if kind == 'mlp' and m.gated(): # gates and ups are for a backward pass
            forward -= pad(2 * b * m.L * m.F * BF16)
        return max(forward, block(kind, b, False, True))

    def table(rows, V):
        stretch = max(64, up(rows, 256) // 256)
        return up(rows, stretch) // stretch * V * m.D * FLOAT

    step = (len(m.kinds) + 1) * latent + sum(block(k, 1, True, False) for k in m.kinds)
    parts = [micro * latent] * 2 + [micro * m.grad_steps * step]
    parts += [micro * m.S * m.V * 4, micro * 8, micro * 8, micro * 4] + [micro * latent] * 2
    parts.append(max([shared(k, micro) for k in m.kinds] + [table(micro * m.S, m.V), table(micro, 2)]))
    return {'weights, moments, averages': 4 * ((3 + ema) * n + puzzles) + held, 'gradients': 4 * n,
            'latents of the batch': batch * (2 * latent + 16 * m.S + 24),
            'activations': sum(up(p, 64) for p in parts)}


# --- the report -----------------------------------------------------------------------------------

def table(rows, heads, markdown):
    if markdown:
        print('| ' + ' | '.join(heads) + ' |\n|' + '---|' * len(heads))
        for r in rows:
            print('| ' + ' | '.join(r) + ' |')
        return
    wide = [max(len(r[i]) for r in [heads] + rows) for i in range(len(heads))]
    for r in [heads] + rows:
        print('  '.join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(r, wide))).rstrip())


def report(c):
    m, u = MODELS[c.model], Update(MODELS[c.model], c.batch, c.micro_batch or c.batch, c.what_if)
    all_seconds = sum(l.seconds(c) for l in u.launches.values())
    groups, merged = {}, {}
    for l in u.launches.values():
        alone = c.all or l.group.split()[-1] in ('forward', 'backward')
        merged.setdefault((l.group, l.name if alone else 'all kernels'), []).append(l)
    for (group, name), ls in merged.items():
        groups.setdefault(group, []).append((name, ls))

    def row(group, name, ls):
        seconds, count = sum(l.seconds(c) for l in ls), sum(l.count for l in ls)
        total = lambda f: sum(l.count * f(l) for l in ls)
        bound = {l.bound(c) for l in ls} if name != 'together' else set()
        return [group, name, str(count), f'{total(lambda l: l.work) * 1e-12:.2f}', f'{total(lambda l: l.read) * 1e-9:.1f}',
                f'{total(lambda l: l.written) * 1e-9:.1f}', bound.pop() if len(bound) == 1 else '',
                f'{seconds * 1e3:.2f}', f'{100 * seconds / all_seconds:.1f} %']
    rows = []
    for group, items in groups.items():
        rows += [row(group, name, ls) for name, ls in items]
        if len(items) > 1 and not c.markdown:
            rows.append(row(group, 'together', [l for _, ls in items for l in ls]))
    rows.append(row('update', 'together', list(u.launches.values())))
    print(f'{m.name}, batch {c.batch}: predicted by calculation, not measured')
    print(f'ceilings: {c.bandwidth * 1e-12:g} TB/s, {c.flops * 1e-12:g} TFLOP/s for products, '
          f'{100 * c.group_share:g} % of it for own kernels with wgmma, {100 * c.mma_share:g} % for mma.sync, '
          f'{c.launch * 1e6:g} us a launch\n')
    if c.what_if:
        print(f'not what is launched, but what if it did without: {", ".join(c.what_if)}\n')
    table(rows, ['part', 'launch', 'times', 'TFLOP', 'GB read', 'GB written', 'bound', 'ms', 'share'], c.markdown)
    model, work = m.flops() * c.batch, sum(l.count * l.work for l in u.launches.values())
    rate = model / all_seconds
    print(f'\n{1e3 * all_seconds:.1f} ms per update, {1 / all_seconds:.1f} updates/s; model {model * 1e-12:.2f} TFLOP, '
          f'executed {work * 1e-12:.2f}; {rate * 1e-12:.0f} TFLOP/s of the model, {100 * rate / c.flops:.0f} % of the '
          'rate of products')
    print('\nmemory, MiB:')
    heads, lines = ['batch', 'rows at a time'], []
    for batch in sorted({c.batch // 4, c.batch // 2, c.batch, 2 * c.batch} - {0}):
        parts = memory(m, batch, min(c.micro_batch or batch, batch))
        lines.append([str(batch), str(min(c.micro_batch or batch, batch))] +
                     [f'{v / MIB:,.0f}' for v in parts.values()] + [f'{sum(parts.values()) / MIB:,.0f}'])
    table(lines, heads + list(parts) + ['all'], c.markdown)


# --- the check --------------------------------------------------------------------------------------

# A 4x4 Sudoku has 16 cells; small models that launch what the large ones do, each in its way.
TINY = {
    'fused mixer': (dict(mixer=True, P=1, D=32, H=2, E=32), 4),
    'mixer by warp groups': (dict(mixer=True, P=60, D=64, H=2, E=64), 4),
    'mixer by products': (dict(mixer=True, P=120, D=16, H=2, E=16), 4),
    'no puzzle positions': (dict(mixer=True, P=0, D=32, H=2, E=0), 2),
    'attention, small heads': (dict(mixer=False, P=1, D=32, H=2, E=32), 2),
    'attention, a head per block': (dict(mixer=False, P=2, D=64, H=1, E=64), 4)}


def run(command, **environment):
    got = subprocess.run(command, env=dict(os.environ, **environment), capture_output=True, text=True)
    if got.returncode:
        sys.exit(f'{" ".join(command)}:\n{got.stdout}{got.stderr}')
    return got.stdout + got.stderr


def kernel_names(plugin):
    """Names by offset, as Launch has them: that of the kernel, with what tells namesakes apart."""
    names = {}
    for line in run(['nm', '-C', plugin]).splitlines():
        found = re.match(r'([0-9a-f]+) [tTwW] (?:void )?(.*)', line)
        if found and (short := re.search(r'(\w+_kernel)\b', found[2])):
            name, rest = short[1], found[2]
            if name == 'gated_kernel':
                name += ' forward' if 'Forward' in rest else ' backward'
            elif name in ('forward_kernel', 'backward_kernel') and 'weights' in rest:
                name = 'mixer ' + name
            elif name == 'forward_kernel':
                name = 'attention ' + name
            elif name == 'backward_kernel':
                name += ' of keys' if 'true>' in rest else ' of queries'
            names[int(found[1], 16)] = name
    return names


def counted(path, names):
    counts = {}
    with open(path) as f:
        for line in f:
            what, number = line.rsplit(' ', 1)
            if what.startswith('kernel '):
                what = names.get(int(what[7:], 16), what)
            counts[what] = counts.get(what, 0) + int(number)
    return counts


def check(c):
    """Launches of an update: those of a run of three updates less those of a run of one, halved."""
    if not os.path.exists(os.path.join(c.check, 'tests', 'hostcuda', 'libtrm-cuda.so')):
        sys.exit(f'{c.check}: no emulated plug-in there; build it: cmake --preset dev && ninja -C build/dev')
    trm, plugins = os.path.join(c.check, 'trm'), os.path.join(c.check, 'tests', 'hostcuda')
    names, failed, batch = kernel_names(os.path.join(plugins, 'libtrm-cuda.so')), False, 4
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        run([trm, 'data', 'gen', 'sudoku', '--size', '4', '--train', '40', '--test', '4', '--output-dir', data])
        for arch, (title, (sizes, micro)) in itertools.product(('9.0', '8.0'), TINY.items()):
            Model.hopper = arch == '9.0'
            m = Model(title, 16, 6, 2, 2, **sizes)
            keys = ['preset=sudoku4', f'data_paths=[{data}]', 'device=cuda', f'arch.hidden_size={m.D}',
                    f'arch.num_heads={m.H}', 'arch.L_cycles=2', 'arch.H_cycles=2', f'arch.mlp_t={m.mixer}',
                    f'arch.pos_encodings={"rope" if m.rope else "none"}', f'arch.puzzle_emb_len={m.P}',
                    f'arch.puzzle_emb_ndim={m.E}', f'global_batch_size={batch}', f'micro_batch={micro}',
                    'eval_limit=1', f'out={folder}/runs']
            each = []
            for updates in (1, 3):
                path = os.path.join(folder, 'counts')
                run([trm, 'train'] + keys + [f'max_updates={updates}', f'run_name={title.replace(" ", "-")}-{arch}-{updates}'],
                    TRM_PLUGINS=plugins, HOSTCUDA_ARCH=arch, HOSTCUDA_COUNT=path)
                each.append(counted(path, names))
            real = {k: (each[1][k] - each[0].get(k, 0)) / 2 for k in each[1] if each[1][k] != each[0].get(k, 0)}
            ours = {}
            for l in Update(m, batch, micro).launches.values():
                name = 'product' if l.kind == 'product' else l.name
                ours[name] = ours.get(name, 0) + l.count
            plan = run([trm, 'train'] + keys + ['--dry-run'], TRM_PLUGINS=plugins, HOSTCUDA_ARCH=arch)
            gflop = float(re.search(r'([0-9.e+-]+) GFLOP each', plan)[1])
            mib = float(re.search(r'memory +([0-9.]+) MiB', plan)[1])
            have, held = m.flops() * batch * 1e-9, sum(memory(m, batch, micro).values()) / MIB
            wrong = [f'{k}: {ours.get(k, 0)}, but {real.get(k, 0):g} ran' for k in sorted({*ours, *real})
                     if ours.get(k, 0) != real.get(k, 0)]
            if abs(have / gflop - 1) > 1e-3:
                wrong.append(f'{have:.5g} GFLOP, but trm says {gflop:.5g}')
            if abs(held - mib) > 0.11:
                wrong.append(f'{held:.1f} MiB, but trm says {mib:.1f}')
            print(f'{arch}, {title}: {sum(ours.values())} launches, {ours["product"]} of them products, {have:.4g} GFLOP, '
                  f'{held:.1f} MiB: {"; ".join(wrong) or "agrees"}', flush=True)
            failed = failed or bool(wrong)
    return failed


def positive(kind):
    def read(text):
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f'want more than 0, got {text}')
        return value
    return read


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('model', nargs='?', default='sudoku-mlp', choices=list(MODELS))
    p.add_argument('--batch', type=positive(int), help='rows of an update (768; maze-att 128)')
    p.add_argument('--micro-batch', type=positive(int), help='rows at a time (all)')
    p.add_argument('--bandwidth', type=positive(float), default=3.0, help='of device memory, TB/s (H100 SXM: %(default)s)')
    p.add_argument('--flops', type=positive(float), default=700, help='of bf16 products, TFLOP/s (%(default)s)')
    p.add_argument('--group-share', type=positive(float), default=0.85, help='of that by own wgmma kernels (%(default)s)')
    p.add_argument('--mma-share', type=positive(float), default=0.6, help='of that by mma.sync kernels (%(default)s)')
    p.add_argument('--arch', choices=['8.0', '9.0'], default='9.0',
                   help='compute capability: only 9.0 has kernels with wgmma (%(default)s)')
    p.add_argument('--launch-us', type=float, default=1.5, help='between two launches of a graph (%(default)s)')
    p.add_argument('--what-if', nargs='+', default=[], choices=['sums'],
                   help='sums: the first kernel of a net summed up the latents, and the last one wrote its output '
                        'where it belongs')
    p.add_argument('--all', action='store_true', help='a line for every kind of launch')
    p.add_argument('--markdown', action='store_true', help='print tables for a document')
    p.add_argument('--check', metavar='BUILD', nargs='?', const=os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'build', 'dev'),
                   help='compare with what the emulated plug-in of this build folder launches (build/dev)')
    c = p.parse_args()
    if c.check:
        return check(c)
    Model.hopper = c.arch == '9.0'
    c.batch = c.batch or (128 if c.model == 'maze-att' else 768)
    c.bandwidth, c.flops, c.launch = c.bandwidth * 1e12, c.flops * 1e12, c.launch_us * 1e-6
    return report(c)


if __name__ == '__main__':
    sys.exit(main())
