#!/usr/bin/env python3
"""One supervision step and one update of the same models in trm, PyTorch, ONNX Runtime and OpenVINO.

    bench/versus                    makes an environment of pinned packages, builds trm, and runs this

Every side is a process of its own, with the same weights and puzzles, the same number of threads and
the same rows at once. Before anything is timed each must give what trm gives, or the run fails. Then
the sides take turns: a round is one run of each, and who begins it moves on by one, so that a busy
neighbour meets all of them.

  step    one supervision step of puzzles that were begun: all T cycles, head, halting head, answers
  update  rows that are done take new puzzles; a supervision step, the last cycle with gradient;
          stable-max loss and halting loss; backward; halting; AdamATan2, sign SGD on the puzzle
          embedding, the average of the weights

Prints Markdown: ms per puzzle, median over the rounds, and how many times as long as trm a side
takes: the ratio of the medians, and the quartiles of the rounds' ratios. Needs a quiet machine.
"""
import argparse
import collections
import math
import multiprocessing
import os
import platform
import signal
import statistics
import sys
import tempfile
import time

Case = collections.namedtuple("Case", "model kind batch dtype threads device seconds")
Model = collections.namedtuple("Model", "size config update_batch step_batch about")

LONG = {"H_cycles": 3, "L_cycles": 6}
SMALL = {"hidden_size": 64, "num_heads": 2, "puzzle_emb_len": 1, "puzzle_emb_ndim": 64}
PAPER = {"hidden_size": 512, "num_heads": 8, "puzzle_emb_len": 16, "puzzle_emb_ndim": 512, **LONG}
MIXER = {"mlp_t": True, "pos_encodings": "none"}
NO_PUZZLE = {"puzzle_emb_len": 0, "puzzle_emb_ndim": 0}
MODELS = {
    "sudoku6-ref": Model(6, {**SMALL, **MIXER, **LONG}, 128, 1, "6x6, width 64, n = 6, T = 3"),
    "sudoku-mlp": Model(9, {**PAPER, **MIXER}, 8, 1, "the paper's Sudoku model with the mixer"),
    "sudoku-att": Model(9, PAPER, 8, 1, "the same with attention"),
    "sudoku-mlp-nopad": Model(9, {**PAPER, **MIXER, **NO_PUZZLE}, 8, 1, "the mixer without puzzle positions"),
    "tiny": Model(4, {**SMALL, "H_cycles": 2, "L_cycles": 1}, 8, 2, "to try this program: compiled in seconds"),
}
TRAINER = {"lr": 1e-4, "lr_warmup_steps": 0, "weight_decay": 1.0, "puzzle_emb_lr": 1e-4,
           "puzzle_emb_weight_decay": 1.0, "ema_rate": 0.999}
DTYPES = {"f32": "float32", "bf16": "bfloat16"}
CHECKED_UPDATES = 2
# How far a side may be from trm, as norm of the difference over norm. Everyone rounds at other places,
# and the sign of a gradient near zero is what AdamATan2, at first, and sign SGD go by.
LIMITS = {"f32": {"logits": 1e-4, "q": 1e-4, "losses": 1e-4, "gradients": 1e-3, "change": 0.05, "embedding": 0.5},
          "bf16": {"logits": 0.1, "q": 0.05, "losses": 0.01, "gradients": 0.2, "change": 0.5, "embedding": 0.9}}


class Unable(Exception):
    """What a side cannot do; it is said below the table."""


# --- the sides: prepare(case) gives what it says for the check, and what is timed ---


def make_model(case):
    """The same in every process. What starts at zero is random here, so that the check sees it, and
    branches are half as large: the recursion of initial weights would make much of every rounding."""
    import numpy as np
    import trm
    model = MODELS[case.model]
    new = trm.create_model(trm.Puzzle.sudoku(model.size), seed=1, L_layers=2,
                           forward_dtype=DTYPES[case.dtype], **model.config)
    state, random = {k: v.copy() for k, v in new.state_dict().items()}, np.random.default_rng(2)
    for name in state:
        if name.endswith(("down_proj.weight", "o_proj.weight")):
            state[name] *= 0.5
        if name in ("q_head.weight", "puzzle_emb.weights"):
            state[name] = random.normal(0, 0.05, state[name].shape).astype(np.float32)
    return trm.from_torch(state, new.config, puzzle=new.puzzle)


def puzzles(case, model):
    """Random tokens and labels, int32 [batch, cells] each."""
    import numpy as np
    random = np.random.default_rng(3)
    return [random.integers(1, model.vocab_size, (case.batch, model.seq_len), dtype=np.int32) for _ in range(2)]


