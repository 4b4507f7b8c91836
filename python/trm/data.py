"""Data: arrays and folders, what makes and checks folders, and ARC's tasks, votes and submissions."""

from __future__ import annotations

from ._arc import ArcAnswer, ArcScore, ArcTask, ArcTasks, ArcVotes, arc_score
from ._build import (ArcReport, Report, Split, Survey, build_arc, build_grid, build_maze, build_sudoku, gen_maze,
                     gen_sudoku, survey, verify)
from ._data import IGNORED, Batch, Dataset, Example, Gallery, Stream

__all__ = [
    "ArcAnswer", "ArcReport", "ArcScore", "ArcTask", "ArcTasks", "ArcVotes", "Batch", "Dataset", "Example", "Gallery",
    "IGNORED", "Report", "Split", "Stream", "Survey", "arc_score", "build_arc", "build_grid", "build_maze",
    "build_sudoku", "gen_maze", "gen_sudoku", "survey", "verify",
]
