"""Pages of the jobs from motion correction to extraction: numbers, pictures, findings, failures, live rounds, size and time."""

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import micrograph_folders as made
import numpy as np
import pytest
from report_folders import HOSTILE
from test_report import Page

from verglas.io.star import Table, write_star
from verglas.jobs.each import each
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.report import load_micrographs, load_shown, plots_micrographs
from verglas.report.build import build_report
from verglas.report.data import ReportData
from verglas.report.findings import findings
from verglas.report.load import load_report
from verglas.report.load_rows import path_length, steps_of
from verglas.report.micrograph_data import Column, MotionShown, Processed, Quantity
from verglas.report.micrograph_findings import CHECKS
from verglas.report.micrograph_gallery import tracks
from verglas.testing.data import shared_data
from verglas.testing.items import Square


def page_of(folder: Path, out: Path | None = None) -> tuple[str, Page]:
    """The page without its script; tags nest, nothing comes from elsewhere, the only script is the one that sorts."""
    text = build_report(folder, out).read_text(encoding="utf-8")
    assert not re.search(r"https?://", text) and text.count("<script") <= 1
    bare = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    page = Page(bare)
    assert not any(tag in ("iframe", "object", "link") and attrs.get("href") != "data:," for tag, attrs in page.tags)
    return bare, page


def processed(data: ReportData) -> Processed:
    assert data.micrographs is not None
    return data.micrographs


def titles(data: ReportData) -> str:
    return "\n".join(one.title for one in findings(data, CHECKS))


def test_steps_add_up_to_the_motion() -> None:
    track = made.shifts(12.0)
    steps = steps_of(track, 18.0)
    assert np.isclose(path_length(track), 12.0) and np.isclose(steps.sum(), 18.0) and steps[0] == steps.max()
    assert steps_of(np.zeros((5, 2)), 0.0).size == 0, "nothing moved: there is no scale"


@pytest.mark.parametrize(("value", "digits", "words"), [
    (3769.787, 3, "3770 Å"), (0.0044, 2, "0.00 Å"), (-0.0044, 2, "0.00 Å"), (12345.6, 1, "12,346 Å"), (-1.26, 1, "-1.3 Å"), (np.nan, 1, "not known"),
])
def test_numbers_in_words(value: float, digits: int, words: str) -> None:
    assert Quantity("q", "Q", "Å", "", digits).text(value) == words


def test_choice_of_pictures() -> None:
    values = np.arange(100.0)
    rng = np.random.default_rng(0)
    rng.shuffle(values)
    values[7] = np.nan
    bad_when_high = Column(Quantity("q", "Q", "", "", worst="high"), values)
    rows = load_micrographs.choose(bad_when_high, 100, 24)
    seen = values[list(rows)]
    known = np.sort(values[np.isfinite(values)])
    assert len(rows) == len(set(rows)) == 24
    assert seen[:8].tolist() == known[:-9:-1].tolist() and seen[8:16].tolist() == known[:8].tolist()
    assert np.ptp(rows[16:]) > 80, "the others are spread over the session"
    low = load_micrographs.choose(Column(Quantity("q", "Q", "", "", worst="low"), values), 100, 24)
    assert values[low[0]] == known[0]
    assert load_micrographs.choose(None, 5, 24) == (0, 1, 2, 3, 4) and load_micrographs.choose(bad_when_high, 0, 24) == ()


def test_motion(tmp_path: Path) -> None:
    folder = made.motion_folder(tmp_path, 40)
    data = load_report(folder)
    found = processed(data)
    motion = found.column("motion")
    assert motion is not None and motion.values.tolist() == [5.0 + i for i in range(40)] and motion.median == 24.5
    assert found.steps.shape == (40, made.FRAMES - 1) and np.allclose(np.nansum(found.steps, axis=1), motion.values)
    assert [one.plain for one in found.failures] == ["the file is cut short"] and found.failures[0].name == "movies/bad00000.tiff"
    for said in ("60 % of the movies move more than 20 Å", "1 of 41 movies failed", "1 movie is doubtful"):
        assert said in titles(data)
    text, page = page_of(folder)
    words = " ".join(page.text)
    assert "moved by 24.5 Å (median)" in words and "moved by 120 Å" in words and "the file is cut short" in words
    assert text.count("<tr><td>") >= 41 and 'href="#m1"' in text and 'id="m1"' in text


