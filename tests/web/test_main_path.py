"""The main path by clicks, on small movies: new project, import, run, watch, look at every viewer, subset, report to send."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from verglas.api import new_project, open_project
from verglas.project.ask import How

REST = """about = "From aligned micrographs to a map"
[ctf]
run = "ctf"
micrographs = "MotionCorr/job002/corrected_micrographs.star"
max_resolution = 8
[pick]
run = "pick log"
micrographs = "@ctf"
min_diameter = 110
max_diameter = 160
[extract]
run = "extract"
micrographs = "@ctf"
coordinates = "@pick"
box = 88
rescale = 44
[classes]
run = "class2d"
particles = "@extract"
mask_diameter = 180
classes = 4
iterations = 200
[initial]
run = "initialmodel"
particles = "@extract"
mask_diameter = 180
symmetry = "D2"
mini_batches = 20
[refine]
run = "refine3d"
particles = "@extract"
reference = "@initial"
mask_diameter = 180
symmetry = "D2"
initial_lowpass = 40
max_iterations = 4
[mask]
run = "mask"
map = "@refine"
[sharpen]
run = "postprocess"
half1 = "@refine"
half2 = "@refine"
mask = "@mask"
"""
VIEWS = (("MotionCorr/job002", "corrected_micrographs.star", "Motion", ".vg-details canvas"),
         ("CtfFind/job003", "micrographs_ctf.star", "CTF", ".ag-cell:has-text('movie_000')"),
         ("AutoPick/job004", "autopick.star", "Micrographs", "canvas[data-ready=true]"),
         ("Extract/job005", "particles.star", "Particles", ".vg-sheet img"),
         ("Class2D/job006", "_classes.mrcs", "Classes", ".vg-tile >> nth=3"),
         ("Refine3D/job008", "run_class001.mrc", "Slices and surface", "canvas.vg-slice"),
         ("PostProcess/job010", "postprocess.star", "Curves", ".vg svg path"),
         ("Extract/job005", "particles.star", "Table", ".ag-cell:has-text('000001@')"))
"""Job, file, name of the button, sign that it is drawn."""


@dataclass
class Watched:
    """A page, and all that it asked for and complained of."""

    page: Any
    origin: str
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda one: self.wrong.append(one.text) if one.type == "error" else None)
        self.page.on("response", lambda one: self.wrong.append(f"{one.status} {one.url}") if one.status >= 400 else None)
        self.page.on("request", lambda one: None if one.url.startswith((self.origin, "data:", "blob:")) else self.wrong.append(one.url))

    def button(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.page.locator(f'input[data-field="{name}"]').fill(value)

    def ended(self) -> None:
        """The page of a job until it says so, without being loaded again."""
        self.page.locator(".page .state.Succeeded").wait_for(timeout=120_000)

    def fine(self, where: str) -> None:
        assert not self.wrong, (where, self.wrong)
        told = self.page.locator(".vg-notice.bad:visible, .problem:visible").all_inner_texts()
        assert not told, (where, told)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_movies_to_a_report_by_clicks(server_of: Any, page: Any, tmp_path: Path) -> None:
    from verglas.testing.movies import write_movies

    write_movies(tmp_path / "microscope", 3)
    server = server_of()
    at = Watched(page, server.origin)
    page.goto(f"{server.origin}/?token={server.token}")
    root = tmp_path / "mine"
    _import(at, root, tmp_path / "microscope")
    (root / "rest.toml").write_text(REST)
    _run_the_rest(at)
    for job, file, words, sign in VIEWS:
        _look(at, job, file, words, sign)
    _subset(at)
    _report(at, tmp_path)
    _keep(at, root)
    assert len(open_project(root).jobs()) == 11
    assert "Traceback" not in server.log.read_text()


def _import(at: Watched, root: Path, movies: Path) -> None:
    """New project, form of import, its result used in motion correction."""
    page = at.page
    card = page.locator("section.card", has_text="New project")
    card.locator("input").fill(str(root))
    card.get_by_role("button", name="Make project").click()
    page.wait_for_url(re.compile(r"/p/[0-9a-f]{10}$"))
    page.get_by_role("button", name="New job").click()
    page.locator("a.type", has_text="Import movies").click()
    page.locator('input[data-field="movies"]').wait_for()
    at.fill(movies=f"{movies}/movie_*.tiff", pixel_size="2.4", voltage="200", cs="1.4", dose="3")
    at.button("Run")
    page.wait_for_url(re.compile("/job/Import/job001$"), timeout=60_000)
    at.ended()
    page.get_by_role("tab", name="Files").click()
    page.locator(".line", has_text="Import/job001/movies.star").last.get_by_role("button", name="Use in").click()
    page.locator(".q-menu .q-item", has_text="Motion correction").click()
    page.locator('input[data-field="movies"]').wait_for()
    assert page.locator('input[data-field="movies"]').input_value() == "Import/job001/movies.star"
    at.button("Run")
    page.wait_for_url(re.compile("/job/MotionCorr/job002$"), timeout=60_000)
    at.ended()
    at.fine("import and motion")


def _run_the_rest(at: Watched) -> None:
    """A workflow of one's own; one of its jobs is watched while it runs."""
    page = at.page
    page.get_by_text("Workflows", exact=True).click()
    page.locator("a.type", has_text="rest").click()
    assert page.locator(".workflow .graph path").count() == 10, "the connections"
    page.locator('[data-stage="classes"] .q-item').first.click()
    page.locator('[data-stage="classes"] input[data-field="iterations"]').fill("120")
    at.button("Run")
    page.get_by_text("0 of 8 jobs done").wait_for(timeout=60_000)
    page.locator(".workflow .graph a", has_text="Class2D/job006").click()
    page.locator(".page .state.Running").wait_for(timeout=120_000)
    page.get_by_text(re.compile("of memory in use")).wait_for()
    page.get_by_text(re.compile(r"Iterations: [1-9]\d* of 120, \d+:\d\d left")).wait_for(timeout=120_000)
    page.locator(".plot canvas").first.wait_for()
    page.locator("pre.log", has_text=re.compile("iteration 4")).first.wait_for(timeout=120_000)
    at.ended()
    page.get_by_text("Workflows", exact=True).click()
    page.locator("a.type", has_text="rest").click()
    page.get_by_text("8 of 8 jobs done").wait_for(timeout=150_000)
    at.fine("the workflow")