def changes(after, before):
    return {name: after[name] - before[name] for name in before if name not in ("H_init", "L_init")}


def prepare_trm(case):
    import trm
    model = make_model(case)
    inputs, labels = puzzles(case, model)
    if case.kind == "step":
        solver = trm.Solver(model, batch=case.batch, threads=case.threads, device=case.device)
        solver.start(inputs)
        solver.step()
        return {"logits": solver.logits, "q": solver.q}, solver.step, f"trm {trm.__version__}"
    trainer = trm.Trainer(model, batch_size=case.batch, threads=case.threads, device=case.device, **TRAINER)
    losses = []
    for i in range(CHECKED_UPDATES):
        metrics = trainer.step((inputs, labels))
        losses += [metrics["lm_loss"], metrics["q_halt_loss"]]
        if i == 0:
            gradients = trainer.gradients()
    change = changes(trainer.model.state_dict(), model.state_dict())
    embedding = change.pop("puzzle_emb.weights", None)
    said = {"losses": losses, "gradients": gradients, "change": change}
    if embedding is not None:
        said["embedding"] = embedding
    return said, lambda: trainer.step((inputs, labels)), f"trm {trm.__version__}"


def prepare_torch(case, compiled):
    import torch
    import pytorch_trm
    torch.set_num_threads(case.threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(0)
    about = f"PyTorch {torch.__version__}"
    compile = (lambda f: torch.compile(f, dynamic=False)) if compiled else (lambda f: f)
    model = make_model(case)
    inputs, labels = (torch.from_numpy(a).to(case.device) for a in puzzles(case, model))
    net = pytorch_trm.TRM(model.config, model.to_torch(), getattr(torch, DTYPES[case.dtype]),
                          case.kind == "update").to(case.device)
    wait = torch.cuda.synchronize if net.H_init.is_cuda else lambda: None

    if case.kind == "step":
        forward, (z_h, z_l, puzzle) = compile(net), net.start(case.batch)

        @torch.inference_mode()
        def step():
            nonlocal z_h, z_l
            z_h, z_l, logits, q = forward(z_h, z_l, inputs, puzzle)
            answer = logits.argmax(-1).cpu()
            return logits, q, answer

        logits, q, _ = step()
        return {"logits": logits.float().cpu().numpy(), "q": q[:, 0].cpu().numpy()}, step, about

    before = {name.replace("/", "."): p.detach().cpu().clone().numpy() for name, p in net.w.items()}
    embedding = net.puzzle_emb.cpu().clone() if net.c["puzzle_emb_ndim"] else None
    trainer = pytorch_trm.Trainer(net, {**TRAINER, "batch_size": case.batch}, compile)
    losses = []
    for i in range(CHECKED_UPDATES):
        losses += [loss.item() / case.batch for loss in trainer.update(inputs, labels)]
        if i == 0:
            gradients = {name: g.cpu().clone().numpy() for name, g in zip(before, trainer.grads)}
    change = changes({name: e.cpu().numpy() for name, e in zip(before, trainer.ema)}, before)
    said = {"losses": losses, "gradients": gradients, "change": change}
    if embedding is not None:
        said["embedding"] = (net.puzzle_emb.cpu() - embedding).numpy()

    def update():
        trainer.update(inputs, labels)
        wait()

    return said, update, about


def write_onnx(case, side):
    """A step's graph as a file, its name. It has float32 weights and computes in float32."""
    if case.kind != "step" or case.device != "cpu":
        raise Unable(f"runs supervision steps on the CPU ({side} trains nothing)")
    model = make_model(case)
    if not hasattr(model, "to_onnx"):
        raise Unable("this version of trm writes no ONNX")
    path = os.path.join(tempfile.mkdtemp(prefix="versus-"), "step.onnx")
    model.to_onnx(path, kind="step")
    return path


def prepare_onnx(case, side, open_file):
    """`open_file(case, path)` gives a function of arrays by name, with the names of its inputs and outputs."""
    import numpy as np
    path = write_onnx(case, side)
    run, inputs, outputs, about = open_file(case, path)
    os.remove(path)
    os.rmdir(os.path.dirname(path))
    model = make_model(case)
    latents = [name for name in inputs if f"next_{name}" in outputs]
    fed = {"inputs": puzzles(case, model)[0], "puzzle_ids": np.zeros(case.batch, np.int32),
           "reset": np.ones(case.batch, np.bool_)}
    fed = {name: fed[name] for name in inputs if name in fed}
    positions = model.cost.positions
    for name in latents:
        fed[name] = np.zeros((case.batch, positions, model.config["hidden_size"]), np.float32)

    def step():
        found = run(fed)
        for name in latents:
            fed[name] = found[f"next_{name}"]
        return found

    first = {name: value.copy() for name, value in step().items()}
    fed["reset"] = np.zeros(case.batch, np.bool_)
    return {"logits": first["logits"], "q": first["q_halt"]}, step, about


def open_onnxruntime(case, path):
    import onnxruntime
    if case.dtype != "f32":
        raise Unable("on a CPU it multiplies in float32 only; a bfloat16 MatMul is not implemented")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = case.threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    outputs = [o.name for o in session.get_outputs()]
    run = lambda fed: dict(zip(outputs, session.run(outputs, fed)))
    return run, [i.name for i in session.get_inputs()], outputs, f"ONNX Runtime {onnxruntime.__version__}"


def open_openvino(case, path):
    """Where the CPU has bfloat16 it rounds to that by itself, so the hint is always set."""
    import openvino
    import openvino.properties as properties
    import openvino.properties.hint as hint
    precision = {"f32": openvino.Type.f32, "bf16": openvino.Type.bf16}[case.dtype]
    compiled = openvino.Core().compile_model(path, "CPU", {
        hint.performance_mode: hint.PerformanceMode.LATENCY, hint.inference_precision: precision,
        properties.inference_num_threads: case.threads, properties.num_streams: 1})
    took = compiled.get_property(hint.inference_precision), compiled.get_property(properties.inference_num_threads)
    if took != (precision, case.threads):
        raise Unable(f"was told {precision} and {case.threads} threads, and takes {took[0]} and {took[1]}")
    request = compiled.create_infer_request()
    inputs, outputs = ([name for port in ports for name in port.names]  # a port may have several
                       for ports in (compiled.inputs, compiled.outputs))

    def run(fed):
        found = request.infer(fed, share_inputs=True)
        return {name: found[name] for name in outputs}

    return run, inputs, outputs, f"OpenVINO {openvino.__version__.partition('-')[0]}"


SIDES = {"trm": prepare_trm,
         "compiled": lambda case: prepare_torch(case, True),
         "eager": lambda case: prepare_torch(case, False),
         "onnxruntime": lambda case: prepare_onnx(case, "ONNX Runtime", open_onnxruntime),
         "openvino": lambda case: prepare_onnx(case, "OpenVINO", open_openvino)}


# --- a process of a side ---


def serve(side, case, pipe):
    """Prepares, says what it computes, and times itself whenever it is told to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends all
    try:
        said, run, about = SIDES[side](case)
        for _ in range(3):
            run()
        pipe.send(("ready", said, about))
    except Unable as e:
        pipe.send(("unable", str(e), None))
        return
    while pipe.recv() == "time":
        n, start = 0, time.perf_counter()
        while n == 0 or time.perf_counter() - start < case.seconds:
            run()
            n += 1
        pipe.send((time.perf_counter() - start) / n / case.batch)


class Side:
    def __init__(self, name, case):
        context = multiprocessing.get_context("spawn")
        self.name, self.times = name, []
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(name, case, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def hear(self):
        try:
            return self.pipe.recv()
        except EOFError:
            sys.exit(f"versus: {self.name} ended before it answered; see above")

    def time(self):
        self.pipe.send("time")
        self.times.append(self.hear())

    def close(self):
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def distances(said, want):
    """Of each quantity, a table's as one: norm of the difference over norm."""
    import numpy as np
    found = {}
    for name, value in said.items():
        pairs = [(value[k], want[name][k]) for k in value] if isinstance(value, dict) else [(value, want[name])]
        off, all_ = (sum(np.square(x, dtype=np.float64).sum() for x in xs)
                     for xs in ([np.subtract(a, b) for a, b in pairs], [b for _, b in pairs]))
        found[name] = math.sqrt(off / all_)
    return found


def check(side, case, said, want):
    found = distances(said, want)
    print(f"{case.model} {case.kind} {case.batch} {case.dtype}: {side} from trm: "
          + ", ".join(f"{k} {v:.1e}" for k, v in found.items()), file=sys.stderr)
    wrong = [k for k, v in found.items() if not v <= LIMITS[case.dtype][k]]
    if wrong:
        sys.exit(f"versus: {side} does not compute what trm does: {', '.join(wrong)} beyond "
                 f"{', '.join(str(LIMITS[case.dtype][k]) for k in wrong)}; this row is not timed")


# --- the table ---


def measure(case, sides, rounds):
    """The sides of a row with their times, and why others have none."""
    ready, unable, about, want = [], {}, [], None
    try:
        for name in sides:
            side = Side(name, case)
            state, said, of = side.hear()
            if state == "unable":
                unable[name] = said
                side.close()
                continue
            ready.append(side)
            about.append(of)
            if name == "trm":
                want = said
            else:
                check(name, case, said, want)
        for turn in range(rounds):
            first = turn % len(ready)
            for side in ready[first:] + ready[:first]:
                time.sleep(0.05)  # threads of the last one that still spin
                side.time()
    finally:
        for side in ready:
            side.close()
    return {side.name: side.times for side in ready}, unable, about


def cell(times, base):
    """ms, and beside trm's the ratio of the medians with the quartiles of the rounds' ratios."""
    ms = f"{1e3 * statistics.median(times):.3g}"
    quartiles = lambda v: "{0:.3g} … {2:.3g}".format(*(statistics.quantiles(v, n=4) if len(v) > 1 else v * 3))
    if times is base:
        return f"{ms} ({quartiles([1e3 * t for t in times])})"
    ratio = statistics.median(times) / statistics.median(base)
    return f"{ms}: **{ratio:.2f}** ({quartiles([t / b for t, b in zip(times, base)])})"


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.partition(":")[2].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def arguments():
    models = "".join(f"  {name:18}{model.about}\n" for name, model in MODELS.items())
    p = argparse.ArgumentParser(prog="bench/versus", description=__doc__.partition("\n")[0],
                                epilog=__doc__.partition("\n\n")[2].partition("\n\n")[2] + "\nmodels:\n" + models,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda known: lambda text: [n if n in known else p.error(f"'{n}': want {', '.join(known)}")
                                        for n in text.split(",")]
    p.add_argument("--models", type=names(MODELS), default="sudoku6-ref,sudoku-mlp,sudoku-att",
                   help="default: %(default)s")
    p.add_argument("--kinds", type=names(["update", "step"]), default="update,step", help="default: %(default)s")
    p.add_argument("--dtype", type=names(DTYPES), default="f32,bf16", help="default: %(default)s")
    p.add_argument("--sides", type=names(SIDES), default=",".join(SIDES), help="default: %(default)s")
    p.add_argument("--threads", type=int, default=2, help="of each side (default: %(default)s)")
    p.add_argument("--batch", type=int, help="puzzles at once (default: by model and kind)")
    p.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    p.add_argument("--seconds", type=float, default=1, help="a run of a round at least (default: %(default)s)")
    p.add_argument("--device", default="cpu", help="cpu or cuda:N, of trm and PyTorch (default: %(default)s)")
    a = p.parse_args()
    if min(a.threads, a.rounds, 1 if a.batch is None else a.batch) < 1:
        p.error("--threads, --rounds and --batch: want 1 or more")
    return a


def main():
    a = arguments()
    sides = ["trm"] + [s for s in a.sides if s != "trm"]
    os.environ["OMP_NUM_THREADS"] = str(a.threads)
    if os.getloadavg()[0] > 0.5:
        print(f"versus: the machine is busy (load {os.getloadavg()[0]:.1f}): the figures will not be worth much",
              file=sys.stderr)
    print(f"{processor()}, {a.device}, threads: {a.threads}, rounds: {a.rounds}\n")
    print("| model | | batch | format | " + " | ".join(s if s != "trm" else "trm: ms" for s in sides) + " |")
    print("|---" * (4 + len(sides)) + "|", flush=True)
    notes, versions = {}, {}
    for name in a.models:
        for kind in a.kinds:
            model = MODELS[name]
            batch = a.batch or (model.update_batch if kind == "update" else model.step_batch)
            for dtype in a.dtype:
                case = Case(name, kind, batch, dtype, a.threads, a.device, a.seconds)
                times, unable, about = measure(case, sides, a.rounds)
                cells = [cell(times[s], times["trm"]) if s in times else "–" for s in sides]
                print(f"| `{name}` | {kind} | {batch} | {DTYPES[dtype]} | " + " | ".join(cells) + " |", flush=True)
                notes.update({(s, why): None for s, why in unable.items()})
                versions.update(dict.fromkeys(about))
    print("\n" + "; ".join(versions))
    for s, why in notes:
        print(f"{s}: {why}")


if __name__ == "__main__":
    main()
