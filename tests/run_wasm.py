"""Runs a WASI program with one folder, which it sees as /models: for scripts/try-targets.

python run_wasm.py PROGRAM.wasm FOLDER ARG0 ARG...
"""
import sys

from wasmtime import Engine, ExitTrap, Linker, Module, Store, WasiConfig

wasi = WasiConfig()
wasi.argv = sys.argv[3:]
wasi.preopen_dir(sys.argv[2], "/models")
wasi.inherit_stdout()
wasi.inherit_stderr()

engine = Engine()
store = Store(engine)
store.set_wasi(wasi)
linker = Linker(engine)
linker.define_wasi()
program = linker.instantiate(store, Module.from_file(engine, sys.argv[1]))
try:
    program.exports(store)["_start"](store)
except ExitTrap as end:
    sys.exit(end.code)
