"""The viewers in a browser: a 512³ map, a 4096² micrograph with 1,000 picks, a table of 1,000,000 rows, and surfaces.

    python bench/views.py [FOLDER]

FOLDER (default: a temporary one) keeps the made project, about 1.2 GB. Wanted: first slice below 0.5 s, every further one below 0.1 s; micrograph
below 1 s; first page of the table below 1 s before it was ever parsed; subset by range below 2 s. Times are wall times seen by the page.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np

SERVER = """
import sys, uvicorn
from verglas.api.project import open_project
from verglas.web.places import admit
print(admit(open_project(sys.argv[1])), flush=True)
from verglas.web.app import build
uvicorn.run(build(), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""
FETCH = """async url => { const start = performance.now(); const a = await fetch(url); await a.arrayBuffer();
return [performance.now() - start, a.status]; }"""
READY = """window.ready = 0; new MutationObserver(() => {
if (!ready && document.querySelector('canvas[data-ready=true], canvas[data-shown], .ag-cell')) ready = performance.now();
}).observe(document, {subtree: true, childList: true, attributes: true});"""
STEPS = """async axis => { const frame = document.querySelectorAll('.vg-frame')[axis], canvas = frame.querySelector('canvas.vg-slice'), times = [];
for (let k = 0; k < 30; k++) { const old = canvas.dataset.shown, start = performance.now();
frame.dispatchEvent(new KeyboardEvent('keydown', {key: k % 2 ? 'PageDown' : 'ArrowUp'}));
while (canvas.dataset.shown === old) await new Promise(next => setTimeout(next, 1)); times.push(performance.now() - start); } return times; }"""
MEANWHILE = """async ([slow, quick]) => { let done = false; const start = performance.now(), times = [];
const work = fetch(slow).then(a => a.arrayBuffer()).then(() => { done = true; });
while (!done) { const begun = performance.now(); await (await fetch(quick)).arrayBuffer(); times.push(performance.now() - begun); }
await work; return [performance.now() - start, times]; }"""
POST = """async ([url, body]) => { const start = performance.now();
const a = await fetch(url, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
return [performance.now() - start, a.status, await a.text()]; }"""


def make(root: Path) -> None:
    """The project, unless it is there."""
    from verglas.io.mrc import StackWriter
    from verglas.io.star import Table, write_star
    from verglas.io.star_rows import text_column
    from verglas.project.layout import create_project

    if (root / "default_pipeline.star").exists():
        return
    create_project(root)
    rng = np.random.default_rng(0)
    z, y, x = (np.arange(512, dtype=np.float32) - 256 for _ in range(3))
    with StackWriter(root / "map32.mrc", 0.8) as single, StackWriter(root / "map16.mrc", 0.8, "float16") as half:
        for height in z:
            radius = np.sqrt(height**2 + y[:, None] ** 2 + x**2)
            section = (120.0 - radius + 20.0 * np.sin(x / 9.0) * np.sin(y[:, None] / 9.0) + rng.normal(0, 2, (512, 512))).astype(np.float32)
            single.append(section[None])
            half.append(section[None])
    with StackWriter(root / "mic.mrc", 1.0) as stack:
        stack.append(rng.normal(size=(1, 4096, 4096)).astype(np.float32))
    picks = {"rlnMicrographName": text_column(["mic.mrc"] * 1000), "rlnCoordinateX": rng.uniform(0, 4096, 1000),
             "rlnCoordinateY": rng.uniform(0, 4096, 1000), "rlnAutopickFigureOfMerit": rng.uniform(size=1000)}
    write_star(root / "picks.star", {"particles": Table(picks)})
    rows = 1_000_000
    columns = {f"rlnColumn{k}": rng.normal(size=rows).round(4) for k in range(26)} | {"rlnDefocusU": rng.uniform(5e3, 3e4, rows).round(2)}
    columns["rlnImageName"] = text_column(f"{k % 300 + 1:06d}@Extract/job009/m{k // 300:05d}.mrcs" for k in range(rows))
    write_star(root / "million.star", {"particles": Table(columns)})


def main(root: Path) -> None:
    from playwright.sync_api import sync_playwright

    make(root)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home}
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(root), str(port)], env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            base = f"http://127.0.0.1:{port}/p/{server.stdout.readline().strip()}"
            _wait(f"http://127.0.0.1:{port}/static/view.css")
            with sync_playwright() as engine:
                measure(engine, base)
        finally:
            server.terminate()
            server.wait()


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            urlopen(url)
            return
        except OSError:
            time.sleep(0.2)


