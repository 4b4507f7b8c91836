"""Checkpoints: what trainers and hubs of the field write, and what reads what trm writes."""

import json
import os
import pickle
import random
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from trying import WORK, finish, tried, trm

warnings.filterwarnings("ignore")
os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "127.0.0.1", "29511"

import accelerate
import huggingface_hub
import lightning
import numpy as np
import omegaconf
import torch
import yaml
from safetensors.torch import load_file, save_file, save_model
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper


def name(package):
    return f"{package} {version(package)}"


TORCH = name("torch")
PREFIX = "_orig_mod.model.inner."

# --- a model, as trm trains it and writes it for torch ---

trm("data", "gen", "sudoku", "--size", 4, "--train", 60, "--test", 20, "--output-dir", "s4")
trm("train", "preset=sudoku4", "data_paths=[s4]", "arch.hidden_size=32", "arch.num_heads=1", "global_batch_size=8",
    "lr_warmup_steps=0", "threads=1", "eval_limit=10", "max_updates=3", "checkpoint_path=run")
(WORK / "a").mkdir()
trm("convert", "run", "a/step_3.pt")
state = torch.load(WORK / "a/step_3.pt", weights_only=True)
bare = {k.removeprefix(PREFIX): v for k, v in state.items()}
config = yaml.safe_load((WORK / "a/all_config.yaml").read_text())


def module_of(tensors):
    """Modules whose parameters have these dotted names."""
    root = torch.nn.Module()
    for key, value in tensors.items():
        *path, last = key.split(".")
        at = root
        for part in path:
            if not hasattr(at, part):
                at.add_module(part, torch.nn.Module())
            at = getattr(at, part)
        if last.endswith("_init") or key == "puzzle_emb.weights":
            at.register_buffer(last, value.clone())
        else:
            at.register_parameter(last, torch.nn.Parameter(value.clone()))
    return root


def model():
    """model.inner.…, as the reference's loss head holds it."""
    head = torch.nn.Module()
    head.model = torch.nn.Module()
    head.model.inner = module_of(bare)
    head.forward = lambda: sum(p.sum() for p in head.parameters())
    return head


def read(form, program, path, want=bare):
    """trm reads the same numbers out of a file or folder."""
    code, _, err = trm("convert", path, "got.safetensors")
    good = code == 0
    if good:
        got = load_file(WORK / "got.safetensors")
        good = got.keys() == want.keys() and all(torch.equal(got[k], want[k].float()) for k in want)
    tried(form, program, good, err)


def folder(what, text=None):
    """A fresh folder with a configuration in it."""
    path = WORK / what
    path.mkdir()
    (path / "all_config.yaml").write_text(text or yaml.dump(config))
    return path


def saved(what, value, file="step_3", **options):
    path = folder(what) / file
    torch.save(value, path, **options)
    return path


# --- torch.save ---

read("state dict", TORCH, saved("plain", state))
for protocol in (2, 3, 4, 5):
    read(f"state dict, pickle protocol {protocol}", TORCH, saved(f"protocol{protocol}", state, pickle_protocol=protocol))
torch.serialization.set_crc32_options(False)
read("state dict without CRCs", TORCH, saved("no_crc", state))
torch.serialization.set_crc32_options(True)
code, _, err = trm("info", saved("legacy", state, _use_new_zipfile_serialization=False))
tried("the form before torch 1.6 is refused", TORCH, code == 3 and "before torch 1.6" in err, err)

heads = model()
optimizer = torch.optim.AdamW(heads.parameters(), lr=1e-4)
heads().backward()
optimizer.step()
heads.load_state_dict({k.removeprefix("_orig_mod."): v for k, v in state.items()})
read("training state (URM's keys)", TORCH, saved("urm", dict(
    step=3, model_state_dict=state, optimizer_states=[optimizer.state_dict()],
    rng_state=torch.get_rng_state()), "step_3.pt"))
shadow = {k: v + 1 for k, v in heads.named_parameters()}
averaged = {**{k: v.float() for k, v in bare.items()},
            **{k.removeprefix("model.inner."): v.detach() for k, v in shadow.items()}}
read("training state with an EMA (EqR's keys)", TORCH, saved("eqr", dict(
    step=3, model=state, optimizers=[optimizer.state_dict()], numpy=np.random.get_state(), python=random.getstate(),
    generator=np.random.default_rng(3).bit_generator.state, config=config,
    ema=dict(mu=.999, shadow=shadow)), "step_3_x.pth"), averaged)

# --- wrappers ---

