#!/usr/bin/env python3
"""Ranks that share an update: how fast, and where it would stop (docs/CLUSTER.md).

    bench/ranks.py build/release/trm --rounds 5            # measured, and the model from that
    bench/ranks.py build/release/trm --mpirun "mpirun --bind-to none"

1. One process of two threads and two ranks of one thread take turns (AB BA AB ...) at the same
   updates. A ratio above 1: the ranks are faster. Beside the ratio of the medians stand the lowest
   and the highest of the rounds, and the ratio of the processors' time, which a busy machine
   disturbs less (it has no waiting in it).
2. One process of one thread, with the batch and half of it: what an update takes whatever its rows
   (a) and for each row (b).
3. What two ranks say of themselves: arithmetic, waiting, exchange, bytes sent; with four and eight
   ranks only the bytes are looked at, for they share the processors here.
4. A model of an update of R nodes, a + b B / R + bytes / bandwidth + messages * latency, whose parts
   are held against 3: bytes, the arithmetic of two ranks, and the exchange of one model by the
   bandwidth that the other one had. Then the same with 2 to 256 nodes on networks of 10 and 100
   Gbit/s. A batch has eight row slots, so that beyond eight it is what more slots would give.

Needs mpirun and nothing but Python; data are generated in the folder --work.
"""
import argparse
import json
import math
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys

# Settings, cells of the data, updates of a turn, batch, puzzle embedding.
MODELS = {
    'sudoku-mlp': dict(size=9, updates=1, batch=64, embedding=512),
    'sudoku6': dict(size=6, updates=2, batch=128, embedding=64),
}
# Bytes a second, and seconds of a message: of TCP, of a network that answers without the processor.
NETWORKS = {'10 Gbit/s': (1.25e9, 30e-6), '100 Gbit/s': (12.5e9, 3e-6)}
SPLIT = re.compile(r'an update of \d+ ranks took ([\d.]+) ms: ([\d.]+) of arithmetic, ([\d.]+) of waiting '
                   r'for the slowest, ([\d.]+) of exchange, in which a rank sends ([\d.]+) MB')
SLOTS = 8


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('trm', type=os.path.abspath)
    p.add_argument('--models', default=','.join(MODELS), help='default: %(default)s')
    p.add_argument('--rounds', type=int, default=5, help='default: %(default)s')
    p.add_argument('--turns', action='store_true', help='only the first table')
    p.add_argument('--mpirun', default='mpirun --oversubscribe --bind-to none', help='default: %(default)s')
    p.add_argument('--node', type=float, default=32, metavar='X',
                   help='a node of the model is so many times as fast as one thread here (default: %(default)s)')
    p.add_argument('--work', default='ranks-bench', help='folder that is made anew (default: %(default)s)')
    return p.parse_args()


