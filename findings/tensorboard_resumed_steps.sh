#!/usr/bin/env bash
# The curve of a resumed run in TensorBoard: what its page shows, and what its reader gives.
#
# Expected: a run that was killed at step 9 and went on from step 5 has one value for each step, the
# newer one, wherever it is looked at; for TensorBoard "purges" what a restart made void.
#
# Seen on 2026-11-30 with tensorboard 2.21.0, protobuf 7.36.2, Python 3.11, of one and the same folder:
# * The page of `tensorboard --logdir`, whose data come from its data server, drops steps 5 to 9 of the
#   first process: ten values.
# * The page of `tensorboard --load_fast=false`, which is what there is where no data server is (it is
#   shipped for Linux on x86-64 and for macOS), has fifteen, and the line runs backwards.
# * EventAccumulator has fifteen, too, with purge_orphaned_data=True, its default: steps that go back
#   are looked at in files of version 1 alone, and all that are written are of version 2. What reads
#   events by it (tbparse, tensorboard-reducer, importers of other trackers) gets those.
# * A SessionLog.START event with the step that is gone on from, which SummaryWriter(purge_step=5) of
#   PyTorch and tensorboardX writes, makes it ten values for EventAccumulator; the page without data
#   server still has fifteen, for it takes the first such event for a beginning.
#
# Hurt: who looks at the page, sees that all is well, and then takes means, maxima or a last value from
# what the reader gives: a step that was lost, perhaps the best one, counts.
#
# Instead: that event at every start, the first (purge_step=0) included. Then all three have ten.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  tensorboard==2.21.0 tensorboard-data-server==0.7.2 numpy==2.4.6 protobuf==7.36.2 setuptools==80.9.0
"$dir/venv/bin/python" -W ignore - "$dir" <<'EOF'
import json
import socket
import subprocess
import sys
import time
import urllib.request

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


def write(folder, steps, value, start=None):
    """What a process writes. Files are read in the order of their names, which have the second."""
    time.sleep(1.1)
    writer = EventFileWriter(folder)
    if start is not None:
        writer.add_event(Event(step=start, session_log=SessionLog(status=SessionLog.START)))
    for step in steps:
        summary = Summary(value=[Summary.Value(tag="loss", simple_value=value)])
        writer.add_event(Event(step=step, wall_time=value * 1000 + step, summary=summary))
    writer.close()


def by_page(folder, *options):
    """The points of the curve, as the page gets them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--port", str(port), *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://localhost:{port}/data/plugin/scalars/scalars?run=run&tag=loss"
    try:
        for _ in range(120):
            time.sleep(0.5)
            try:
                with urllib.request.urlopen(address) as page:
                    return [(step, value) for _, step, value in json.load(page)]
            except OSError:
                pass
        sys.exit("no page")
    finally:
        server.terminate()
        server.wait()


def by_reader(folder):
    return [(event.step, event.value) for event in EventAccumulator(f"{folder}/run").Reload().Scalars("loss")]


once = [(step, 1.0) for step in range(5)] + [(step, 2.0) for step in range(5, 10)]
twice = [(step, 1.0) for step in range(10)] + [(step, 2.0) for step in range(5, 10)]
for name, starts, expected in (("no START", (None, None), (once, twice, twice)),
                               ("START by the second process", (None, 5), (once, twice, once)),
                               ("START by both", (0, 5), (once, once, once))):
    folder = f"{sys.argv[1]}/{name}"
    write(f"{folder}/run", range(10), 1.0, starts[0])
    write(f"{folder}/run", range(5, 10), 2.0, starts[1])
    seen = by_page(folder), by_page(folder, "--load_fast=false"), by_reader(folder)
    print(f"{name}: page {len(seen[0])} values, without data server {len(seen[1])}, reader {len(seen[2])}")
    if seen != expected:
        sys.exit("this has changed")
EOF