torch.distributed.init_process_group("gloo", rank=0, world_size=1)
read("DistributedDataParallel", TORCH,
     saved("ddp", torch.nn.parallel.DistributedDataParallel(model()).state_dict()))
read("torch.compile", TORCH, saved("compiled", torch.compile(model()).state_dict()))
inside = model()
inside.model.inner = torch.compile(inside.model.inner)
read("torch.compile of a part", TORCH, saved("compiled_part", inside.state_dict()))
inside = model()
inside.model.inner.L_level = checkpoint_wrapper(inside.model.inner.L_level)
wrapped = {k.replace("L_level.", "L_level._checkpoint_wrapped_module."): v for k, v in model().state_dict().items()}
read("checkpoint_wrapper", TORCH, saved("checkpointed", inside.state_dict()))
read("names of checkpoint_wrapper", TORCH, saved("checkpointed_names", wrapped))
average = torch.optim.swa_utils.AveragedModel(model())
read("AveragedModel", TORCH, saved("averaged", average.state_dict()))
torch.distributed.destroy_process_group()


class Lit(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters(dict(hidden_size=32))
        self.net = model()

    def training_step(self, batch, i):
        return self.net() * 0

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.0, weight_decay=0.0)


trainer = lightning.Trainer(max_steps=1, logger=False, enable_checkpointing=False, accelerator="cpu",
                            enable_progress_bar=False, enable_model_summary=False)
trainer.fit(Lit(), torch.utils.data.DataLoader([0]))
trainer.save_checkpoint(folder("lightning") / "last.ckpt")
read("Lightning's .ckpt", name("lightning"), "lightning/last.ckpt")

# --- safetensors ---

plain = {k: v.contiguous() for k, v in state.items()}
save_file(plain, folder("hub") / "model.safetensors")
read("safetensors beside all_config.yaml", name("safetensors"), "hub/model.safetensors")
save_model(model(), str(folder("saved_model") / "model.safetensors"))
read("save_model of a module", name("safetensors"), "saved_model")
(WORK / "hub/all_config.yaml").rename(WORK / "hub/unused")
(WORK / "hub/config.json").write_text(json.dumps(config))
read("safetensors beside config.json, as a folder", name("safetensors"), "hub")

huggingface_hub.save_torch_state_dict(plain, folder("shards"), max_shard_size="50KB")
parts = len(list((WORK / "shards").glob("model-*")))
read(f"{parts} shards with an index", name("huggingface_hub"), "shards")
worker = accelerate.Accelerator(cpu=True)
worker.save_model(model(), folder("accelerate_model"), max_shard_size="50KB")
read("save_model in shards", name("accelerate"), "accelerate_model")
prepared = worker.prepare(model())
worker.save_state(folder("accelerate_state"))
read("save_state, a folder", name("accelerate"), "accelerate_state")
worker.save_state(folder("accelerate_pickle"), safe_serialization=False)
read("save_state without safetensors", name("accelerate"), "accelerate_pickle")


class Hub(torch.nn.Module, huggingface_hub.PyTorchModelHubMixin):
    def __init__(self, **arch):
        super().__init__()
        self.inner = module_of(bare)


Hub(**config["arch"]).save_pretrained(WORK / "mixin")
read("PyTorchModelHubMixin", name("huggingface_hub"), "mixin")

# --- configurations ---

paths = ["data/s4"]
text = yaml.dump({**config, "data_paths": paths, "data_paths_test": paths})
assert "&id001" in text and "*id001" in text
torch.save(state, folder("anchors", text) / "step_3")
read("all_config.yaml with anchors", name("pyyaml"), "anchors/step_3")
torch.save(state, folder("omega", omegaconf.OmegaConf.to_yaml(omegaconf.OmegaConf.create(config))) / "step_3")
read("all_config.yaml of OmegaConf", name("omegaconf"), "omega/step_3")
for fork in ("trm.trm@TRM", "trm@TRMModel"):
    named = {**config, "arch": {**config["arch"], "name": fork, "puzzle_emb_dropout": 0.1}}
    torch.save(state, folder(fork, yaml.dump(named)) / "step_3")
    read(f"arch.name {fork}", TORCH, f"{fork}/step_3")

# --- what trm writes ---

back = torch.load(WORK / "a/step_3.pt", weights_only=True)
trm("convert", "a/step_3.pt", "one.safetensors")
one = load_file(WORK / "one.safetensors")
tried("NAME.pt of trm, torch.load(weights_only=True)", TORCH, back.keys() == state.keys())
tried("NAME.safetensors of trm, load_file", name("safetensors"),
      all(torch.equal(one[k], bare[k].float()) for k in bare) and one.keys() == bare.keys())

finish()
