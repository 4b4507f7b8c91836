#!/usr/bin/env bash
# Means of runs that have other steps, in tensorboard-reducer.
#
# Expected: load_tb_events and tb-reducer take every event of every run, and with strict_steps, the
# default, refuse runs of which one has steps that another lacks.
#
# Seen on 2026-11-29 with tensorboard-reducer 0.4.0, tensorboard 2.21.0, pandas 3.1.1, Python 3.11:
# * Of a tag a run keeps 10,000 events, drawn at random. Two runs of 20,000 steps give a mean at half of
#   them, and runs of 20,000, 15,000 and 12,000 steps pass the check, for it counts what was kept: their
#   "mean" has 6,023 steps and ends where the shortest ends.
# * The check compares how many steps there are, not which. Runs with steps 0, 10, …, 90 and 50, 60, …,
#   140 give a mean over 50 … 90, and ones with steps 0, 10, … and 5, 15, … one without any step. (Runs
#   of 100 and 90 steps are refused.)
#
# Hurt: curves over seeds: a run that stopped early cuts the others, and spikes, minima and last values
# are gone or not, by chance.
#
# Instead: at most 10,000 events of a tag in a run, and a look at the index of what comes back.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  tensorboard-reducer==0.4.0 tensorboard==2.21.0 pandas==3.1.1 numpy==2.4.6 protobuf==7.36.2 \
  setuptools==80.9.0
"$dir/venv/bin/python" -W ignore - "$dir" <<'EOF'
import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard_reducer import load_tb_events, reduce_events


def write(folder, steps):
    writer = EventFileWriter(folder)
    for step in steps:
        value = Summary.Value(tag="loss", simple_value=float(step))
        writer.add_event(Event(step=step, wall_time=step, summary=Summary(value=[value])))
    writer.close()
    return folder


def mean_over(name, *runs):
    """The steps of a mean over such runs, as (how many, last), or None where they are refused."""
    folders = [write(f"{sys.argv[1]}/{name}-{i}", steps) for i, steps in enumerate(runs)]
    try:
        events = load_tb_events(folders, strict_steps=True)
    except ValueError:
        print(f"{name}: refused")
        return None
    steps = reduce_events(events, "mean")["mean"]["loss"].index
    last = int(steps[-1]) if len(steps) else None
    print(f"{name}: a mean of {len(steps)} steps, the last {last}")
    return len(steps), last


seen = [
    mean_over("100 and 100 steps", range(100), range(100)),
    mean_over("100 and 90 steps", range(100), range(90)),
    mean_over("from 0 and from 50", range(0, 100, 10), range(50, 150, 10)),
    mean_over("from 0 and from 5", range(0, 100, 10), range(5, 105, 10)),
    mean_over("20,000 and 20,000 steps", range(20000), range(20000)),
    mean_over("20,000, 15,000 and 12,000 steps", range(20000), range(15000), range(12000)),
]
if seen[:5] != [(100, 99), None, (5, 90), (0, None), (10000, 19999)]:
    sys.exit("this has changed")
if seen[5] != (6023, 11997):
    sys.exit("this has changed")
EOF