def test_motion_is_drawn_where_the_specimen_went(tmp_path: Path) -> None:
    """Shifts correct a motion, so what is drawn is their opposite: tracks of the patches lead outwards, the whole goes right and down."""
    folder = made.motion_folder(tmp_path, 1, failed=0)
    one = processed(load_report(folder)).shown[0]
    assert isinstance(one, MotionShown) and one.thumbnail is not None and len(one.patches) == 12
    assert np.allclose(one.track[-1], np.array([1.0, 0.5]) / np.hypot(1, 0.5) * 5.0, atol=1e-4), "Å"
    for patch in one.patches:
        outwards = patch.centre - [450.0, 350.0]
        assert np.dot(patch.path[-1] - patch.path[0], outwards) > 0
    drawn, times = tracks(one)
    longest = max(float(np.hypot(*patch.path[-1])) for patch in one.patches)
    assert times == 50.0 and 0.05 * 900 < times * longest < 0.2 * 900 and drawn.count("<path") == 36
    top, bottom = one.thumbnail.pixels[:20].mean(), one.thumbnail.pixels[-20:].mean()
    assert top < bottom and max(one.thumbnail.pixels.shape) <= 384, "the first row of the array is on top"


def test_arrows_are_what_was_corrected() -> None:
    """The model of motion correction, and its sign."""
    from verglas.core.local_motion import local_shift

    rng = np.random.default_rng(4)
    coefficients = rng.normal(0, 0.1, (2, 18))
    track = replace(made.motion_track("m", made.shifts(5.0)), local=coefficients)
    patch = load_shown.patches_of(track)[-1]
    expected = -local_shift(coefficients, *(patch.centre / [900.0, 700.0] - 0.5), np.arange(made.FRAMES))
    assert np.allclose(patch.fit, expected) and not np.allclose(patch.path, patch.fit)
    drawn, _ = tracks(MotionShown(0, None, track.shifts, (patch,), (900, 700)))
    assert drawn.count("<path") == 4, "the measured line, the arrow with its shadow and its head"


def test_warnings_of_single_movies_are_said_once(tmp_path: Path) -> None:
    folder = made.motion_folder(tmp_path, 5)
    made.add_event(folder, time=1.0, event="warning", text="movies/bad00000.tiff: the file is cut short")
    made.add_event(folder, time=1.0, event="warning", text="No gain reference")
    said = titles(load_report(folder))
    assert "No gain reference" in said and "bad00000" not in said and "1 of 6 movies failed" in said


def test_ctf(tmp_path: Path) -> None:
    folder = made.ctf_folder(tmp_path, 30, ice=0.5)
    data = load_report(folder)
    found = processed(data)
    assert np.allclose(found.column("defocus").values, 1.0 + 0.001 * np.arange(30)) and (found.values("astigmatism") == 200.0).all()
    assert "100 % of the micrographs have a strong ice ring" in titles(data) and "nearly the same defocus" in titles(data)
    assert "1 micrograph is doubtful" in titles(data) and "CTF fits worse" not in titles(data)
    text, _ = page_of(folder)
    resolution = processed(data).shown[0].resolution
    radius = float(re.search(r'<circle cx="500" cy="500" r="([\d.]+)"', text)[1])
    assert np.isclose(radius / 500, 2 * made.PIXEL / resolution, atol=1e-3), "the ring is at the resolution of the fit"


def test_picks(tmp_path: Path) -> None:
    folder = made.pick_folder(tmp_path, 6)
    found = processed(load_report(folder))
    assert found.values("picks").tolist() == [20, 21, 22, 23, 24, 25] and found.foms.size == 135 and found.threshold == 0.5
    assert np.isclose(found.shown[0].diameter, 120.0 / made.PIXEL)
    text, page = page_of(folder)
    assert text.count("<circle") >= 135 and f'r="{0.5 * 120 / made.PIXEL * 1000 / 900:.0f}"' in text
    assert "135 particles, 22 in each (median)" in " ".join(page.text)