def call(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode:
        sys.exit(f'ranks: exit code {done.returncode}: {" ".join(command)}\n{done.stderr}')
    return done.stdout, done.stderr


class Bench:
    def __init__(self, model, a):
        self.a, self.model, self.batch = a, model, MODELS[model]['batch']
        size = MODELS[model]['size']
        self.data = f'data{size}'
        if not os.path.exists(self.data):
            call([a.trm, 'data', 'gen', 'sudoku', '--size', str(size), '--train', '1000', '--test', '10',
                  '--output-dir', self.data])
        plan, _ = call([a.trm, 'train', *self.settings(1, self.batch), '--dry-run'])
        self.weights = int(re.search(r'parameters +([\d,]+)', plan).group(1).replace(',', ''))

    def settings(self, threads, batch, updates=0):
        return [f'preset={self.model}', f'data_paths=[{self.data}]', f'global_batch_size={batch}', 'device=cpu',
                f'threads={threads}', 'epochs=100000', f'max_updates={updates}',
                'eval_interval=null', 'checkpoint_minutes=0', 'log_interval=1', 'out=runs', '+run_name=turn']

    def run(self, ranks, threads, batch=None, updates=None):
        """Milliseconds of an update behind the first, the split that ranks tell, and seconds of processors."""
        updates = updates or MODELS[self.model]['updates'] + 1
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shutil.rmtree('runs', ignore_errors=True)
        front = [*self.a.mpirun.split(), '-n', str(ranks)] if ranks > 1 else []
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT='1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1')
        _, err = call([*front, self.a.trm, 'train', *self.settings(threads, batch or self.batch, updates)], env=env)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        log = next(os.path.join(d, f) for d, _, files in os.walk('runs') for f in files if f == 'log.jsonl')
        with open(log) as lines:
            times = [v['time'] for v in map(json.loads, lines) if 'samples_per_s' in v]
        split = SPLIT.search(err)
        ms = 1e3 * (times[-1] - times[0]) / max(1, len(times) - 1)
        return ms, split and [float(v) for v in split.groups()], cpu

    def turns(self):
        self.one, self.two, self.split, cpu = [], [], [], {1: [], 2: []}
        start = {n: self.run(n, 3 - n, updates=1)[2] for n in cpu}
        for turn in range(self.a.rounds):
            for ranks in (1, 2) if turn % 2 == 0 else (2, 1):
                ms, split, seconds = self.run(ranks, 3 - ranks)
                cpu[ranks].append(seconds - start[ranks])
                (self.one if ranks == 1 else self.two).append(ms)
                if split:
                    self.split.append(split)
        ratios = [o / t for o, t in zip(self.one, self.two)]
        return (statistics.median(self.one), statistics.median(self.two),
                statistics.median(self.one) / statistics.median(self.two), min(ratios), max(ratios),
                statistics.median(cpu[1]) / statistics.median(cpu[2]))

    def fit(self):
        """a and b, of one thread, by the least of the rounds: a busy machine adds."""
        full, half = [], []
        for _ in range(min(2, self.a.rounds)):
            full.append(self.run(1, 1)[0])
            half.append(self.run(1, 1, self.batch // 2)[0])
        self.per_row = (min(full) - min(half)) / (self.batch / 2)
        self.fixed = max(0.0, min(full) - self.per_row * self.batch)

    def bytes(self, ranks):
        rows = self.batch * (72 + 4 * MODELS[self.model]['embedding'])
        return (ranks - 1) / ranks * (8 * self.weights + rows)

    def node_ms(self, ranks, network):
        bandwidth, latency = NETWORKS[network]
        levels = math.log2(ranks)
        pieces = max(1, self.weights / 2 / (1 << 18))
        messages = levels * 5 + levels * 2 * pieces
        return ((self.fixed + self.per_row * self.batch / ranks) / self.a.node
                + 1e3 * (self.bytes(ranks) / bandwidth + messages * latency))


def compare(benches):
    print('| model | batch | 1 process, 2 threads: ms | 2 ranks, 1 thread: ms | speed of ranks | rounds '
          '| by processors\' time |\n|---|---|---|---|---|---|---|')
    for b in benches:
        one, two, ratio, low, high, cpu = b.turns()
        print(f'| `{b.model}` | {b.batch} | {one:.1f} | {two:.1f} | {ratio:.3f} | {low:.3f} … {high:.3f} '
              f'| {cpu:.3f} |', flush=True)


def check(benches):
    print('\n| model | sent by a rank of 2, 4, 8: MB | calculated | arithmetic of 2 ranks: ms | calculated '
          '| waiting: ms | exchange: ms | calculated |\n|---|---|---|---|---|---|---|---|')
    for b in benches:
        b.fit()
    for b, other in zip(benches, benches[1:] + benches[:1]):
        counted = [min(s[4] for s in b.split)] + [b.run(n, 1, updates=1)[1][4] for n in (4, 8)]
        least = [min(s[i] for s in b.split) for i in range(4)]
        theirs = other.bytes(2) / min(s[3] for s in other.split)
        print(f'| `{b.model}` | {" / ".join(f"{c:.3f}" for c in counted)} '
              f'| {" / ".join(f"{1e-6 * b.bytes(n):.3f}" for n in (2, 4, 8))} | {least[1]:.1f} '
              f'| {b.fixed + b.per_row * b.batch / 2:.1f} | {statistics.median(s[2] for s in b.split):.1f} '
              f'| {least[3]:.2f} | {b.bytes(2) / theirs:.2f} |', flush=True)
        print(f'ranks: {b.model}: {b.bytes(2) / least[3] / 1e6:.2f} GB/s, {b.weights} weights, a = {b.fixed:.3f} ms, b = {b.per_row:.4f} ms', file=sys.stderr)


def scale(benches, a):
    print(f'\nNodes of {a.node:g} times one thread of this machine. Speed: of one node.\n')
    print('| nodes | ' + ' | '.join(f'`{b.model}`, {n}: ms | speed' for b in benches for n in NETWORKS) + ' |')
    print('|---|' + '---|---|' * len(benches) * len(NETWORKS))
    for k in range(1, 9):
        cells = []
        for b in benches:
            for n in NETWORKS:
                one = (b.fixed + b.per_row * b.batch) / a.node
                cells.append(f'{b.node_ms(2 ** k, n):.2f} | {one / b.node_ms(2 ** k, n):.2f}')
        print(f'| {2 ** k}{" (calculated only: more than eight slots)" if 2 ** k == 2 * SLOTS else ""} | '
              + ' | '.join(cells) + ' |')


def main():
    a = arguments()
    shutil.rmtree(a.work, ignore_errors=True)
    os.makedirs(a.work)
    os.chdir(a.work)
    benches = [Bench(m, a) for m in a.models.split(',')]
    compare(benches)
    if a.turns:
        return
    check(benches)
    scale(benches, a)


if __name__ == '__main__':
    main()