def _look(at: Watched, job: str, file: str, words: str, sign: str) -> None:
    """From the list of jobs to the viewer."""
    page = at.page
    page.locator(".drawer a.row-job", has_text=job[-2:].lstrip("0")).first.click()
    page.wait_for_url(re.compile(f"/job/{job}$"))
    page.get_by_role("tab", name="Files").click()
    line = page.locator("section", has_text="What it hands on").locator(".line", has_text=file).last
    line.get_by_role("button", name=words, exact=True).click()
    page.wait_for_url(re.compile(r"/view/"))
    page.locator(sign).first.wait_for(timeout=60_000)
    page.wait_for_timeout(300)
    at.fine(words)


def _subset(at: Watched) -> None:
    """A chosen class becomes a Select job, which stands in the graph below the classification."""
    page = at.page
    page.locator(".drawer a.row-job", has_text="6").first.click()
    page.get_by_role("tab", name="Files").click()
    page.locator(".line", has_text="_classes.mrcs").last.get_by_role("button", name="Classes", exact=True).click()
    page.locator(".vg-tile").first.click()
    page.get_by_role("button", name="Make a subset").click()
    page.locator(".vg-notice a", has_text="Select/job011").click()
    at.ended()
    page.get_by_role("link", name="In the graph").click()
    page.locator(".graph a", has_text="Select/job011").wait_for()
    assert page.locator(".graph a", has_text="Class2D/job006").count() == 1
    at.fine("subset")


def _report(at: Watched, folder: Path) -> None:
    """In the page, and as a file that a colleague opens without any network."""
    page = at.page
    page.locator(".drawer a.row-job", has_text="8").first.click()
    page.get_by_role("tab", name="Report").click()
    page.frame_locator("iframe.report").locator("h1").wait_for(timeout=60_000)
    with page.expect_download() as started:
        page.get_by_role("button", name="Download report").click()
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    assert file.name == "mine-Refine3D-job008.html" and str(folder) not in file.read_text().split("<h3>Command</h3>")[0]
    offline = page.context.browser.new_context(offline=True)
    try:
        alone, asked, wrong = offline.new_page(), list[str](), list[str]()
        alone.on("request", lambda one: asked.append(one.url))
        alone.on("console", lambda one: wrong.append(one.text) if one.type in ("error", "warning") else None)
        alone.on("pageerror", lambda one: wrong.append(str(one)))
        alone.goto(file.as_uri())
        alone.get_by_text("For the methods section of a paper").wait_for()
        assert alone.locator("svg, img").count() > 3
        assert [one for one in asked if not one.startswith(("data:", "blob:"))] == [file.as_uri()], asked
        assert not wrong, wrong
    finally:
        offline.close()
    at.fine("report")