def test_particles_evenly_spread(tmp_path: Path) -> None:
    folder = made.extract_folder(tmp_path, 30)
    sheet = processed(load_report(folder)).sheet
    assert sheet is not None and sheet.total == 210 and len(sheet.images) == 96 and sheet.pixel_size == made.PIXEL
    order = sheet.images[:, 0, 0]
    assert (np.diff(order) > 0).all() and order[0] == 0 and np.isclose(order[-1], 29.6)
    assert set(np.floor(order + 1e-4)) == set(range(30)), "some of every micrograph"
    page_of(folder)


def test_particles_of_what_is_done_only(tmp_path: Path) -> None:
    folder = made.extract_folder(tmp_path, 5)
    lines = (folder / "rows.jsonl").read_text().splitlines()
    (folder / "rows.jsonl").write_text("\n".join(lines[1:3]) + "\n" + lines[3][:20])
    sheet = processed(load_report(folder)).sheet
    assert sheet is not None and sheet.total == 14 and sorted(set(np.floor(sheet.images[:, 0, 0]))) == [1, 2]


def test_live(tmp_path: Path) -> None:
    folder = made.live_folder(tmp_path, 3)
    made.add_event(folder, time=0.5, event="start")
    made.add_event(folder, time=10.0, event="round", movies=1, rows={"import": 4, "motioncorr": 3}, seconds={"import": 0.2})
    stage = tmp_path / "MotionCorr/job002"
    stage.mkdir(parents=True)
    (stage / "report.html").touch()
    (folder / "folders.json").write_text(json.dumps({"motioncorr": "MotionCorr/job002"}))
    found = processed(load_report(folder))
    assert [one.time for one in found.rounds] == [30, 60, 90, 100], "a continued job counts on"
    assert plots_micrographs.carried(np.array([np.nan, 1, np.nan, 3])).tolist()[1:] == [1, 1, 3]
    text, page = page_of(folder)
    assert page.refreshes and 'href="../../MotionCorr/job002/report.html"' in text and "360 particles" in text


@pytest.mark.parametrize("rows", [
    {}, {"movies/a.tiff": HOSTILE}, {HOSTILE: {"star": 3, "report": []}}, {"m": {"star": {"rlnMicrographName": HOSTILE}}},
])
def test_little_or_nothing(tmp_path: Path, rows: dict) -> None:
    folder = made.project_job(tmp_path / "MotionCorr/job002", "motioncorr", marker="")
    made.write_rows(folder, rows)
    text, page = page_of(folder)
    assert "<script" not in text
    assert page.refreshes and "NaN" not in text and ">nan" not in text.lower()
    (folder / "rows.jsonl").unlink()
    page_of(folder)


def test_files_that_are_gone_are_named(tmp_path: Path) -> None:
    folder = made.ctf_folder(tmp_path, 4)
    for path in (folder / "mics").glob("*"):
        path.unlink()
    text, _ = page_of(folder)
    assert "neither its picture nor its curves are there" in text and "(3 more like it)" in text


def test_how_many_there_are_to_do(tmp_path: Path) -> None:
    folder = made.motion_folder(tmp_path, 3)
    (folder / "RELION_JOB_EXIT_SUCCESS").unlink()
    made.add_event(folder, time=2.0, event="items", total=12, label="movies")
    _, page = page_of(folder)
    assert "3 of 11" in page.text and page.refreshes


@pytest.mark.parametrize(("job", "words"), [
    ("MotionCorr/job002", "24 movies moved by 13.7 Å"), ("CtfFind/job005", "24 micrographs fitted to"), ("AutoPick/job008", "particles"),
    ("Extract/job009", "particle images"), ("Import/job001", "24 files imported"),
])
def test_folders_of_relion(tmp_path: Path, job: str, words: str) -> None:
    text, _ = page_of(shared_data(f"bgal-project/{job}"), tmp_path / "page.html")
    assert words in text


