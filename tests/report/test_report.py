"""The page as a whole: RELION's folder, verglas's folder, hostile text, missing pieces, states, size and time."""

import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from report_folders import (
    BOX,
    HOSTILE,
    SHELLS,
    events,
    fsc,
    job_record,
    model_tables,
    particle_tables,
    write_job,
)

from verglas.errors import InputError
from verglas.io.mrc import write_map
from verglas.io.star import Table, write_star
from verglas.report.build import build_report
from verglas.report.findings import findings
from verglas.report.load import load_report
from verglas.report.load_arrays import views
from verglas.report.load_record import iterations_of_events
from verglas.report.plots_fsc import signal_b_factor
from verglas.report.plots_iterations import stage_seconds
from verglas.report.wording import methods_paragraph
from verglas.testing.data import shared_data
from verglas.types import Map

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Checks that tags nest, collects text and the tags seen."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open[-5:])
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def refreshes(self) -> bool:
        return any(tag == "meta" and attrs.get("http-equiv") == "refresh" for tag, attrs in self.tags)


def rendered(folder: Path) -> tuple[str, Page]:
    text = build_report(folder).read_text(encoding="utf-8")
    return text, Page(text)


def self_contained(text: str, page: Page) -> None:
    assert not re.search(r"https?://", text)
    assert len(text) < 3_000_000
    assert not any(tag in ("script", "iframe", "object") for tag, _ in page.tags)
    for _, attrs in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attrs.get(name) or "#").startswith(("#", "data:"))


def test_relion_folder(tmp_path: Path) -> None:
    folder = shared_data("bgal-relion5-refine")
    begun = time.monotonic()
    text = build_report(folder, tmp_path / "report.html").read_text(encoding="utf-8")
    assert time.monotonic() - begun < 10
    page = Page(text)
    self_contained(text, page)
    assert not page.refreshes
    words = " ".join(page.text)
    for expected in (
        "7.08 Å",
        "7.31 Å",
        "1,400",
        "D2",
        "phases randomised",
        "run_half1_class001_unfil.mrc",
        "times are unknown",
        "RELION 5.0.1",
    ):
        assert expected in words, expected


def test_numbers_of_the_relion_folder() -> None:
    data = load_report(shared_data("bgal-relion5-refine"))
    assert data.state == "finished" and data.converged is True and data.missing == ()
    assert [one.number for one in data.iterations] == [1, 3, 8, 16]
    assert data.model is not None and data.model.resolution == pytest.approx(7.308387)
    assert data.particles is not None and len(data.particles) == 1400 and data.particles.duplicates == 0
    assert data.iterations[2].angular_step_deg == 7.5 and data.join_resolution == 40.0
    assert data.postprocess is not None and data.postprocess.b_factor == pytest.approx(-305.97273)
    assert data.coverage is not None and 0.8 < data.coverage.evenness < 1.0
    assert [finding.level for finding in findings(data)] == ["note"]


@pytest.mark.parametrize(
    ("marker", "word", "refreshes"),
    [
        ("", "running, iteration 3", True),
        ("RELION_JOB_EXIT_SUCCESS", "finished", False),
        ("RELION_JOB_EXIT_FAILURE", "failed", False),
        ("RELION_JOB_EXIT_ABORTED", "stopped", False),
    ],
)
def test_states(tmp_path: Path, marker: str, word: str, refreshes: bool) -> None:
    text, page = rendered(write_job(tmp_path / "job", final=marker != "", marker=marker))
    self_contained(text, page)
    assert page.refreshes is refreshes
    assert word in page.text
    assert not [path for path in (tmp_path / "job").iterdir() if ".part-" in path.name]


