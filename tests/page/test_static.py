"""The page that needs no server of ours, in a real browser: test_static.py TRM [FOLDER for screenshots]

Ends with 77, and says why, where there is no Chromium or the program has no solver for web pages.
"""
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

import test_page as page
import webdriver

SIX = "5......4......1.64....25.......2..56"
SIX_SOLVED = "512643346512251364634125465231123456"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()


class Site:
    """A folder as a static host gives it out, by what Python has for that."""

    def __init__(self, folder):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
        self.asked = self.server.asked = []
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def end(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def run(program, *args, **env):
    return subprocess.run([program, *args], capture_output=True, text=True, env={**os.environ, **env})


# ---- what holds ----

def typed_puzzle_is_solved(b, site):
    b.log()
    page.open_page(b, site.url + "#model=sudoku6")
    b.click("#clear")
    for i, symbol in enumerate(SIX):
        b.type("Backspace" if symbol == "." else symbol, *(["Right"] if i % 6 < 5 else ["Down"] + ["Left"] * 5))
    assert b.js(page.SYMBOLS) == SIX
    b.type("Enter")
    b.wait(page.LAST + " === 16")
    b.type("End")
    assert b.js(page.SYMBOLS) == SIX_SOLVED
    assert "Solved in" in b.wait(page.STATUS) and "100 % of the open cells right" in b.js(page.STATUS)

    # It asked for its own files alone, each of which is there, and broke none of its own rules.
    assert {"/trm.wasm", "/models/sudoku6.safetensors"} <= set(site.asked), site.asked
    assert not any("/v1/" in path or "sudoku9.safe" in path for path in site.asked), site.asked
    assert not b.log(), "the browser complains"


def steps_are_those_of_plain_c(b, site):
    """Grids and q of each step, as the page has them, are those of trm solve."""
    shown = run(site.program, "solve", "sudoku6", "--puzzle", ".3.5...4.......4..62...3.....21.....", "--show", "latents",
                "--json", TRM_ISA="portable")
    trace = json.loads(shown.stdout)["trace"]
    page.open_page(b, site.url)
    told = b.js_async("""
        const end = arguments[1];
        import(new URL("offline.js", location.href)).then(async ({ OfflineSolver }) => {
          const steps = [];
          const rows = arguments[0].match(/.{6}/g).map((row) => [...row].map((c) => (c === "." ? 0 : Number(c))));
          await new OfflineSolver().solve(rows, { model: "sudoku6", latents: true }, (step) => steps.push(step));
          end(steps.map((s) => [s.step, s.grid.flat().join(""), s.changed.length, s.q, s.latents[1].grid.flat().join("")]));
        }).catch((error) => end(String(error)));""", ".3.5...4.......4..62...3.....21.....")
    assert len(told) == len(trace) == 16, told
    for (step, grid, changed, q, latent), of in zip(told, trace):
        assert (step, grid, changed) == (of["step"], of["grid"], len(of["changed"])), step
        assert abs(q - of["q"]) < 6e-5 and latent == of["latents"][1]["grid"], step


def two_models_side_by_side(b, site):
    page.open_page(b, site.url + "#model=sudoku4&beside=copy&puzzle=1...341221434.21")
    page.solve(b)
    b.click("#last")
    captions = b.js("return [...document.querySelectorAll('figcaption')].map(c => c.textContent)")
    assert len(captions) == 2 and all("step 16" in c for c in captions), captions
    boards = b.js("return [...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('[data-cell]')]"
                  ".map(c => c.querySelector('text').textContent).join(''))")
    assert boards == ["1234341221434321"] * 2, boards


def views_agree(b, site):
    page.open_page(b, site.url + f"#model=sudoku6&views=4&steps=4&puzzle={SIX}")
    page.solve(b, 4)
    b.click("#last")
    b.wait("return document.querySelectorAll('figure.chosen').length === 1")
    boards = b.js("return [...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('[data-cell]')]"
                  ".map(c => c.querySelector('text').textContent).join(''))")
    assert boards == [SIX_SOLVED] * 4, boards


def broken_rules_are_refused(b, site):
    page.open_page(b, site.url + "#model=sudoku6")
    b.click("#clear")
    b.type("6", "Right", "6")
    b.click("#solve")
    assert "column 2" in b.wait(page.MESSAGE), b.js(page.MESSAGE)


def puzzles_are_given_up(b, site):
    """Another puzzle ends the one that is solved, and the worker goes on with it."""
    page.open_page(b, site.url + "#model=sudoku9&steps=1000")
    b.click("#solve")
    b.wait(page.LAST + " >= 2")
    b.click("#examples button:nth-child(2)")
    b.js("document.getElementById('steps').value = 3")
    page.solve(b, 3)
    b.wait(page.STATUS + ".includes('olved in')")
    assert b.js(page.LAST) == 3


def works_without_its_host(b, folder):
    """What was loaded solves on; a model that cannot be had is told of, and can be had later."""
    site = Site(folder)
    page.open_page(b, site.url + "#model=sudoku6")
    page.solve(b)
    site.end()
    b.click("#examples button:nth-child(2)")
    page.solve(b)
    b.js("const m = document.getElementById('model'); m.value = 'sudoku4'; m.dispatchEvent(new Event('change'))")
    b.click("#solve")
    assert "models/sudoku4.safetensors cannot be had" in b.wait(page.MESSAGE)


def missing_file_is_told(b, folder):
    with tempfile.TemporaryDirectory() as other:
        shutil.copytree(folder, other, dirs_exist_ok=True)
        os.remove(os.path.join(other, "models", "sudoku6.safetensors"))
        with open(os.path.join(other, "models", "sudoku4.safetensors"), "wb") as file:
            file.write(b"<html>not found</html>")
        site = Site(other)
        try:
            for model, says in (("sudoku6", "answers 404"), ("sudoku4", "cannot be used")):
                page.open_page(b, site.url + f"#model={model}")
                b.click("#solve")
                assert says in b.wait(page.MESSAGE), b.js(page.MESSAGE)
        finally:
            site.end()


def first_answer_comes_soon(b, site):
    """A 6x6 that is solved a step after the page is there, with all that it loads; the goal is a second."""
    page.open_page(b, site.url + "#model=sudoku6&steps=1")
    b.wait("return document.getElementById('solve').disabled === false")
    b.js("document.getElementById('solve').click()")
    b.wait(page.LAST + " === 1")
    ready = b.js("return performance.getEntriesByType('resource').reduce((t, e) => Math.max(t, e.responseEnd), 0)")
    print(f"        the last file came {ready:.0f} ms after the opening; then: {b.wait(page.STATUS).split(' · ')[-1]}")
    assert ready < 5000


def looks(b, site, shots):
    for scheme in ("light", "dark"):
        b.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        page.open_page(b, site.url + "#model=maze10&latent=z_L")
        page.solve(b, 8)
        b.click("#first")
        b.click("#next")
        if shots:
            b.shot(os.path.join(shots, f"static-{scheme}-latent.png"))
    b.devtools("Emulation.setEmulatedMedia", features=[])
    if shots:
        page.open_page(b, site.url + "#model=sudoku4&beside=copy")
        page.solve(b)
        b.click("#last")
        b.shot(os.path.join(shots, "static-two.png"))


def main():
    program, shots = (sys.argv + [None])[1:3]
    with tempfile.TemporaryDirectory() as scratch:
        folder, copy = os.path.join(scratch, "site"), os.path.join(scratch, "copy.safetensors")
        models = os.path.join(os.path.dirname(os.path.realpath(program)), "models")
        shutil.copy(os.path.join(models, "sudoku4.safetensors"), copy)
        made = run(program, "page", folder, "sudoku9", "sudoku6", "sudoku4", "maze10", copy)
        lacks = webdriver.missing() or ("no solver for web pages" in made.stderr and made.stderr.strip())
        if lacks:
            print(f"skipped: {lacks}")
            return 77
        assert made.returncode == 0, made.stderr
        b, failed = webdriver.Browser(), 0
        site = Site(folder)
        site.program = program
        try:
            for test, what in ((typed_puzzle_is_solved, site), (steps_are_those_of_plain_c, site),
                               (two_models_side_by_side, site), (page.latents_are_read, site), (views_agree, site),
                               (page.links_bring_the_puzzle, site), (broken_rules_are_refused, site),
                               (puzzles_are_given_up, site), (works_without_its_host, folder),
                               (missing_file_is_told, folder), (first_answer_comes_soon, site),
                               (page.axe_finds_nothing, site)):
                failed += not page.holds(b, test, what)
            looks(b, site, shots)
        finally:
            b.close()
            site.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
