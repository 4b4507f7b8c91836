"""What a type checker knows of a program that uses trm."""

from __future__ import annotations

import pytest

USE = '''
import trm

model = trm.load("sudoku9")
with trm.Queue(model) as queue, trm.Solver(model) as solver, trm.Trainer(model) as trainer:
    reveal_type(queue)
    reveal_type(solver)
    reveal_type(trainer)
data = trm.Dataset.open("data")
reveal_type(model.solve("53..7", halt="q=4"))
reveal_type(model.evaluate(data).exact)
reveal_type(data[0])
reveal_type(data[:2])
reveal_type(trm.data.ArcTasks("arc")[0].id)
'''
TYPES = ["trm.solve.Queue", "trm.solve.Solver", "trm.train.Trainer", "trm.solve.Answer", "int",
         "trm._data.Example", "list[trm._data.Example]", "str"]


def test_objects_keep_their_types(tmp_path):
    mypy = pytest.importorskip("mypy.api")
    program = tmp_path / "use.py"
    program.write_text(USE)
    said, wrong, code = mypy.run(["--strict", "--cache-dir", str(tmp_path / "cache"), str(program)])
    assert code == 0, said + wrong
    found = [line.split('"')[1].replace("builtins.", "") for line in said.splitlines() if "Revealed type" in line]
    assert found == TYPES
