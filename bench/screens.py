"""Every page of a project in Chromium, in two widths and two colours: pictures for docs/screens, and what the browser complained of.

    python bench/screens.py PROJECT [--to docs/screens] [--widths 1440,1024] [--modes light,dark] [--only WORDS]

The pages: the lists, some forms with their wizards, a surface, a page of each type of job with its report, and each viewer on the first file that it
fits. PROJECT is not written to. Ends with 1 where a page has an error, nothing was drawn, or it is wider than the window.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from verglas.api import open_project
from verglas.jobs.outputs import accepts
from verglas.web.viewers import viewers_of
from web import CHROMIUM, start

READY = {"volume": "canvas", "classes": ".vg-tile", "particles": ".vg-sheet img", "micrographs": "canvas[data-ready=true]", "ctf": ".ag-cell",
         "motion": ".ag-cell", "plots": ".vg svg, .vg img", "table": ".ag-cell"}
"""Viewer -> what is there once it has drawn."""
TABS = ("CtfFind", "Class2D", "Refine3D")
"""Folders of the jobs whose files and report are shown too."""
WIZARDS = {"class2d": ("particles", "mask_diameter"), "pick log": ("micrographs", "threshold"), "mask": ("map", "threshold"),
           "ctf": ("micrographs", "min_defocus")}
"""Job -> the input that its wizard looks at, and a field that it stands beside."""
KEPT = ("trash", "new-import-movies", *(f"wizard-{one.replace(' ', '-')}" for one in WIZARDS), "surface", "projects",
        "jobs", "graph", "new", "workflow", "workflows", "new-refine3d", "new-class2d", "job-Class2D", "job-Refine3D", "files-Refine3D",
        "report-Class2D", "view-volume-Refine3D", "view-classes-Class2D", "view-particles-Extract", "view-micrographs-AutoPick", "view-ctf-CtfFind",
        "view-motion-MotionCorr", "view-plots-Refine3D", "view-table-Extract")
"""Pages of which a picture is kept; all are visited."""
MOST_BYTES = 60_000
CHECK = "button:has-text('Check and forecast')"


def pages(root: Path) -> Iterator[tuple[str, str, str]]:
    """(name, path below the project, sign that it is drawn)."""
    project = open_project(root, read_only=True)
    yield "projects", "/../../", "main.page"
    yield from (("jobs", "", ".q-table tbody tr"), ("graph", "/graph", ".graph svg"), ("new", "/new", "a.type"), ("trash", "/trash", "main.page"),
                ("workflows", "/workflows", "a.type"), ("workflow", "/workflow?name=betagal", ".workflow .graph svg"))
    for job in ("refine3d", "class2d", "import movies"):
        yield f"new-{job.replace(' ', '-')}", f"/new/{quote(job)}", CHECK
    for job, (given, field) in WIZARDS.items():
        fitting = [one.name for one in project.pipeline.nodes if accepts(given, one) and (root / one.name).is_file()]
        for name in fitting[-1:]:
            yield f"wizard-{job.replace(' ', '-')}", f"/new/{quote(job)}?{given}={quote(name)}!{field}", CHECK
    for one in [one.name for one in project.pipeline.nodes if "DensityMap" in one.type and (root / one.name).is_file()][-1:]:
        yield "surface", f"/view/volume?file={quote(one)}!", READY["volume"]
    seen: set[str] = set()
    for process in project.pipeline.processes:
        kind = process.name.partition("/")[0]
        if kind not in seen:
            seen.add(kind)
            yield f"job-{kind}", f"/job/{process.name}", ".page .state"
            for tab in ("Files", "Report") if kind in TABS else ():
                yield f"{tab.lower()}-{kind}", f"/job/{process.name}#{tab}", ".page .state"
    for node in project.pipeline.nodes:
        for viewer in viewers_of(node) if (root / node.name).is_file() else ():
            kind = f"{node.name.partition('/')[0]}-{viewer}"
            if kind not in seen:
                seen.add(kind)
                yield f"view-{viewer}-{node.name.partition('/')[0]}", f"/view/{viewer}?file={quote(node.name)}", READY[viewer]


def visit(page: Any, address: str, sign: str) -> str:
    """Go there and wait until it is drawn; what is wrong with it."""
    place, opens, field = address.partition("!")
    place, _, tab = place.partition("#")
    page.goto(place, wait_until="commit")
    try:
        page.locator(sign).first.wait_for(timeout=30000)
    except Exception:
        return f"nothing like {sign} within 30 s"
    if tab:
        page.get_by_role("tab", name=tab).click()
        if tab == "Report" and page.locator("iframe.report").count():
            page.frame_locator("iframe.report").locator("h1").first.wait_for()
    if field:
        look(page, field)
    elif opens:
        page.get_by_text("Surface", exact=True).click()
        page.get_by_text("triangles").wait_for()
    page.wait_for_timeout(700)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        return "wider than the window"
    return " | ".join(page.locator(".vg-notice.bad:visible, .problem:visible").all_inner_texts())


def look(page: Any, field: str) -> None:
    """Open the wizard beside a field, and wait for what it finds."""
    row = page.locator(".field", has=page.locator(f'[data-field="{field}"]'))
    if not row.count():
        page.get_by_text("Advanced:").click()
    row.get_by_role("button", name="Look").click()
    page.locator(".wizard .vg-button.main:enabled").wait_for(timeout=90000)
    page.wait_for_timeout(4000)


def keep(page: Any, path: Path) -> None:
    """The window as WebP of at most MOST_BYTES."""
    from PIL import Image

    picture = Image.open(io.BytesIO(page.screenshot()))
    for share, quality in ((1, 50), (1, 20), (0.6, 30), (0.4, 20)):
        small = picture.resize((round(picture.width * share), round(picture.height * share)))
        small.save(path, quality=quality, method=4)
        if path.stat().st_size <= MOST_BYTES:
            return


def main() -> int:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--to", type=Path, default=Path("docs/screens"))
    parser.add_argument("--widths", default="1440,1024")
    parser.add_argument("--modes", default="light,dark")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        process, address, token, _ = start(given.project, Path(home), "--read-only")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"])
        try:
            page = browser.new_page(color_scheme="null")  # otherwise frames are told to be light
            said: list[str] = []
            page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
            page.on("pageerror", lambda one: said.append(str(one)))
            page.on("response", lambda one: said.append(f"{one.status} {one.url}") if one.status >= 400 else None)
            page.goto(f"{address}?token={token}")
            for mode in given.modes.split(","):
                page.context.add_cookies([{"name": "verglas_mode", "value": mode, "url": address.partition("/p/")[0]}])
                for width in given.widths.split(","):
                    page.set_viewport_size({"width": int(width), "height": int(width) * 5 // 8})
                    for name, path, sign in pages(given.project):
                        if given.only and not any(one in name for one in given.only.split(",")):
                            continue
                        said.clear()
                        problem = " | ".join(filter(None, [visit(page, address + path, sign), *said]))
                        if name in KEPT:
                            keep(page, given.to / f"{name}-{width}-{mode}.webp")
                        wrong += [f"{name} {width} {mode}: {problem}"] if problem else []
                        print(f"{name} {width} {mode} {problem or 'drawn'}", flush=True)
        finally:
            browser.close()
            process.terminate()
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
