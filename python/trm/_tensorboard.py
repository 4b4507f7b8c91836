"""Event files of TensorBoard. They are made of a run's log.jsonl and say nothing else, so that they
are right for runs that were stopped, killed or trained by the program."""

from __future__ import annotations

import importlib
import math
import os
import stat
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping

from ._log import Line, Log

# Groups of tags as the field calls them, by those of the log; a figure without one is of the training.
_GROUPS = {"": "train", "all": "eval", "ARC": "eval"}
_ENDING = ".trm"  # of our files: others in the folder are left alone
_FLUSHED = 10.0  # seconds that what was logged may wait before TensorBoard sees it


def load() -> List[Any]:
    """What writes the files, where TensorBoard is installed; else it is refused. It takes 0.2 s."""
    parts = ("compat.proto.event_pb2", "compat.proto.summary_pb2", "plugins.hparams.summary_v2",
             "summary.writer.record_writer")
    try:
        return [importlib.import_module(f"tensorboard.{part}") for part in parts]
    except ImportError as e:
        raise ImportError(f"tensorboard: {e}; `pip install tensorboard` brings what writes its files") from e


class EventFile:
    """Follows the log of a run into a new event file, which takes the place of older ones of ours.

    Whoever goes on with a run begins a new one: the log was cut to what was saved then, and is the
    only one who knows it. It costs a tenth of a millisecond a line.

    Args:
        run: the folder of the run.
        folder: where the file lies; its name is that of the run in TensorBoard.
        settings: by their keys, for the tab "HParams".
    """

    def __init__(self, run: Path, folder: Path, settings: Mapping[str, Any]) -> None:
        events, summaries, hparams, records = load()
        self._event, self._summary = events.Event, summaries.Summary
        self._log = Log(run / "log.jsonl")
        self._newest: Dict[str, int] = {}  # step of each tag
        self._due = 0.0  # when the file is to be flushed, monotonic

        # TensorBoard reads the files of a folder in the order of their names. One that has read an older
        # file of this run drops all of it at a start of step 0.
        folder.mkdir(parents=True, exist_ok=True)
        older = list(folder.glob(f"events.out.tfevents.*{_ENDING}"))
        now = time.time()
        self._path = folder / f"events.out.tfevents.{now:.6f}.{os.uname().nodename}{_ENDING}"
        self._file = open(self._path, "xb")
        self._records = records.RecordWriter(self._file)
        self._write(file_version="brain.Event:2", wall_time=now)
        self._write(session_log=events.SessionLog(status=events.SessionLog.START), wall_time=now)
        self._write(summary=hparams.hparams_pb(_hparams(settings), trial_id=str(run), start_time_secs=now), wall_time=now)
        self.follow()
        self.flush()

        # A TensorBoard that is reading an older one sees no more there and comes here; of a file that is
        # gone it would wait for more. So it is emptied now, and removed another time. What has another
        # name elsewhere, as in a copy by links, stays whole there.
        for path in older:
            state = path.lstat()
            if stat.S_ISREG(state.st_mode) and state.st_nlink == 1 and state.st_size:
                os.truncate(path, 0)
            else:
                path.unlink()

    def _write(self, **event: Any) -> None:
        self._records.write(self._event(**event).SerializeToString())

    def follow(self) -> None:
        """What the log has more, into the file."""
        for line in self._log.more():
            self._add(line)
        if time.monotonic() > self._due:
            self.flush()

    def _add(self, line: Line) -> None:
        """A line is an event. Of an evaluation out of turn, which says the same again, nothing is new."""
        step, when = line.pop("step"), line.pop("time")
        try:
            told = {_tag(key): float(value) for key, value in line.items() if value is not None}
            new = {tag: value for tag, value in told.items()
                   if self._newest.get(tag, -1) < step and math.isfinite(value)}
            values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in new.items()]
        except (ValueError, TypeError, OverflowError) as e:
            raise self._log.refused(e) from None
        if values:
            self._newest.update({tag: step for tag in new})
            self._write(step=step, wall_time=when, summary=self._summary(value=values))

    def flush(self) -> None:
        self._file.flush()
        self._due = time.monotonic() + _FLUSHED

    def close(self) -> None:
        self._file.close()


def _tag(key: str) -> str:
    """"train/lm_loss", "eval/exact_accuracy", "eval/pass@2"."""
    group, _, name = key.rpartition("/")
    return f"{_GROUPS.get(group, group)}/{name}"


def _hparams(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Numbers, booleans and texts; what is null is not told."""
    return {key: ",".join(map(str, value)) if isinstance(value, list) else value for key, value in settings.items()
            if value is not None}