def test_two_thousand_movies(tmp_path: Path) -> None:
    """Under 6 MB, and in seconds (one core of a busy machine)."""
    folder = made.motion_folder(tmp_path, 2000, seen=30)
    begun = time.process_time()
    text, _ = page_of(folder)
    assert len(text) < 6e6 and time.process_time() - begun < 10 and text.count("<tr><td>") >= 2001


@pytest.mark.slow
def test_the_table_sorts_in_a_browser(tmp_path: Path) -> None:
    """Ten thousand rows by resolution, both ways round; rows are laid out as far as one scrolls."""
    program = shutil.which("chromium") or pytest.skip("chromium is not installed")
    text = build_report(made.ctf_folder(tmp_path, 10_000)).read_text(encoding="utf-8")
    heads = "document.querySelectorAll('.sortable th')[4]"
    rows = "document.querySelectorAll('.sortable tbody tr')"
    probe = f"<script>const said = [{rows}.length]; for (let i = 0; i < 2; i++) {{ const begun = performance.now(); {heads}.click(); " \
            f"said.push({rows}[0].cells[4].textContent, performance.now() - begun < 2000); }} document.title = said.join(' ');</script></body>"
    (tmp_path / "page.html").write_text(text.replace("</body>", probe), encoding="utf-8")
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    options = ["--headless", "--no-sandbox", *quiet, f"--user-data-dir={tmp_path / 'user'}"]
    done = subprocess.run([program, *options, "--dump-dom", (tmp_path / "page.html").as_uri()], capture_output=True, text=True, timeout=120)
    assert "<title>400 4.0 true 8.0 true</title>" in done.stdout


def test_no_torch(tmp_path: Path) -> None:
    """A page is made beside a running job, and must cost little."""
    folder = made.motion_folder(tmp_path, 2)
    code = "import sys; from verglas.report.__main__ import main; main(sys.argv[1:]); print({'torch', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_runner_writes_the_last_page(tmp_path: Path) -> None:
    """Also of a job that has no rows; it says how the job ended, before the marker is there."""
    made.image(tmp_path / "mics/a.mrc", (64, 80), np.random.default_rng(0))
    job = find("import micrographs")
    params = job.params(micrographs=("mics/*.mrc",), pixel_size=1.5)
    folder = run_job(job, params, Request(output=tmp_path / "Import/job001", project=tmp_path, quiet=True))
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "1 file imported" in text and "http-equiv" not in text and "finished" in text
    other = run_job(job, params, Request(output=tmp_path / "Import/job002", project=tmp_path, quiet=True, reports=False))
    assert not (other / "report.html").exists()


def test_each_keeps_the_page_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from verglas.jobs import tell
    from verglas.jobs.context import Context

    seen = []
    monkeypatch.setattr(tell.Reporter, "show", lambda self: seen.append(len((tmp_path / "rows.jsonl").read_text().splitlines())))
    made.project_job(tmp_path, "ctf", marker="")
    context = Context(tmp_path, tmp_path)
    context.journal.open(tmp_path, keep=True)
    each(context, ["a", "b", "c"], Square(tmp_path))
    assert seen == [1, 2, 3]
    assert '"event": "items", "total": 3' in (tmp_path / "events.jsonl").read_text()
    each(Context(tmp_path, tmp_path, reports=False), ["a", "b"], Square(tmp_path))
    assert len(seen) == 3


def test_tables_without_rows_of_jobs(tmp_path: Path) -> None:
    """A table of picks of other programs has no figures of merit."""
    folder = made.project_job(tmp_path / "Import/job001", "import coordinates")
    write_star(folder / "a_picks.star", {"": Table({"rlnCoordinateX": np.array([1.0, 2.0]), "rlnCoordinateY": np.array([3.0, 4.0])})})
    named = {"rlnMicrographName": "mics/a.mrc", "rlnMicrographCoordinates": "Import/job001/a_picks.star"}
    write_star(folder / "coordinates.star", {"coordinate_files": Table({key: np.array([name], dtype=object) for key, name in named.items()})})
    found = processed(load_report(folder))
    assert found.values("picks").tolist() == [2] and found.foms.size == 0 and len(found.shown) == 1
    page_of(folder)
