"""Every wrong input of the way from movies to particles: refused at the door with file, what was found, and what to do; nothing written."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import tifffile

from verglas.errors import VerglasError
from verglas.io.mrc import StackWriter
from verglas.jobs.common import parse
from verglas.jobs.each import read_rows
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.testing.eer_movies import encode_frame, random_electrons, write_eer

SIDE, FRAMES = 64, 6
OPTICS = """data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnAmplitudeContrast #6
_rlnMicrographPixelSize #7
one 1 2.0 300.0 2.7 0.1 2.0

"""


def table(path: Path, kind: str, names: list[str], group: int = 1, extra: str = "") -> None:
    label = "_rlnMicrographMovieName" if kind == "movies" else "_rlnMicrographName"
    head = f"data_{kind}\n\nloop_\n{label} #1\n_rlnOpticsGroup #2\n" + (f"_{extra.split()[0]} #3\n" if extra else "")
    value = " " + extra.split()[1] if extra else ""
    path.write_text(OPTICS + head + "".join(f"{name} {group}{value}\n" for name in names))


def write_movie(path: Path, frames: int = FRAMES, shape: tuple[int, int] = (SIDE, SIDE)) -> None:
    rng = np.random.default_rng(1)
    tifffile.imwrite(path, rng.poisson(5, (frames, *shape)).astype(np.uint8), compression="lzw", photometric="minisblack")


def write_image(path: Path, shape: tuple[int, ...] = (1, SIDE, SIDE), pixel: float = 2.0) -> None:
    with StackWriter(path, pixel) as writer:
        writer.append(np.random.default_rng(2).normal(100, 3, shape).astype(np.float32))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two good movies, micrographs and picks, with their tables."""
    (tmp_path / "Movies").mkdir()
    (tmp_path / "mics").mkdir()
    for name in ("a", "b"):
        write_movie(tmp_path / f"Movies/{name}.tiff")
        write_image(tmp_path / f"mics/{name}.mrc")
    table(tmp_path / "movies.star", "movies", ["Movies/a.tiff", "Movies/b.tiff"])
    table(tmp_path / "mics.star", "micrographs", ["mics/a.mrc", "mics/b.mrc"])
    (tmp_path / "picks.star").write_text(
        "data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\nmics/a.mrc 30 30\nmics/b.mrc 32 31\n")
    return tmp_path


def keep(_project: Path) -> None:
    """Nothing is broken: the options are."""


def text_as(name: str) -> Callable[[Path], object]:
    return lambda project: (project / name).write_text("this is a text\n" * 50)


