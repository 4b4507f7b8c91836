"""The page of trm serve --run in a real browser, beside trainings of Sudokus of side 4 that begin, go on, are killed
and end:  test_runs_page.py TRM [FOLDER for screenshots]

Ends with 77, and says why, where there is no Chromium or the program has no server.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import axe
import webdriver

KEY = "0123456789abcdef0123456789abcdef"
TINY = ("preset=sudoku4", "data_paths=[data]", "arch.hidden_size=32", "arch.H_cycles=2", "arch.L_cycles=2",
        "arch.halt_max_steps=3", "global_batch_size=16", "epochs=100000", "eval_interval=null", "lr=1e-3", "threads=1",
        "log_interval=1", "project_name=p")
SUMMARY = "return document.getElementById('summary').textContent"
MESSAGE = "return document.getElementById('message').textContent"
STATUS = "return document.getElementById('status').textContent"
READOUT = "return document.getElementById('readout').textContent"
BOARDS = "return document.querySelectorAll('#boards .board').length"
LINES = "return document.querySelectorAll('#charts figure:last-child .curve').length"
ROW = "const r = [...document.querySelectorAll('tbody tr')].find(r => r.querySelector('th').textContent === '{}');" \
      "return r && [...r.querySelectorAll('td')].find(c => c.dataset.name === '{}').textContent"


class World:
    """A folder with data and runs, and programs that work in it."""

    def __init__(self, program, shots):
        self.program, self.shots = os.path.realpath(program), shots
        self.folder = tempfile.mkdtemp()
        self.runs = os.path.join(self.folder, "runs")
        self.run("data", "gen", "sudoku", "--size", "4", "--train", "48", "--test", "8", "--output-dir", "data", "-q")

    def run(self, *args):
        return subprocess.run([self.program, *args], cwd=self.folder, check=True, capture_output=True, text=True)

    def begin(self, *args):
        return subprocess.Popen([self.program, *args], cwd=self.folder, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)

    def train(self, name, updates):
        self.run("train", *TINY, f"run_name={name}", f"max_updates={updates}", "-q")

    def path(self, name):
        return os.path.join(self.runs, "p", name)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """trm serve, started elsewhere than the runs were."""

    def __init__(self, world, *args, port=0):
        self.process = subprocess.Popen([world.program, "serve", "sudoku4", "--port", str(port), "--threads", "1", *args],
                                        cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate()


def row(name, column):
    return ROW.format(f"p/{name}", column)


# ---- what holds ----

def waits_for_a_first_run(b, world):
    os.makedirs(world.runs)
    with Server(world, "--run", world.runs) as server:
        assert server.url.endswith("/runs.html"), server.url
        b.open(server.url)
        b.wait(SUMMARY + ".includes('no run in the folder yet')")
        world.train("first", 3)
        b.wait(SUMMARY + ".startsWith('1 run, none under way')")
        assert b.js(row("first", "State")) == "is done"
        assert b.js(row("first", "Updates")) == "3 of 3"


def training_is_shown_live(b, world):
    """It begins, is watched, killed, goes on to its end; its newest checkpoint solves."""
    with Server(world, "--run", world.runs) as server:
        b.open(server.url)
        training = world.begin("train", *TINY, "run_name=live", "max_updates=100000", "-q")
        try:
            b.wait(row("live", "State") + " === 'is trained'")
            b.wait("const t = (() => { " + row("live", "Done in") + " })(); return /\\d+ (s|min|h|d).* a second/.test(t)")
            b.wait(SUMMARY + ".includes('1 under way, all done in')")
            b.wait(LINES + " === 2")
            before = int(b.js(row("live", "Updates")).split(" of ")[0].replace(",", ""))
            b.wait(f"const t = (() => {{ {row('live', 'Updates')} }})();"
                   f"return Number(t.split(' of ')[0].replace(/,/g, '')) > {before}")
            b.js("const s = document.getElementById('whose'); s.selectedIndex = 1; s.dispatchEvent(new Event('change'))")
            b.wait(STATUS + ".includes('no checkpoint yet')")
        finally:
            training.kill()
            training.communicate()
        b.wait(row("live", "State") + ".startsWith('ended without a word')")

        world.run("train", "--resume", world.path("live"), "max_updates=5", "-q")
        b.wait(row("live", "State") + " === 'is done'")
        b.wait(STATUS + ".includes('checkpoint of update 5 ')")
        assert b.js(BOARDS) == 4
        world.run("train", "--resume", world.path("live"), "max_updates=9", "-q")
        b.wait(STATUS + ".includes('checkpoint of update 9 ')")
        b.wait(row("live", "Updates") + " === '9 of 9'")


def puzzles_are_stepped_through(b, world):
    with Server(world, "--run", world.path("live")) as server:
        b.open(server.url)
        b.wait(BOARDS + " === 4")
        b.type("End")
        b.wait(STATUS + ".startsWith('Step 3 of 3')")
        verdicts = b.js("return [...document.querySelectorAll('#boards figcaption')].map(c => c.textContent)")
        good = sum(v.endswith((" right", " valid")) for v in verdicts)
        assert f"solves {good} of these 4 of the test set" in b.js(STATUS), (verdicts, b.js(STATUS))
        b.type("Home")
        assert b.js(STATUS).startswith("The puzzles")
        b.type(".", ".", ",")
        assert b.js(STATUS).startswith("Step 1 of 3")
        b.type("p")
        b.wait(STATUS + ".startsWith('Step 3 of 3')")


def curves_are_chosen_and_read(b, world):
    with Server(world, "--run", world.runs) as server:
        b.open(server.url)
        b.wait(LINES + " === 2")
        colours = b.js("return [...document.querySelectorAll('#charts figure:last-child .curve')].map("
                       "c => [c.getAttribute('stroke'), c.getAttribute('stroke-dasharray')])")
        assert colours[0][0] != colours[1][0] and colours[0][1] != colours[1][1], colours
        b.click("tbody tr:first-child input")
        assert b.js(LINES) == 1
        b.js("const s = document.querySelectorAll('#charts select')[1]; s.value = 'train/accuracy';"
             "s.dispatchEvent(new Event('change'))")
        b.wait(READOUT + ".includes('train/accuracy B')")
        assert "%" in b.js(READOUT) and "figure1=train%2Faccuracy" in b.js("return location.hash")

        # By keys alone: the curves at another update, and over another axis.
        b.js("document.getElementById('at').focus()")
        b.type("Home")
        b.wait(READOUT + ".startsWith('At 0 updates')")
        b.type("End")
        b.wait(READOUT + ".startsWith('At the end')")
        b.js("const s = document.getElementById('over'); s.value = 'seconds'; s.dispatchEvent(new Event('change'))")
        b.js("const s = document.getElementById('at'); s.value = 500; s.dispatchEvent(new Event('input'))")
        assert " s" in b.js(READOUT).split("·")[0], b.js(READOUT)
        link = b.js("return location.href")
        b.open(link)
        b.wait(READOUT + ".includes('train/accuracy')")
        assert b.js("return document.getElementById('over').value") == "seconds"
        b.open(server.url + "#figure0=train%2Faccuracy&figure1=none&run=p/first")
        b.wait(READOUT + ".includes('train/accuracy A')")
        assert "train/lm_loss" in b.js(READOUT) and b.js("return document.getElementById('whose').selectedIndex") == 0


def names_are_only_text(b, world):
    name = "<img src=x onerror=document.title=1>"
    shutil.copytree(world.path("first"), world.path(name))
    try:
        with Server(world, "--run", world.runs) as server:
            b.open(server.url)
            b.wait(SUMMARY + ".startsWith('3 runs')")
            assert b.js(row(name, "State")) == "is done"
            assert b.js("return document.querySelectorAll('img').length") == 0
            assert b.js("return document.title") == "trm: trainings"
    finally:
        shutil.rmtree(world.path(name))


def any_number_is_drawn(b, world):
    """Values between which a tick cannot be told from the next, and whose difference is no number."""
    shutil.copytree(world.path("first"), world.path("odd"))
    with open(os.path.join(world.path("odd"), "log.jsonl"), "w") as file:
        for i in range(40):
            print(json.dumps({"step": i + 1, "near": 1e16 + 2 * (i % 2), "far": 1.7e308 * (-1) ** i}), file=file)
    try:
        with Server(world, "--run", world.path("odd")) as server:
            b.open(server.url + "#figure0=near&figure1=far")
            b.wait(LINES + " === 1")
            assert not b.js("return document.getElementById('charts').innerHTML.includes('NaN')")
    finally:
        shutil.rmtree(world.path("odd"))


def broken_and_lost_are_told(b, world):
    shutil.copytree(world.path("first"), world.path("broken"))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with Server(world, "--run", world.runs, port=port) as server:
        b.open(server.url)
        b.wait(row("broken", "State") + " === 'is done'")
        for name in ("config.yaml", "record.jsonl"):
            with open(os.path.join(world.path("broken"), name), "w") as file:
                file.write("arch: [")
        b.wait(row("broken", "State") + ".includes('config.yaml')")
        shutil.rmtree(world.path("broken"))
        b.wait(SUMMARY + ".startsWith('2 runs')")
        server.process.kill()
        b.wait(MESSAGE + ".includes('does not answer')")
        assert b.js(LINES) == 2  # what was told stays
    shutil.copytree(world.path("first"), world.path("between"))  # takes the id that the other one had
    with Server(world, "--run", world.runs, port=port):
        b.wait(MESSAGE + " === ''")  # by itself
        b.wait(SUMMARY + ".startsWith('3 runs')")
        b.wait(LINES + " === 3")
        for name, updates in (("between", 3), ("first", 3), ("live", 9)):
            assert b.js(row(name, "Updates")) == f"{updates} of {updates}", name

        # What is gone once it is asked for stops nothing.
        b.js("const f = window.fetch; window.fetch = (path, how) => "
             "(window.fetch = f)(path.replace(/runs$/, 'runs/puzzles?run=999'), how)")
        b.wait(MESSAGE + ".includes('no run 999')")
        b.wait(MESSAGE + " === ''")
    shutil.rmtree(world.path("between"))
    with Server(world) as server:
        b.open(server.url + "/runs.html")
        b.wait(MESSAGE + ".includes('started without --run')")


def key_is_asked_for(b, world):
    keys = os.path.join(world.folder, "keys")
    with open(keys, "w") as file:
        file.write(KEY + "\n")
    os.chmod(keys, 0o600)
    with Server(world, "--run", world.runs, "--api-key-file", keys) as server:
        b.open(server.url)
        b.wait("return document.activeElement.id === 'key-text'")
        b.type(KEY, "Enter")
        b.wait(SUMMARY + ".startsWith('2 runs')")
        b.wait("return document.getElementById('key').hidden")


def calm_where_asked_for(b, world):
    b.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    with Server(world, "--run", world.path("live")) as server:
        b.open(server.url)
        b.wait(STATUS + ".startsWith('Step 3 of 3')", 5)
        assert b.js("return document.getElementById('play').ariaLabel") == "Play"
    b.devtools("Emulation.setEmulatedMedia", features=[])


def looks_and_axe(b, world):
    """Ten runs, so that some are not shown at first; light, dark, and on a phone."""
    script, lacks = axe.source()
    for i in range(8):
        shutil.copytree(world.path("live"), world.path(f"seed={i}_L_cycles=3,lr=1e-2"))
    with Server(world, "--run", world.runs) as server:
        for scheme, phone in (("light", False), ("dark", False), ("light", True)):
            b.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme},
                                                               {"name": "prefers-reduced-motion", "value": "reduce"}])
            if phone:
                b.devtools("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
            b.open(server.url)
            b.wait(SUMMARY + ".startsWith('10 runs')")
            b.wait(BOARDS + " === 4")
            assert b.js(LINES) == 8
            if phone:
                assert b.js("return document.documentElement.scrollWidth") <= 360
            found = axe.violations(b, script) if script else []
            assert not found, json.dumps(found, indent=1)
            if world.shots:
                b.shot(os.path.join(world.shots, f"runs-{scheme}{'-phone' if phone else ''}.png"))
    b.devtools("Emulation.setEmulatedMedia", features=[])
    b.devtools("Emulation.clearDeviceMetricsOverride")
    return lacks and f"{lacks}; else all was looked at"


def nothing_was_logged(b, world):
    """No script failed, and no policy was broken: what is told is only of servers that were taken away."""
    wrong = [line for line in b.log() if "Failed to load resource" not in line and "net::ERR" not in line]
    assert not wrong, wrong


def main():
    program, shots = (sys.argv + [None])[1:3]
    lacks = webdriver.missing()
    if lacks:
        print(f"skipped: {lacks}")
        return 77
    world = World(program, shots)
    with Server(world) as server:
        if not server.url.startswith("http"):
            print("skipped: this trm has no server: " + server.process.stderr.read().strip())
            world.close()
            return 77
    b = webdriver.Browser()
    failed = 0
    try:
        for test in (waits_for_a_first_run, training_is_shown_live, puzzles_are_stepped_through,
                     curves_are_chosen_and_read, names_are_only_text, any_number_is_drawn, broken_and_lost_are_told,
                     key_is_asked_for, calm_where_asked_for, looks_and_axe, nothing_was_logged):
            try:
                skipped = test(b, world)
                print(f"{'skipped' if skipped else 'ok':8}{test.__name__}{': ' + skipped if skipped else ''}", flush=True)
            except (AssertionError, RuntimeError, subprocess.CalledProcessError) as error:
                failed += 1
                line = error.__traceback__.tb_next.tb_lineno
                print(f"FAILED  {test.__name__}, line {line}: {error}", flush=True)
                print(json.dumps([b.js(SUMMARY), b.js(MESSAGE), b.js(STATUS), b.js(READOUT)]), flush=True)
    finally:
        b.close()
        world.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
