#!/usr/bin/env python3
"""Two builds of trm side by side: which is faster, by how much, and how sure is that?

    bench/old_and_new.py OLD/build/release/trm build/release/trm
    bench/old_and_new.py OLD NEW --models sudoku6-ref --rounds 15 --within 2

Every row is a `trm bench train` or `infer` of one model and number format. The builds take turns,
and turns in who begins (AB BA AB ...), so that a busy neighbour or a processor that grows warm meets
both. A row's ratio is new / old of the medians over the rounds, below 1: the new build is faster;
beside it are the quartiles of the ratios of each round (when these lie on both sides of 1, the row
says nothing) and the ratio of the minima, which a busy machine disturbs least. With --within the
exit code is 1 where median and minimum both say that the new build is slower by more percent.
Needs nothing but Python and the two programs; both are to be built with the preset release.
"""
import argparse
import json
import statistics
import subprocess
import sys

# Rows at once: small ones for the large models, so that a round takes seconds.
BATCHES = {'sudoku-mlp': (4, 4), 'sudoku-att': (4, 4), 'maze-att': (1, 1), 'sudoku6-ref': (64, 64)}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('old', help='the program to compare with')
    p.add_argument('new')
    p.add_argument('--models', default=','.join(BATCHES), help='default: %(default)s')
    p.add_argument('--kinds', default='train,infer', help='default: %(default)s')
    p.add_argument('--dtype', default='f32,bf16', help='default: %(default)s')
    p.add_argument('--batch', type=int, help='rows at once (default: 1 to 64 by the model)')
    p.add_argument('--threads', default='1', help='default: %(default)s')
    p.add_argument('--rounds', type=int, default=9, help='default: %(default)s')
    p.add_argument('--runs', type=int, default=1, help='timed runs of a round (default: %(default)s)')
    p.add_argument('--within', type=float, metavar='PERCENT', help='exit code 1 where slower by more')
    return p.parse_args()


def measure(program, kind, model, dtype, a):
    """Milliseconds per row of the batch."""
    batch = a.batch or BATCHES.get(model, (16, 16))[kind == 'infer']
    command = [program, 'bench', kind, '-m', model, '--dtype', dtype, '-b', str(batch), '-t', a.threads,
               '-r', str(a.runs), '-o', 'json', '-q']
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f'old_and_new: exit code {done.returncode}: {" ".join(command)}')
    return next(r['ms'] for r in json.loads(done.stdout)['rows'] if r['test'] == kind)


def compare(kind, model, dtype, a):
    """A row as text, and whether the new build is slower than allowed."""
    old, new = [], []
    for turn in range(a.rounds):
        sides = [(a.old, old), (a.new, new)]
        for program, to in sides if turn % 2 == 0 else sides[::-1]:
            to.append(measure(program, kind, model, dtype, a))
    ratios = [n / o for o, n in zip(old, new)]
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    median = statistics.median(new) / statistics.median(old)
    least = min(new) / min(old)
    print(f'| {kind} | {model} | {dtype} | {statistics.median(old):.3f} | {statistics.median(new):.3f} '
          f'| {median:.3f} | {low:.3f} … {high:.3f} | {least:.3f} |', flush=True)
    return a.within is not None and min(median, least) > 1 + a.within / 100


def main():
    a = arguments()
    print('| | model | format | old ms | new ms | new / old | quartiles | of minima |\n'
          '|---|---|---|---|---|---|---|---|', flush=True)
    rows = [(k, m, d) for k in a.kinds.split(',') for m in a.models.split(',') for d in a.dtype.split(',')]
    slower = [r for r in rows if compare(*r, a)]
    for r in slower:
        print(f'old_and_new: slower by more than {a.within:g} %: {" ".join(r)}', file=sys.stderr)
    return 1 if slower else 0


if __name__ == '__main__':
    sys.exit(main())
