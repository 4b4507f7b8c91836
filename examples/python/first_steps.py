"""First steps, cell by cell: an editor or Jupytext shows this as a notebook, Python runs it as it is
(half a minute). Everything is written to a folder that is removed at the end.

    python examples/python/first_steps.py
"""

# %% A model that comes with the package, and a newspaper's Sudoku
import os
import tempfile

import numpy as np

import trm

model = trm.load("sudoku9")
question = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
answer = model.solve(question)
print(model)
print(answer.grid)
print(f"valid: {answer.valid}, sure: {answer.confidence:.1%}, after {answer.steps} steps")
assert answer.valid
answer  # as the last line of a notebook's cell: a picture

# %% What it thinks: the answer after every step, and what is read in each latent
seen = model.solve(question, steps=4, trajectory=True, latents=True)
for step, (tokens, q) in enumerate(zip(seen.trajectory, seen.q_trajectory), start=1):
    print(f"step {step}: q {q:+.2f}, {np.sum(tokens != answer.tokens)} cells to go")
print("z_L reads as", model.puzzle.format(seen.latents["z_L"])[:27], "...")

# %% Many puzzles, each as long as it takes
with trm.Queue(model, halt="q=4") as queue:
    for i, found in queue.map([question, "." * 81, question]):
        print(f"puzzle {i}: valid {found.valid}, {found.steps} steps")

# %% Data of one's own, and a small model that learns from them
work = tempfile.TemporaryDirectory()
os.chdir(work.name)
print(trm.data.gen_sudoku("data/sudoku4", size=4, train=200, test=50))
print(trm.Dataset.open("data/sudoku4", "test").show(0, 2))
losses = []
run = trm.train("sudoku4", data="data/sudoku4", run_name="first", epochs=12, eval_interval=12, device="cpu",
                callbacks=[lambda p: losses.append(p.loss)], progress=False)
print(run, f"loss {losses[0]:.2f} -> {losses[-1]:.2f}")
print([record.stage for record in trm.runs()])

# %% The same update by update, with digits renamed by a function of Python
rng = np.random.default_rng(0)


def renamed(batch):
    names = np.array([0, 1, *rng.permutation([2, 3, 4, 5])], np.int32)
    return names[batch.inputs], names[batch.labels], batch.puzzle_ids


start = trm.create_model(trm.Puzzle.sudoku(4), hidden_size=32, num_heads=2, mlp_t=True, pos_encodings="none",
                         puzzle_emb_ndim=0, puzzle_emb_len=0, H_cycles=2, L_cycles=2, halt_max_steps=4)
with trm.Trainer(start, batch_size=32, lr=2e-3, lr_warmup_steps=10, total_steps=60) as trainer:
    stream = trm.Stream(trm.Dataset.open("data/sudoku4"), 32)
    for update in range(60):
        metrics = trainer.step(renamed(stream.next(trainer.wants)))
    print({name: round(metrics[name], 3) for name in ("loss", "accuracy", "grad_norm")})
    mine = trainer.model

# %% Weights by the reference's names, there and back
state = mine.state_dict()
print({name: array.shape for name, array in list(state.items())[:3]})
again = trm.from_torch(state, mine.config, puzzle=mine.puzzle)
assert all((array == again.state_dict()[name]).all() for name, array in state.items())
mine.save("mine.safetensors")
print(trm.load("mine.safetensors"))
os.chdir("/")
work.cleanup()
