"""Arrays, tables and lines: what writes them in the field, and what reads what trm writes."""

import gzip
import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from trying import WORK, finish, tried, trm

import duckdb
import jsonlines
import ndjson
import numpy as np
import orjson
import pandas
import pgzip
import polars
import ujson

OLDER_NUMPY = ["1.26.4", "1.23.5"]
ROWS = 40

rng = np.random.default_rng(0)
labels = rng.integers(1, 5, (ROWS, 4, 4))
inputs = labels * (rng.random((ROWS, 4, 4)) < 0.4)


def name(package):
    return f"{package} {version(package)}"


# --- grids: every file must give the data set that plain lines of JSON give ---


def built(path, *options):
    """The arrays of a build, or what it said."""
    out = WORK / "out"
    subprocess.run(["rm", "-rf", out], check=True)
    code, _, err = trm("data", "build", "grid", "--input", path, "--output-dir", out, *options)
    if code:
        return err
    return [np.load(out / "train" / f"all__{what}.npy") for what in ("inputs", "labels")]


def records(**more):
    return [{"input": i.tolist(), "output": o.tolist(), **more} for i, o in zip(inputs, labels)]


(WORK / "plain.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records()))
want = built("plain.jsonl")


def grids(form, program, path, *options):
    got = built(path, *options)
    good = isinstance(got, list) and all(np.array_equal(a, b) for a, b in zip(got, want))
    tried(form, program, good, got if isinstance(got, str) else "other values")


def refused(form, program, path, word, *options):
    got = built(path, *options)
    tried(form, program, isinstance(got, str) and word in got, got)


assert isinstance(want, list), want

# NumPy, this one and older ones, which make the same arrays in a program of their own.
make = """
import numpy as np, sys
x, y = np.load('x.npy'), np.load('y.npy')
np.savez('plain.npz', inputs=x, labels=y)
np.savez_compressed('packed.npz', inputs=x, labels=y)
np.savez('fortran.npz', inputs=np.asfortranarray(x), labels=y.T.copy().T)
np.savez_compressed('big_fortran.npz', inputs=np.asfortranarray(x.astype('>i4')), labels=y.astype('>u2'))
np.savez('floats.npz', inputs=x.astype('f8'), labels=np.asfortranarray(y.astype('>f4')))
np.savez('halves.npz', inputs=x.astype('f2'), labels=y.astype('u1'))
np.savez('rows.npz', inputs=x.reshape(len(x), -1).astype('u1'), labels=y.reshape(len(y), -1))
np.savez('fraction.npz', inputs=x + 0.5, labels=y)
np.savez('objects.npz', inputs=np.array(x.tolist() + [None], dtype=object), labels=y)
np.savez('records.npz', inputs=np.zeros(len(x), [('a', 'i4'), ('b', 'i4')]), labels=y)
np.savez('number.npz', inputs=np.array(3), labels=y)
np.savez('empty.npz', inputs=x[:0], labels=y[:0])
for v in (1, 2, 3):
    for what, a in (('inputs', x), ('labels', y)):
        with open('v%d_%s.npy' % (v, what), 'wb') as f:
            np.lib.format.write_array(f, a, version=(v, 0))
"""
np.save(WORK / "x.npy", inputs)
np.save(WORK / "y.npy", labels)
for numpy_version in [version("numpy")] + OLDER_NUMPY:
    env, program = dict(os.environ), f"numpy {numpy_version}"
    if numpy_version != version("numpy"):
        env["PYTHONPATH"] = str(WORK / program.replace(" ", "-"))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
        subprocess.run(pip + ["--target", env["PYTHONPATH"], program.replace(" ", "==")], check=True)
    subprocess.run([sys.executable, "-c", make], env=env, cwd=WORK, check=True)
    grids("npz", program, "plain.npz")
    grids("npz, compressed", program, "packed.npz")
    grids("npz, Fortran order", program, "fortran.npz")
    grids("npz, compressed, big-endian", program, "big_fortran.npz")
    grids("npz, float64 and float32", program, "floats.npz")
    grids("npz, float16", program, "halves.npz")
    grids("npz, [examples, cells]", program, "rows.npz", "--rows", 4, "--cols", 4)
    refused("npz, fractions", program, "fraction.npz", "want whole numbers")
    refused("npz, Python objects", program, "objects.npz", "Python objects")
    refused("npz, records", program, "records.npz", "structured")
    refused("npz, a single number", program, "number.npz", "single number")
    refused("npz, nothing", program, "empty.npz", "holds no puzzle")
    for v in (1, 2, 3):
        with zipfile.ZipFile(WORK / "versions.npz", "w") as z:
            for what in ("inputs", "labels"):
                z.write(WORK / f"v{v}_{what}.npy", f"{what}.npy")
        grids(f"npy {v}.0 in an archive of zipfile", program, "versions.npz")

# cnpy is C++, and not in a registry: CNPY=FOLDER names a clone of github.com/rogersce/cnpy.
if os.environ.get("CNPY"):
    source = """
#include "cnpy.h"
#include <cstdio>
int main() {
  cnpy::NpyArray x = cnpy::npy_load("x1.npy"), y = cnpy::npy_load("y8.npy");
  cnpy::npz_save("cnpy.npz", "inputs", x.data<unsigned char>(), {ROWS, 4, 4}, "w");
  cnpy::npz_save("cnpy.npz", "labels", y.data<long>(), {ROWS, 4, 4}, "a");
}
"""
    np.save(WORK / "x1.npy", inputs.astype("u1"))
    np.save(WORK / "y8.npy", labels.astype("i8"))
    (WORK / "cnpy_try.cpp").write_text(source.replace("ROWS", str(ROWS)))
    cnpy = os.environ["CNPY"]
    subprocess.run(["g++", "-w", "-I", cnpy, "cnpy_try.cpp", f"{cnpy}/cnpy.cpp", "-lz", "-o", "cnpy_try"],
                   cwd=WORK, check=True)
    subprocess.run(["./cnpy_try"], cwd=WORK, check=True)
    grids("npz, '<u1'", "cnpy 4e8810b", "cnpy.npz")

# Lines of JSON, with keys of others beside ours: NaN, a number beyond 64 bits.
extra = {"loss": float("nan"), "hash": 2**100, "kind": "latin", "score": [1.5, float("-inf")]}
plain_extra = {"kind": "latin", "score": [1.5, None], "x": 0.1}


def write(path, text):
    (WORK / path).write_bytes(text if isinstance(text, bytes) else text.encode())


write("json.jsonl", "".join(json.dumps(r) + "\n" for r in records(**extra)))
grids("jsonl with NaN and 2^100", f"json of Python {sys.version.split()[0]}", "json.jsonl")
write("mark.jsonl", "\ufeff" + "".join(json.dumps(r) + "\r\n" for r in records(**extra)))
grids("jsonl, byte order mark, CR LF", f"json of Python {sys.version.split()[0]}", "mark.jsonl")
write("orjson.jsonl", b"\n".join(orjson.dumps(r) for r in records(**{**plain_extra, "loss": float("nan")})))
grids("jsonl", name("orjson"), "orjson.jsonl")
write("ujson.jsonl", "\n".join(ujson.dumps(r) for r in records(**plain_extra)))
grids("jsonl", name("ujson"), "ujson.jsonl")
with jsonlines.open(WORK / "jsonlines.jsonl", "w") as f:
    f.write_all(records(**extra))
grids("jsonl", name("jsonlines"), "jsonlines.jsonl")
with open(WORK / "ndjson.ndjson", "w") as f:
    ndjson.dump(records(**extra), f)
grids("ndjson", name("ndjson"), "ndjson.ndjson")

table = pandas.DataFrame(records(**plain_extra, loss=float("nan")))
table.to_json(WORK / "pandas.jsonl", orient="records", lines=True)
grids("jsonl", name("pandas"), "pandas.jsonl")
table.to_json(WORK / "pandas.jsonl.gz", orient="records", lines=True)
grids("jsonl.gz", name("pandas"), "pandas.jsonl.gz")
real = pandas.DataFrame({"input": list(inputs.astype(float).tolist()), "output": labels.astype(float).tolist()})
real.to_json(WORK / "pandas_real.jsonl", orient="records", lines=True)
grids("jsonl of floats, 3.0", name("pandas"), "pandas_real.jsonl")

frame = polars.DataFrame({"input": inputs.tolist(), "output": labels.tolist(), "loss": [float("nan")] * ROWS})
frame.write_ndjson(WORK / "polars.ndjson")
grids("ndjson", name("polars"), "polars.ndjson")
frame.with_columns(polars.col("input").cast(polars.List(polars.List(polars.Float64)))).write_ndjson(
    WORK / "polars_real.ndjson")
grids("ndjson of floats, 3.0", name("polars"), "polars_real.ndjson")

duckdb.sql(f"""COPY (SELECT input, output, 'nan'::DOUBLE AS loss, 170141183460469231731687303715884105727 AS hash
               FROM '{WORK}/plain.jsonl') TO '{WORK}/duckdb.jsonl.gz' (FORMAT json, COMPRESSION gzip)""")
grids("jsonl.gz", name("duckdb"), "duckdb.jsonl.gz")

# --- packed texts ---

plain = (WORK / "plain.jsonl").read_bytes()
with gzip.open(WORK / "gzip.ndjson.gz", "wb") as f:
    f.write(plain)
grids("ndjson.gz", f"gzip of Python {sys.version.split()[0]}", "gzip.ndjson.gz")
with pgzip.open(str(WORK / "pgzip.jsonl.gz"), "wb", thread=2, blocksize=1000) as f:
    f.write(plain)
grids("jsonl.gz of many members", name("pgzip"), "pgzip.jsonl.gz")
write("half.jsonl", plain[: len(plain) // 2])
write("rest.jsonl", plain[len(plain) // 2 :])
gunzip = subprocess.run(["gzip", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
subprocess.run("gzip -kf half.jsonl rest.jsonl; cat half.jsonl.gz rest.jsonl.gz >joined.jsonl.gz", shell=True,
               cwd=WORK, check=True)
grids("jsonl.gz, joined by cat", gunzip, "joined.jsonl.gz")

columns = {"question": ["".join(map(str, i.flat)) for i in inputs],
           "answer": ["".join(map(str, o.flat)) for o in labels]}
pandas.DataFrame(columns).to_csv(WORK / "pandas.csv.gz", index=False)
grids("csv.gz", name("pandas"), "pandas.csv.gz")
polars.DataFrame(columns).write_csv(WORK / "polars.csv", quote_style="always", include_bom=True)
grids("csv, quoted, byte order mark", name("polars"), "polars.csv")

# --- data sets ---

subprocess.run(["rm", "-rf", WORK / "set"], check=True)
trm("data", "gen", "sudoku", "--size", 4, "--train", 60, "--test", 20, "--output-dir", "set")
before = trm("data", "show", "set", "--index", 7)[1]
forms = {"Fortran order": np.asfortranarray, "big-endian": lambda a: a.astype(">i8"),
         "float64": lambda a: a.astype("f8"), "float16, Fortran order": lambda a: np.asfortranarray(a.astype("f2")),
         "big-endian, Fortran order": lambda a: np.asfortranarray(a.astype(">u4"))}
for form, change in forms.items():
    for path in (WORK / "set" / "train").glob("*.npy"):
        np.save(path, change(np.load(path)))
    code, _, err = trm("data", "verify", "set")
    tried(f"arrays of a data set, {form}", name("numpy"),
          before and code == 0 and trm("data", "show", "set", "--index", 7)[1] == before, err)

# --- what trm writes ---

trm("train", "preset=sudoku4", "data_paths=[set]", "arch.hidden_size=32", "arch.num_heads=1",
    "global_batch_size=8", "lr_warmup_steps=0", "threads=1", "eval_limit=10", "checkpoint_path=run",
    "max_updates=3", "weight_decay=0.1")
code, out, err = trm("eval", "run", "set", "--save-preds", "preds.npy", "--save-q", "q.npy", "--json")
preds, q = np.load(WORK / "preds.npy"), np.load(WORK / "q.npy")
tried("npy of eval", name("numpy"), preds.shape == (20, 16) and q.shape == (20,) and q.dtype == np.float32, err)
report = json.loads(out)
tried("json of eval", "json of Python", report["examples"] == 20, out)
log = pandas.read_json(WORK / "run" / "log.jsonl", lines=True)
tried("jsonl of train", name("pandas"), len(log) >= 3 and "train/lm_loss" in log, log)
log = polars.read_ndjson(WORK / "run" / "log.jsonl")
tried("jsonl of train", name("polars"), len(log) >= 3 and "train/lm_loss" in log.columns, log)


def floats(value):
    if isinstance(value, float):
        yield value
    for v in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from floats(v)


# The shortest text that reads back, as Python finds it, stands in the file.
texts = [out, trm("info", "run", "--json")[1]] + [p.read_text() for p in WORK.glob("run/*/*.json")]
texts += (WORK / "run" / "log.jsonl").read_text().splitlines()
bad = [v for text in texts for v in floats(json.loads(text)) if repr(v) not in text]
tried("numbers in as few digits as they have", f"Python {sys.version.split()[0]}", not bad, bad)

finish()