def _keep(at: Watched, root: Path) -> None:
    """The last job with all that it builds on becomes a workflow, which is read again."""
    page = at.page
    page.locator(".drawer a.row-job", has_text="10").first.click()
    page.get_by_role("link", name="Save as a workflow").click()
    page.get_by_placeholder("such as apoferritin").fill("again")
    page.get_by_role("button", name="Save workflow").click()
    page.wait_for_url(re.compile(r"/workflow\?file=again\.toml$"))
    assert page.locator(".workflow .graph rect.box").count() == 9, "without the classes and the subset, which the map does not need"
    assert 'run = "import movies"' in (root / "again.toml").read_text()
    at.fine("workflow from jobs")


@pytest.mark.slow
def test_a_job_is_stopped_ended_goes_on_is_cleaned_and_deleted(server_of: Any, page: Any, tmp_path: Path) -> None:
    from verglas.testing.particle_sets import blobs, write_set

    project = new_project(tmp_path / "p")
    write_set(project.root, blobs(), 200)
    job = project.run("class2d", particles="particles.star", mask_diameter=120, classes=3, iterations=250, how=How(cpus=1))
    server = server_of("--project", str(project.root))
    at = Watched(page, server.origin)
    page.goto(f"{server.origin}{server.base}/job/{job.name}?token={server.token}")
    page.goto(f"{server.origin}{server.base}/job/{job.name}")
    for button, reached in (("Stop", r"(1[2-9]|[2-9]\d|\d{3})"), ("Stop now", r"[12]\d\d")):
        page.get_by_text(re.compile(f"Iterations: {reached} of 250")).wait_for(timeout=120_000)
        at.button(button)
        if button == "Stop now":
            page.locator(".q-dialog").get_by_role("button", name="End it").click()
        page.locator(".page .state.Aborted").wait_for(timeout=60_000)
        at.button("Continue")
        page.locator(".page .state.Running").wait_for(timeout=60_000)
    at.ended()
    assert (job.folder / "run.out").read_text().count("going on after iteration") == 2
    _clean(at, job.folder)
    page.get_by_role("button", name="Delete").click()
    page.locator(".q-dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url(re.compile(r"/p/[0-9a-f]{10}$"))
    page.get_by_text("Trash", exact=True).click()
    page.get_by_role("button", name="Empty the trash").click()
    page.locator(".q-dialog").get_by_role("button", name="for good").click()
    page.get_by_text("Nothing is in the trash.").wait_for()
    assert not (project.root / "Trash" / job.name).exists() and not project.jobs()
    at.fine("the life of a job")


def _clean(at: Watched, folder: Path) -> None:
    """Harshly, which is asked for twice, and put back."""
    page, images = at.page, len(list(folder.glob("*.mrcs")))
    for answer in ("Cancel", "Move"):
        page.get_by_role("button", name="Clean").click()
        page.locator(".q-dialog").get_by_role("button", name=re.compile("^Move .* to the trash")).last.click()
        page.get_by_text("harshly?").wait_for()
        page.locator(".q-dialog", has_text="harshly?").get_by_role("button", name=answer).click()
        if answer == "Cancel":
            page.get_by_text("harshly?").wait_for(state="hidden")
            assert len(list(folder.glob("*.mrcs"))) == images, "nothing goes before it is asked for twice"
    page.get_by_text("files are in the trash").wait_for()
    assert len(list(folder.glob("*.mrcs"))) < images
    page.get_by_text("Trash", exact=True).click()
    page.get_by_role("button", name="Put back").click()
    page.get_by_text("Nothing is in the trash.").wait_for()
    assert len(list(folder.glob("*.mrcs"))) == images
    page.locator(".drawer a.row-job").first.click()
