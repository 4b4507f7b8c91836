"""The page of trm serve in a real browser: test_page.py TRM PAGE_MODELS [FOLDER for screenshots]

Ends with 77, and says why, where there is no Chromium or the program has no server.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import axe
import webdriver

SUDOKU = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
SOLVED = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
MAZE = ".#.S.#.#../..##....#./.#.#..#.../.##.#####./......#.#./..##....../#......###/" \
       "..#.#....#/###.....#./##..#G.#.."

SYMBOLS = "return [...document.querySelectorAll('figure:first-child [data-cell]')].map(" \
          "c => c.querySelector('text')?.textContent ?? '.').join('')"
STATUS = "return document.getElementById('status').textContent"
MESSAGE = "return document.getElementById('message').textContent"
READY = "return document.querySelector('[data-cell]') !== null"
LAST = "return Number(document.getElementById('scrub').max)"
AT = "return Number(document.getElementById('scrub').value)"


class Server:
    def __init__(self, program, *args):
        self.process = subprocess.Popen([program, "serve", *args, "--threads", "1"], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.url = self.process.stdout.readline().strip() + "/"

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.communicate()


def get(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def open_page(b, url):
    b.open(url)
    b.wait(READY)


def paste(b, text):
    b.js("const d = new DataTransfer(); d.setData('text', arguments[0]);"
         "document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: d, bubbles: true}))", text)


def solve(b, steps=16):
    b.click("#solve")
    b.wait(LAST + f" >= {steps}")


def to_last(b):
    b.click("#last") if b.js("return !document.getElementById('last').disabled") else None


# ---- what holds ----

def files_are_typed_and_kept(b, server):
    for path, kind in {"": "text/html", "main.js": "text/javascript", "page.css": "text/css",
                       "icon.svg": "image/svg+xml"}.items():
        status, headers, body = get(server.url + path)
        assert status == 200 and headers["Content-Type"].startswith(kind) and body, path
        assert "script-src 'self'" in headers["Content-Security-Policy"], path
        assert get(server.url + path, **{"If-None-Match": headers["ETag"]})[0] == 304, path
        assert get(server.url + path, **{"If-None-Match": '"another"'})[0] == 200, path
    for path in ("none.js", "index.html/", "../page/main.js", "%2e%2e/main.js"):
        assert get(server.url + path)[0] == 404, path


def typed_puzzle_is_solved(b, server):
    open_page(b, server.url)
    b.click("#clear")
    for i, symbol in enumerate(SUDOKU):
        b.type("Backspace" if symbol == "." else symbol, *(["Right"] if i % 9 < 8 else ["Down"] + ["Left"] * 8))
    assert b.js(SYMBOLS) == SUDOKU
    b.type("Enter")
    b.wait(LAST + " === 16")
    b.type("End")
    assert b.js(SYMBOLS) == SOLVED
    assert "Solved in" in b.wait(STATUS) and "100 % of the open cells right" in b.js(STATUS)


def pasted_puzzles_find_their_model(b, server):
    open_page(b, server.url)
    paste(b, MAZE)
    assert b.js("return document.getElementById('model').value") == "maze10"
    solve(b, 8)
    to_last(b)
    assert b.js("return document.querySelectorAll('[data-cell] rect[fill=\"#FFDC00\"]').length") > 5
    b.wait(STATUS + ".includes('Solved')")
    drawn = "+-------+\n".join(["5 3 . | . 7 . | . . .\n6 . . | 1 9 5 | . . .\n. 9 8 | . . . | . 6 .\n",
                                "8 . . | . 6 . | . . 3\n4 . . | 8 . 3 | . . 1\n7 . . | . 2 . | . . 6\n",
                                ". 6 . | . . . | 2 8 .\n. . . | 4 1 9 | . . 5\n. . . | . 8 . | . 7 9\n"])
    paste(b, drawn)
    assert b.js(SYMBOLS) == SUDOKU
    paste(b, "no puzzle")
    assert "no puzzle of a model" in b.js(MESSAGE) and b.js(SYMBOLS) == SUDOKU


def maze_is_drawn(b, server):
    open_page(b, server.url + "#model=maze10")
    b.click("#clear")
    b.js("window.scrollTo(0, 0)")
    box = b.js("const r = document.querySelector('.board').getBoundingClientRect(); return [r.x, r.y, r.width]")
    cell = box[2] / 10
    b.drag([(box[0] + cell * (i + 0.5), box[1] + cell * 2.5) for i in range(5)])
    assert b.js("return document.querySelectorAll('[data-cell] rect[fill=\"#333333\"]').length") == 5

    # The way has a form beside its colour.
    b.click("#examples button")
    solve(b, 8)
    to_last(b)
    assert b.js(SYMBOLS).count("o") == b.js("return document.querySelectorAll('[data-cell] rect[fill=\"#FFDC00\"]').length") > 0


def steps_are_watched(b, server):
    open_page(b, server.url)
    b.click("#examples button:nth-child(3)")
    solve(b)
    b.click("#first")
    assert b.js(AT) == 0
    b.type(".")
    assert b.js(AT) == 1 and "Step 1 of 16" in b.js(STATUS)
    changed = b.js("return document.querySelectorAll('#boards .changed .corner').length")
    assert changed > 20 and f"{changed} changed" in b.js(STATUS), changed
    b.type(".", ",", "p")
    b.wait(AT + " >= 3")  # it plays
    b.type("p")
    still = b.js(AT)
    time.sleep(0.7)
    assert b.js(AT) == still
    b.js("const s = document.getElementById('scrub'); s.value = 5; s.dispatchEvent(new Event('input'))")
    assert "Step 5 of 16" in b.js(STATUS)


def broken_rules_are_seen(b, server):
    open_page(b, server.url)
    b.click("#clear")
    b.type("7", "Right", "7")
    assert b.js("return document.querySelectorAll('#boards .violating .hatch').length") == 2
    assert "no solution" in b.js(STATUS)
    b.click("#solve")
    b.wait(MESSAGE)  # the server's refusal
    assert "twice" in b.js(MESSAGE)


def links_bring_the_puzzle(b, server):
    open_page(b, server.url + "#model=sudoku4&puzzle=1...341221434.21&steps=3")
    assert b.js(SYMBOLS) == "1...341221434.21"
    solve(b, 3)
    assert b.js(LAST) == 3
    b.click("#link")
    b.wait("return location.hash.includes('puzzle=1...341221434.21') && location.hash.includes('steps=3')")
    open_page(b, server.url + "#model=none&puzzle=%3Cimg%20src=x%20onerror=alert(1)%3E")
    assert "is not here" in b.js(MESSAGE)


def pictures_are_svg(b, server):
    open_page(b, server.url)
    solve(b)
    for button, moving in (("save", False), ("save-moving", True)):
        b.js("window.saved = null; URL.createObjectURL = (blob) => { blob.text().then(t => { saved = t; });"
             " return 'about:blank'; }; HTMLAnchorElement.prototype.click = () => {};")
        b.click(f"#{button}")
        text = b.wait("return window.saved")
        found = b.js("const d = new DOMParser().parseFromString(arguments[0], 'image/svg+xml');"
                     "return [d.querySelector('parsererror') === null, d.querySelectorAll('animate').length,"
                     "d.querySelectorAll('text').length]", text)
        assert found[0] and found[1] == (17 if moving else 0) and found[2] > 17, found
        assert "var(" not in text and "<script" not in text
        b.saved[button] = text


def two_tabs_at_once(b, server):
    first = b.do("GET", "/window")
    open_page(b, server.url)
    b.click("#solve")
    second = b.do("POST", "/window/new", {"type": "tab"})["handle"]
    b.do("POST", "/window", {"handle": second})
    open_page(b, server.url + "#model=sudoku6")
    b.click("#solve")
    b.wait(LAST + " === 16")
    b.do("DELETE", "/window")
    b.do("POST", "/window", {"handle": first})
    b.wait(LAST + " === 16")


def two_models_side_by_side(b, program):
    with tempfile.TemporaryDirectory() as folder:
        models = os.path.join(os.path.dirname(os.path.realpath(program)), "models")
        shutil.copy(os.path.join(models, "sudoku4.safetensors"), os.path.join(folder, "copy.safetensors"))
        server = Server(program, "sudoku4", os.path.join(folder, "copy.safetensors"), "--port", "0")
        try:
            open_page(b, server.url)
            b.js("const s = document.getElementById('beside'); s.selectedIndex = 1; s.dispatchEvent(new Event('change'))")
            solve(b)
            b.click("#last")
            captions = b.js("return [...document.querySelectorAll('figcaption')].map(c => c.textContent)")
            assert len(captions) == 2 and all("step 16" in c for c in captions), captions
        finally:
            server.end()


def choose_beside(b, text):
    b.js("const s = document.getElementById('beside');"
         "s.selectedIndex = [...s.options].findIndex((o) => o.text.includes(arguments[0]));"
         "s.dispatchEvent(new Event('change'))", text)


def latents_are_read(b, server):
    # Of a maze z_L reads as something else than the answer.
    open_page(b, server.url + "#model=maze10")
    choose_beside(b, "z_L")
    solve(b, 8)
    b.click("#last")
    captions = b.js("return [...document.querySelectorAll('figcaption')].map(c => c.textContent)")
    assert len(captions) == 2 and captions[1].startswith("z_L · "), captions
    same = int(captions[1].split()[2])
    boards = b.js("return [...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('[data-cell]')]"
                  ".map(c => c.querySelector('rect').getAttribute('fill')))")
    assert same == sum(x == y for x, y in zip(*boards)) and 0 < same < 100, captions
    b.click("#link")
    b.wait("return location.hash.includes('latent=z_L')")
    open_page(b, b.js("return location.href"))
    assert len(b.js("return [...document.querySelectorAll('figure')].map(f => 1)")) == 2


def views_agree(b, server):
    open_page(b, server.url + "#model=sudoku9&views=8")
    solve(b)
    b.click("#last")
    b.wait("return document.querySelectorAll('figure.chosen').length === 1")
    boards = b.js("return [...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('[data-cell]')]"
                  ".map(c => c.querySelector('text')?.textContent ?? '.').join(''))")
    assert boards == [SOLVED] * 8, boards
    open_page(b, server.url + "#model=sudoku6")  # whose boxes are not square
    assert b.js("return [...document.getElementById('views').options].map(o => o.value)") == ["1", "2", "4"]


def lost_server_is_told(b, program):
    server = Server(program, "sudoku9", "--port", "0")
    try:
        open_page(b, server.url)
        b.js("const s = document.getElementById('steps'); s.value = 1024")
        b.click("#solve")
        b.wait(LAST + " >= 3")
        server.end(signal.SIGKILL)
        assert "does not answer" in b.wait(MESSAGE)
        assert b.js(LAST) >= 3  # what was computed stays
        b.click("#solve")
        b.wait(MESSAGE)
    finally:
        server.end()


def key_is_asked_for(b, program):
    key = "0123456789abcdef0123456789abcdef"
    with tempfile.NamedTemporaryFile("w") as keys:
        keys.write(key + "\n")
        keys.flush()
        server = Server(program, "sudoku4", "--port", "0", "--api-key-file", keys.name)
        try:
            b.open(server.url)
            b.wait("return !document.getElementById('key').hidden")
            b.js("document.getElementById('key-text').focus()")
            b.type(key, "Enter")
            b.wait(READY)
            solve(b)
        finally:
            server.end()


def calm_where_asked_for(b, server):
    b.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    open_page(b, server.url)
    solve(b)
    assert b.js(AT) == b.js(LAST) and b.js("return document.getElementById('play').ariaLabel") == "Play"
    b.devtools("Emulation.setEmulatedMedia", features=[])


def every_kind_is_taken(b, made):
    """Untrained models answer anything, so what is held is what they are asked, and that it is shown."""
    program, maker, shots = made
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([maker, folder], check=True)
        names = ("arc", "letters", "sudoku16")
        server = Server(program, *(f"{folder}/{name}.safetensors" for name in names), "--port", "0")
        try:
            open_page(b, server.url + "#model=arc")
            for text, model, cells in ((json.dumps([[0, 1, 2], [3, 4, 5]]), "arc", 6), ("012\n345\n678\n999", "arc", 12),
                                       ("abc/cab", "letters", 6), ("1G" + "." * 254, "sudoku16", 256)):
                paste(b, text)
                assert not b.js(MESSAGE), b.js(MESSAGE)
                assert b.js("return document.getElementById('model').value") == model
                assert b.js("return document.querySelectorAll('#boards [data-cell]').length") == cells
                b.click("#solve")
                b.wait(LAST + " === 4")
                b.wait(STATUS + ".includes('solved') || " + STATUS[7:] + ".includes('Done')")
                b.click("#last") if b.js("return !document.getElementById('last').disabled") else None
                if shots:
                    b.shot(os.path.join(shots, f"{model}-{cells}.png"))
            # A colour is chosen and drawn.
            paste(b, "000\n000")
            b.click("#pad button:nth-child(3)")
            b.click("#boards [data-cell='4']")
            assert b.js("return document.getElementById('text').value") == "000/020"
        finally:
            server.end()


def looks(b, server, shots):
    """Screenshots, where they are wanted; on a phone nothing is wider than it."""
    def shot(name):
        if shots:
            b.shot(os.path.join(shots, name + ".png"))

    for scheme in ("light", "dark"):
        b.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        open_page(b, server.url)
        b.click("#examples button:nth-child(3)")
        shot(f"{scheme}-question")
        solve(b)
        b.click("#first")
        b.click("#next")
        shot(f"{scheme}-step")
        open_page(b, server.url + "#model=maze10")
        solve(b, 8)
        b.click("#first")
        b.click("#next")
        shot(f"{scheme}-maze")
    b.devtools("Emulation.setEmulatedMedia", features=[])
    b.devtools("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    open_page(b, server.url)
    solve(b)
    shot("phone")
    assert b.js("return document.documentElement.scrollWidth") <= 360
    b.devtools("Emulation.clearDeviceMetricsOverride")


def axe_finds_nothing(b, server):
    script, lacks = axe.source()
    if not script:
        return lacks
    for scheme in ("light", "dark"):
        b.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for place, steps in (("", 16), ("#model=maze10&views=4", 8)):
            open_page(b, server.url + place)
            for solved in (False, True):
                if solved:
                    solve(b, steps)
                    b.click("#first")
                    b.click("#next")
                time.sleep(0.4)  # colours come to rest
                found = axe.violations(b, script)
                assert not found, json.dumps(found, indent=1)
    b.devtools("Emulation.setEmulatedMedia", features=[])
    return None


def holds(b, test, what):
    """Says whether it does."""
    try:
        skipped = test(b, what)
        print(f"{'skipped' if skipped else 'ok':8}{test.__name__}{': ' + skipped if skipped else ''}", flush=True)
        return True
    except (AssertionError, RuntimeError) as error:
        line = error.__traceback__.tb_next.tb_lineno
        print(f"FAILED  {test.__name__}, line {line}: {error}", flush=True)
        return False


def main():
    program, maker, shots = (sys.argv + [None])[1:4]
    lacks = webdriver.missing()
    server = None if lacks else Server(program, "--port", "0")
    if server and not server.url.startswith("http"):
        lacks = "this trm has no server: " + server.process.stderr.read().strip()
    if lacks:
        print(f"skipped: {lacks}")
        return 77
    b = webdriver.Browser()
    b.saved = {}
    failed = 0
    try:
        for test, what in ((files_are_typed_and_kept, server), (typed_puzzle_is_solved, server),
                           (pasted_puzzles_find_their_model, server), (maze_is_drawn, server),
                           (steps_are_watched, server), (broken_rules_are_seen, server),
                           (links_bring_the_puzzle, server), (pictures_are_svg, server),
                           (two_tabs_at_once, server), (two_models_side_by_side, program),
                           (latents_are_read, server),
                           (views_agree, server), (lost_server_is_told, program), (key_is_asked_for, program),
                           (calm_where_asked_for, server), (every_kind_is_taken, (program, maker, shots)), (axe_finds_nothing, server)):
            failed += not holds(b, test, what)
        looks(b, server, shots)
        for name, text in b.saved.items():
            if shots:
                with open(os.path.join(shots, name + ".svg"), "w") as file:
                    file.write(text)
    finally:
        b.close()
        server.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