def test_state_can_be_given_before_the_marker_exists(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job")
    assert "http-equiv" not in build_report(folder, state="finished").read_text(encoding="utf-8")


def test_a_dead_process_is_not_shown_as_running(tmp_path: Path) -> None:
    import platform

    folder = write_job(tmp_path / "job", final=False)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (folder / "job.json").write_text(json.dumps(job_record(process=gone.pid, hardware={"host": platform.node()})))
    assert load_report(folder).state == "killed"
    assert not rendered(folder)[1].refreshes


def test_hostile_text_is_escaped_everywhere(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "<b>job&", scales=(1.0, 9.0, 1.0))
    text, page = rendered(folder)
    assert "<script" not in text and "<b>" not in text
    words = " ".join(page.text)
    assert words.count(HOSTILE) >= 4
    self_contained(text, page)


def test_every_section_is_there_for_a_full_folder(tmp_path: Path) -> None:
    _, page = rendered(write_job(tmp_path / "job", marker="RELION_JOB_EXIT_SUCCESS"))
    titles = set(page.text)
    for title in (
        "Agreement of the two halves",
        "Resolution by iteration",
        "Guinier plot",
        "Central slices and projections",
        "Angles",
        "Offsets",
        "Sharpness of the posterior",
        "Poses per particle",
        "Angular distribution",
        "Coverage of Fourier space",
        "Certainty of the poses",
        "Defocus",
        "Intensity scale by group",
        "Seconds per iteration",
        "For the methods section of a paper",
        "Command",
        "Parameters",
        "Input files",
        "Machine",
    ):
        assert title in titles, title


@pytest.mark.parametrize(
    "gone", ["job.json", "events.jsonl", "run_data.star", "run_model.star", "*.mrc", "*_data.star", "*_model.star", "*"]
)
def test_missing_pieces_become_sentences(tmp_path: Path, gone: str) -> None:
    folder = write_job(tmp_path / "job", marker="RELION_JOB_EXIT_SUCCESS")
    for path in folder.glob(gone):
        path.unlink()
    text, page = rendered(folder)
    self_contained(text, page)
    expected = {
        "job.json": "There is no job.json",
        "events.jsonl": "There is no event log",
        "*.mrc": "No map has been written yet",
        "*_data.star": "No particle table",
        "*_model.star": "No half maps have been compared",
    }.get(gone, "")
    assert expected in " ".join(page.text)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run_model.star", "data_model_general\n\nloop_\n_rlnA\n1 2 3\n"),
        ("run_data.star", "data_particles\n\nloop_\n_rlnImageName #1\n"),
        ("run_class001.mrc", "short"),
        ("events.jsonl", '{"event": "iteration", "iteration": 1, "fsc": [1'),
        ("job.json", "[1, 2"),
        ("job.json", '{"params": 3, "inputs": {"a": 1}, "hardware": [], "started": 5}'),
        ("postprocess.star", "data_general\n"),
    ],
)
def test_broken_files_do_not_stop_the_report(tmp_path: Path, name: str, content: str) -> None:
    folder = write_job(tmp_path / "job", marker="RELION_JOB_EXIT_SUCCESS")
    (folder / name).write_text(content)
    self_contained(*rendered(folder))


def test_no_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        build_report(tmp_path / "nowhere")


def test_the_later_event_of_a_repeated_iteration_counts() -> None:
    rows = [*events(3), {"event": "iteration", "iteration": 2, "resolution_A": 5.5, "ave_pmax": None}]
    seen = iterations_of_events(rows)
    assert [one.number for one in seen] == [1, 2, 3] and seen[1].resolution == 5.5 and np.isnan(seen[1].ave_pmax)