def measure(engine, base: str) -> None:
    """Print a line for each time."""
    from urllib.parse import quote

    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    browser = engine.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"])
    page = browser.new_page(viewport={"width": 1440, "height": 900})

    page.add_init_script(READY)

    def fetch(title: str, path: str) -> float:
        milliseconds, status = page.evaluate(FETCH, f"{base}/data{path}")
        assert status == 200, (title, status)
        print(f"{title}: {milliseconds / 1000:.3f} s")
        return milliseconds

    def told(title: str, times: list[float]) -> None:
        print(f"{title}: median {statistics.median(times) / 1000:.3f} s, most {max(times) / 1000:.3f} s")

    page.goto(f"{base}/view/plots?file=picks.star")
    for when in ("never opened before, all scripts loaded anew", "again"):
        page.goto(f"{base}/view/volume?file=map32.mrc", wait_until="commit")
        page.wait_for_selector("canvas[data-shown]", timeout=60000)
        print(f"page with the first slice of 512³ drawn, {when}: {page.evaluate('ready') / 1000:.3f} s")
    for axis, name in enumerate("zyx"):
        told(f"from a key to the next slice along {name} on the page", page.evaluate(STEPS, axis))
    for kind in ("map32", "map16"):
        fetch(f"{kind} 512³, facts and contrast", f"/volume?file={kind}.mrc")
        fetch(f"{kind} 512³, first slice", f"/volume/slice?file={kind}.mrc&axis=0&index=255")
        for axis, name in enumerate("zyx"):
            times = [page.evaluate(FETCH, f"{base}/data/volume/slice?file={kind}.mrc&axis={axis}&index={k}")[0] for k in range(40, 460, 30)]
            told(f"{kind} 512³, further slices along {name}", times)

    def meanwhile(title: str, slow: str) -> None:
        """Slices that are asked for while something slow is made."""
        whole, times = page.evaluate(MEANWHILE, [f"{base}/data{slow}", f"{base}/data/volume/slice?file=map32.mrc&axis=0&index=200"])
        told(f"{title}: {whole / 1000:.3f} s; slices meanwhile", times)

    meanwhile("surface of map32 reduced to 128³, first", "/volume/surface?file=map32.mrc")
    meanwhile("surface of map16 reduced to 128³, first", "/volume/surface?file=map16.mrc")
    fetch("surface, another threshold", "/volume/surface?file=map32.mrc&level=20")
    for when in ("with all scripts loaded anew", "again"):
        page.goto(f"{base}/view/micrographs?file=picks.star", wait_until="commit")
        page.wait_for_selector("canvas[data-ready=true]", timeout=60000)
        print(f"page with the micrograph of 4096² and 1,000 picks drawn, {when}: {page.evaluate('ready') / 1000:.3f} s")
    fetch("micrograph of 4096², another filter", "/image/picture?file=mic.mrc&lowpass=20")
    page.goto(f"{base}/view/table?file=million.star", wait_until="commit")
    page.wait_for_selector(".ag-cell", timeout=60000)
    print(f"page with the first rows of the table, never parsed before: {page.evaluate('ready') / 1000:.3f} s")
    meanwhile("table parsed and kept (in the background of the page)", "/table/rows?file=million.star&block=particles&sort=rlnColumn0")
    fetch("first page", "/table/rows?file=million.star&block=particles")
    fetch("page of another order", "/table/rows?file=million.star&block=particles&sort=rlnDefocusU&start=500000")
    fetch("two columns as a plot", "/table/scatter?file=million.star&block=particles&x=rlnDefocusU&y=rlnColumn1")
    where = quote('[{"column": "rlnDefocusU", "low": 10000, "high": 20000}, {"column": "rlnColumn1", "low": 0}]')
    fetch("rows of two ranges", f"/table/rows?file=million.star&block=particles&where={where}")
    for title, low in (("one range", []), ("two ranges, 200,000 names", [{"column": "rlnColumn1", "low": 0.0}])):
        body = {"file": "million.star", "block": "particles", "where": [{"column": "rlnDefocusU", "low": 10000.0, "high": 20000.0}, *low]}
        milliseconds, status, text = page.evaluate(POST, [f"{base}/data/table/subset", body])
        print(f"subset job of {title}: {milliseconds / 1000:.3f} s ({text if status == 200 else status})")
    browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder) / "project")
