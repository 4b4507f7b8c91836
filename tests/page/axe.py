"""axe-core, which looks for what of a page is not accessible; pip brings it into a folder of the test's."""
import os
import subprocess
import sys
import tempfile
import zipfile

AXE = "axe-playwright-python==0.1.8"  # which has axe-core 4.12.1


def source():
    """Its script; None, and why, where it cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        got = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, AXE],
                             capture_output=True, timeout=300)
        wheels = [name for name in os.listdir(folder) if name.endswith(".whl")]
        if got.returncode or not wheels:
            return None, f"pip could not fetch {AXE}"
        with zipfile.ZipFile(os.path.join(folder, wheels[0])) as wheel:
            return wheel.read("axe_playwright_python/axe.min.js").decode(), None


def violations(b, script):
    """What it finds on the page that is open: rules, and where they are broken."""
    b.do("POST", "/timeouts", {"script": 120000})  # milliseconds; a machine may be busy
    b.js(script + "; window.axe = axe")
    return b.js_async("const end = arguments[0]; axe.run().then(r => end(r.violations.map("
                      "v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))])))")
