"""A browser by W3C WebDriver: Chromium, which chromedriver drives. Standard library alone."""
import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015",
        "Backspace": "\ue003", "Home": "\ue011", "End": "\ue010", "Tab": "\ue004", "Control": "\ue009"}
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def missing():
    """What of a browser is not here, in words; None: nothing."""
    if not any(map(shutil.which, CHROMIUMS)):
        return "there is no Chromium (the package chromium)"
    if not shutil.which("chromedriver"):
        return "there is no chromedriver (the package chromium-driver)"
    return None


class Browser:
    def __init__(self, width=1200, height=950):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                f"--window-size={width},{height}"]
        binary = next(filter(None, map(shutil.which, CHROMIUMS)))
        wanted = {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": args, "binary": binary},
            "goog:loggingPrefs": {"browser": "ALL"}}}}
        for _ in range(100):
            try:
                self.session = self.call("POST", "/session", wanted)["sessionId"]
                break
            except urllib.error.URLError as error:
                if isinstance(error, urllib.error.HTTPError):
                    raise
                time.sleep(0.1)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"].split("\n")[0]) from None

    def do(self, method, path, body=None):
        return self.call(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self.do("POST", "/url", {"url": "about:blank"})
        self.do("POST", "/url", {"url": url})

    def js(self, script, *args):
        return self.do("POST", "/execute/sync", {"script": script, "args": args})

    def js_async(self, script, *args):
        return self.do("POST", "/execute/async", {"script": script, "args": args})

    def devtools(self, command, **params):
        return self.do("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def click(self, css):
        found = self.do("POST", "/element", {"using": "css selector", "value": css})
        self.do("POST", f"/element/{found[ELEMENT]}/click", {})

    def type(self, *keys):
        """Texts, and names of KEYS, to what has the focus."""
        pressed = [k for word in keys for k in ([KEYS[word]] if word in KEYS else word)]
        actions = [{"type": t, "value": k} for k in pressed for t in ("keyDown", "keyUp")]
        self.do("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def drag(self, places):
        """The pointer is pressed at the first place of the page, and led over the others."""
        moves = [{"type": "pointerMove", "duration": 0, "x": int(x), "y": int(y)} for x, y in places]
        down, up = ({"type": f"pointer{t}", "button": 0} for t in ("Down", "Up"))
        self.do("POST", "/actions", {"actions": [
            {"type": "pointer", "id": "mouse", "actions": [moves[0], down, *moves[1:], up]}]})

    def wait(self, script, seconds=60):
        """Until the script returns something; what that is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.js(script)
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"never became true: {script}")

    def log(self):
        return [e["message"] for e in self.do("POST", "/se/log", {"type": "browser"})]

    def shot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.do("GET", "/screenshot")))

    def close(self):
        try:
            self.do("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()