def test_before_the_first_iteration_there_is_no_resolution(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job", 1, final=False)
    for path in sorted(folder.glob("run_it001*")):
        path.rename(folder / path.name.replace("it001", "it000"))
    (folder / "events.jsonl").write_text("")
    data = load_report(folder)
    assert data.iterations == () and np.isnan(data.resolution) and len(data.maps) == 2
    text, page = rendered(folder)
    assert "No half maps have been compared yet." in page.text
    self_contained(text, page)


def test_a_limit_on_the_iterations_is_pointed_out(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job", 2, marker="RELION_JOB_EXIT_SUCCESS")
    for limit, expected in ((0, False), (2, True), (9, False)):
        record = job_record()
        params = record["params"]
        assert isinstance(params, dict)
        (folder / "job.json").write_text(json.dumps({**record, "params": {**params, "max_iterations": limit}}))
        titles = [finding.title for finding in findings(load_report(folder))]
        assert any("not because it had converged" in title for title in titles) is expected


def test_stages_add_up_to_the_total() -> None:
    one = iterations_of_events(events(1))[0]
    assert sum(stage_seconds(one).values()) == pytest.approx(one.total_seconds) == pytest.approx(2.0)


def test_b_factor_of_a_known_fall(tmp_path: Path) -> None:
    """tau² = F² / 2 with F = exp(-B s² / 4) gives back B."""
    from dataclasses import replace

    data = load_report(write_job(tmp_path / "job"))
    assert data.model is not None
    s = np.arange(SHELLS) / (BOX * 2.0)
    model = replace(data.model, tau2=0.5 * np.exp(-150.0 * s**2 / 2), resolution=4.0, pixel_size=2.0)
    assert signal_b_factor(model)[0] == pytest.approx(150.0)


def test_views_of_a_map_keep_their_axes() -> None:
    data = np.zeros((8, 8, 8), dtype=np.float32)
    data[1, 4, 4], data[4, 2, 4], data[4, 4, 3] = 1.0, 2.0, 3.0
    shown = views("m.mrc", "map", Map(data, 1.0))
    along_z, along_y, along_x = shown.slices
    assert along_z[2, 4] == 2.0 and along_z[4, 3] == 3.0
    assert along_y[1, 4] == 1.0 and along_y[4, 3] == 3.0
    assert along_x[1, 4] == 1.0 and along_x[4, 2] == 2.0
    assert all(picture.sum() == 6.0 for picture in shown.projections)


def warned(folder: Path, **changes: object) -> str:
    """Titles of the findings of a full folder with a changed final model or particle table."""
    write_job(folder, 1, marker="RELION_JOB_EXIT_SUCCESS")
    if "curve" in changes or "scales" in changes:
        write_star(
            folder / "run_model.star",
            model_tables(5, changes.get("curve", fsc(5.0)), changes.get("scales", (1.0, 1.0))),
        )  # type: ignore[arg-type]
    if "particles" in changes:
        write_star(folder / "run_data.star", changes["particles"])  # type: ignore[arg-type]
    return " | ".join(finding.title for finding in findings(load_report(folder)))


def test_findings_name_their_cause(tmp_path: Path) -> None:
    assert "never falls" in warned(tmp_path / "a", curve=np.full(SHELLS, 0.9))
    assert "FSC is noise" in warned(tmp_path / "b", curve=np.array([1.0, 1, 0.05, -0.02, 0.04, 0, -0.03, 0.02, 0]))
    assert "extreme intensity scale" in warned(tmp_path / "c", scales=(1.0, 0.1))
    assert "1 particles occur more than once, 1 of them in both halves" in warned(
        tmp_path / "d", particles=particle_tables(duplicate=True)
    )
    table = particle_tables()
    table["particles"].columns["rlnAngleTilt"][:] = 3.0
    assert "Views are uneven" in warned(tmp_path / "e", particles=table)
    table = particle_tables()
    table["particles"].columns["rlnMaxValueProbDistribution"][:] = 0.01
    assert "Poses are uncertain" in warned(tmp_path / "f", particles=table)
    table = particle_tables()
    table["particles"].columns["rlnNormCorrection"][:5] = 3.0
    assert "usual noise" in warned(tmp_path / "g", particles=table)
    clean = warned(tmp_path / "h")
    for phrase in ("never falls", "noise", "extreme", "more than once", "uncertain"):
        assert phrase not in clean


def test_a_256_pixel_job_is_small_and_quick(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job", marker="RELION_JOB_EXIT_SUCCESS")
    data = np.random.default_rng(0).normal(size=(256, 256, 256)).astype(np.float32)
    write_map(folder / "run_class001.mrc", Map(data, 1.0))
    begun = time.monotonic()
    text, page = rendered(folder)
    assert time.monotonic() - begun < 12
    self_contained(text, page)


def test_torch_is_not_loaded(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job")
    code = (
        "import sys; from pathlib import Path; from verglas.report.build import build_report; import "
        "verglas.report.live; "
        f"build_report(Path({str(folder)!r})); print('torch' in sys.modules, 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_postprocess_folder_alone(tmp_path: Path) -> None:
    source = shared_data("bgal-relion5-refine")
    for name in ("postprocess.star", "postprocess.mrc"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    text, page = rendered(tmp_path)
    self_contained(text, page)
    words = " ".join(page.text)
    assert "7.08 Å" in words and "FSC after masking" in words and "-306 Å²" in words and "No particle table" in words


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    text, page = rendered(tmp_path)
    self_contained(text, page)
    assert "This folder holds no resolution estimate." in page.text and "No map has been written yet." in page.text


@pytest.mark.parametrize("seed", range(4))
def test_odd_numbers_in_the_tables_never_stop_the_report(tmp_path: Path, seed: int) -> None:
    """Columns missing or full of NaN, infinities, zeros: whatever is left is shown."""
    folder = write_job(tmp_path / "job", 2, marker="RELION_JOB_EXIT_SUCCESS")
    rng = np.random.default_rng(seed)
    for _ in range(5):
        for name, tables in (("run_model.star", model_tables(3, fsc(4.0))), ("run_data.star", particle_tables())):
            write_star(folder / name, {block: _spoilt(table, rng) for block, table in tables.items()})
        rows = [{key: None if rng.random() < 0.2 else value for key, value in event.items()} for event in events(2)]
        (folder / "events.jsonl").write_text("\n".join(map(json.dumps, rows)))
        self_contained(*rendered(folder))


def _spoilt(table: Table, rng: np.random.Generator) -> Table:
    columns = {}
    for label, column in table.columns.items():
        if column.dtype != object and rng.random() < 0.15:
            column = np.where(rng.random(len(column)) < 0.5, rng.choice([np.nan, np.inf, 0.0, -1.0, 1e30]), column)
        if rng.random() > 0.1:
            columns[label] = column
    return Table(columns, table.simple)


def test_methods_paragraph_says_what_was_done(tmp_path: Path) -> None:
    data = load_report(write_job(tmp_path / "job", marker="RELION_JOB_EXIT_SUCCESS"))
    words = methods_paragraph(data)
    for part in ("60 particle images from 3 micrographs", "300 kV", "verglas 0.1.0", "mask of 50 Å", "15 to 5 degrees over 3 iterations",
                 "Two halves of 30 and 30", "below 40 Å", "0.143"):
        assert part in words, part