def cut(*names: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        for name in names:
            (project / name).write_bytes((project / name).read_bytes()[:5000])
    return change


def eer(project: Path) -> None:
    frame = encode_frame(random_electrons(np.random.default_rng(0), 64 * 64, 0.05), 64 * 64)
    for name in ("a", "b"):
        write_eer(project / f"Movies/{name}.eer", [frame] * 40, (64, 64))
        raw = (project / f"Movies/{name}.eer").read_bytes()
        (project / f"Movies/{name}.eer").write_bytes(raw[:len(raw) // 2])
    table(project / "movies.star", "movies", ["Movies/a.eer", "Movies/b.eer"])


@dataclass(frozen=True)
class Case:
    """`job` with `options` in a project that `change` has spoiled: its message holds all of `told`."""

    job: str
    change: Callable[[Path], object]
    options: dict[str, object]
    told: tuple[str, ...]
    base: dict[str, object] = field(default_factory=dict)


IMPORT = {"movies": "Movies/*.tiff", "pixel_size": 1.0}
MOTION = {"movies": "movies.star", "dose_per_frame": 1.0, "patches_x": 1, "patches_y": 1}
CTF, PICK = {"micrographs": "mics.star"}, {"micrographs": "mics.star", "min_diameter": 60, "max_diameter": 80}
EXTRACT = {"micrographs": "mics.star", "coordinates": "picks.star", "box": 32}
CASES = {
    "glob that matches nothing": Case("import movies", keep, {"movies": "Films/*.tiff"}, ("Films/*.tiff", "--movies", "quotes"), IMPORT),
    "dose of zero": Case("import movies", keep, {"dose": 0}, ("--dose 0", "> 0"), IMPORT),
    "negative pixel size": Case("import movies", keep, {"pixel_size": -1}, ("--pixel-size -1",), IMPORT),
    "gain that is not there": Case("import movies", keep, {"gain": "gain.mrc"}, ("gain.mrc", "--gain", "no such file"), IMPORT),
    "MTF that is not there": Case("import movies", keep, {"mtf": "mtf.star"}, ("mtf.star", "--mtf", "no such file"), IMPORT),
    "movies as micrographs": Case("import micrographs", lambda p: write_image(p / "mics/a.mrc", (3, SIDE, SIDE)),
                                  {"micrographs": "mics/*.mrc", "pixel_size": 1.0}, ("mics/a.mrc", "3 sections", "import movies")),
    "unknown optics group": Case("motioncorr", lambda p: table(p / "movies.star", "movies", ["Movies/a.tiff"], group=3), {},
                                 ("movies.star", "row 1", "optics group 3", "data_optics"), MOTION),
    "micrographs instead of movies": Case("motioncorr", keep, {"movies": "mics.star"}, ("mics.star", "expected movies"), MOTION),
    "no movie is there": Case("motioncorr", lambda p: [path.unlink() for path in (p / "Movies").iterdir()], {},
                              ("movies.star", "none of its 2 files", "Movies/a.tiff", "project"), MOTION),
    "a movie twice": Case("motioncorr", lambda p: table(p / "movies.star", "movies", ["Movies/a.tiff"] * 2), {}, ("row 2", "twice"), MOTION),
    "all movies truncated": Case("motioncorr", cut("Movies/a.tiff", "Movies/b.tiff"), {},
                                 ("Movies/a.tiff", "truncated", "frames are readable", "copy"), MOTION),
    "all EER movies truncated": Case("motioncorr", eer, {"eer_grouping": 4}, ("Movies/a.eer", "truncated", "frames are readable"), MOTION),
    "text as TIFF": Case("motioncorr", lambda p: [text_as(f"Movies/{n}.tiff")(p) for n in "ab"], {}, ("Movies/a.tiff", "not a TIFF"), MOTION),
    "too few frames": Case("motioncorr", keep, {"first_frame": 5}, ("2 frames", "at least 3", "--group-frames"), MOTION),
    "frames that are not there": Case("motioncorr", keep, {"last_frame": 9}, ("6 frames", "--last-frame is 9"), MOTION),
    "gain of another size": Case("motioncorr", lambda p: write_image(p / "gain.mrc", (1, 32, 64)), {"gain": "gain.mrc"},
                                 ("gain.mrc", "64 x 32 pixels", "64 x 64"), MOTION),
    "gain of several images": Case("motioncorr", lambda p: write_image(p / "gain.mrc", (2, 64, 64)), {"gain": "gain.mrc"},
                                   ("gain.mrc", "2 images, expected one"), MOTION),
    "gain that is a text": Case("motioncorr", text_as("gain.mrc"), {"gain": "gain.mrc"}, ("gain.mrc", "MRC"), MOTION),
    "gain of an unknown kind": Case("motioncorr", text_as("gain.txt"), {"gain": "gain.txt"}, ("gain.txt", "expected one of"), MOTION),
    "gain of Digital Micrograph": Case("motioncorr", text_as("gain.dm4"), {"gain": "gain.dm4"}, ("gain.dm4", "dm2mrc"), MOTION),
    "gain that went": Case("motioncorr", keep, {"gain": "gain.mrc"}, ("gain.mrc", "No such file"), MOTION),
    "defects of another size": Case("motioncorr", lambda p: (p / "bad.txt").write_text("500 500 2 2\n"), {"defects": "bad.txt"},
                                    ("bad.txt, line 1", "64 x 64"), MOTION),
    "dose that import did not say": Case("motioncorr", keep, {"dose_per_frame": None}, ("movies.star", "no dose", "--dose-per-frame"), MOTION),
    "movies instead of micrographs": Case("ctf", keep, {"micrographs": "movies.star"}, ("movies.star", "expected micrographs", "motioncorr"), CTF),
    "a micrograph that is not there": Case("ctf", lambda p: (p / "mics/a.mrc").unlink(), {}, ("mics/a.mrc", "No such file"), CTF),
    "movies to pick in": Case("pick log", keep, {"micrographs": "movies.star"}, ("movies.star", "expected micrographs", "motioncorr"), PICK),
    "no micrograph to pick in": Case("pick log", lambda p: [one.unlink() for one in (p / "mics").iterdir()], {},
                                     ("mics.star", "none of its 2 files"), PICK),
    "particles smaller than the resolution": Case("pick log", keep, {"min_diameter": 20}, ("--min-diameter 20", "--lowpass"), PICK),
    "coordinates of nothing": Case("pick manual", lambda p: (p / "c.box").write_text("1 1 8 8\n"), {"micrographs": "mics.star", "from_": "c.box"},
                                   ("c.box", "name")),
    "box larger than the micrograph": Case("extract", keep, {"box": 100}, ("mics/a.mrc", "64 x 64 px, smaller than --box 100"), EXTRACT),
    "coordinates outside": Case("extract", lambda p: (p / "picks.star").write_text((p / "picks.star").read_text().replace(" 3", " 30")), {},
                                ("picks.star", "no window lies in its micrograph", "pixels of these micrographs"), EXTRACT),
    "coordinates that are no numbers": Case(
        "extract", lambda p: (p / "picks.star").write_text((p / "picks.star").read_text().replace("30 30", "30 x")), {},
        ("picks.star", "row 1", "rlnCoordinateY", "x"), EXTRACT),
    "coordinates of other micrographs": Case(
        "extract", lambda p: (p / "picks.star").write_text((p / "picks.star").read_text().replace("mics/", "old/x")), {},
        ("picks.star", "none of its 2 micrographs (old/xa.mrc)", "mics/a.mrc"), EXTRACT),
    "no coordinates": Case("extract", keep, {"coordinates": "none.star"}, ("none.star", "no such file"), EXTRACT),
    "an unreadable micrograph": Case("extract", text_as("mics/a.mrc"), {}, ("mics/a.mrc", "MRC"), EXTRACT),
    "a micrograph that went": Case("extract", lambda p: (p / "mics/b.mrc").unlink(), {}, ("mics/b.mrc", "mics.star, row 2"), EXTRACT),
    "odd box": Case("extract", keep, {"box": 33}, ("--box 33", "even", "34"), EXTRACT),
    "names that a pattern does not fit": Case("assign-optics", keep, {"input": "movies.star", "pattern": "x(.)"}, ("movies.star", "row 1", "a.tiff")),
    "live without a size": Case("live", keep, {"movies": "M/*.tiff", "pixel_size": 1.0, "dose": 1.0}, ("--min-diameter", "Å")),
    "live whose gain is not there": Case("live", keep, {"movies": "M/*.tiff", "pixel_size": 1.0, "dose": 1.0, "pick": "none", "gain": "gain.mrc"},
                                         ("gain.mrc", "no such file")),
    "live that never begins": Case("live", keep, {"movies": "M/*.tiff", "pixel_size": 1.0, "dose": 1.0, "pick": "none", "batch": 0},
                                   ("--batch 0", "--idle")),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    case.change(project)
    monkeypatch.chdir(project)
    before = {path for path in project.rglob("*")}
    job = find(case.job)
    with pytest.raises(VerglasError) as error:
        run_job(job, parse(job.params, case.base | case.options), Request(Resources(threads=1), quiet=True))
    for words in case.told:
        assert words in str(error.value)
    assert {path for path in project.rglob("*")} == before


def test_a_bad_movie_fails_alone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one truncated, one a text, one with fewer frames than asked for, one of another size than the gain, one that is not there."""
    rng = np.random.default_rng(0)
    cut("Movies/a.tiff")(project)
    text_as("Movies/c.tiff")(project)
    write_movie(project / "Movies/d.tiff", frames=4)
    write_movie(project / "Movies/e.tiff", shape=(64, 80))
    frames = [encode_frame(random_electrons(rng, 64 * 64, 0.2), 64 * 64) for _ in range(60)]
    write_eer(project / "Movies/f.eer", [*frames[:7], frames[7][:-9], *frames[8:]], (64, 64))
    write_image(project / "gain.mrc")
    names = [f"Movies/{name}" for name in ("a.tiff", "b.tiff", "c.tiff", "d.tiff", "e.tiff", "f.eer", "g.tiff")]
    table(project / "movies.star", "movies", names)
    monkeypatch.chdir(project)
    job = find("motioncorr")
    options = MOTION | {"gain": "gain.mrc", "last_frame": 5, "eer_grouping": 10}
    folder = run_job(job, parse(job.params, options), Request(Resources(threads=1), quiet=True))
    rows = read_rows(folder / "rows.jsonl")
    told = {"a.tiff": "truncated", "c.tiff": "not a TIFF", "d.tiff": "4 frames, but --last-frame is 5", "e.tiff": "80 x 64", "g.tiff": "not there"}
    for name, words in told.items():
        assert rows[f"Movies/{name}"].row is None and words in rows[f"Movies/{name}"].reason, name
    good = rows["Movies/b.tiff"].row, rows["Movies/f.eer"].row
    assert all(good)
    assert "1 of its hardware frames are damaged and left out (8)" in str(good[1]["report"])
    assert "Movies/g.tiff" in (folder / "run.out").read_text()
