"""verglas motioncorr from movies.star to its files: small movies with known motion, one of them broken."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.micrographs_star import read_micrographs, write_micrographs
from verglas.io.motion_star import read_motion
from verglas.io.mrc import MrcStack, StackWriter
from verglas.io.mrc_header import MODE_OF
from verglas.jobs import motioncorr
from verglas.jobs.context import Context
from verglas.jobs.each import read_rows
from verglas.jobs.motioncorr_input import open_movies
from verglas.jobs.motioncorr_work import accumulated
from verglas.testing.data import relion_program
from verglas.testing.movie_tables import movies_star
from verglas.types.motion import MotionTrack

SIZE, FRAMES, PIXEL, DOSE = 256, 8, 2.0, 2.0


def motion() -> np.ndarray:
    """(F, 2) px."""
    t = np.arange(FRAMES)
    return np.stack([4 * (1 - np.exp(-t / 2)), -3 * (1 - np.exp(-t / 3))], 1)


def write_movie(path: Path, seed: int) -> None:
    """Electrons through a specimen that moves; rows bottom-up as in all TIFF movies."""
    rng = np.random.default_rng(seed)
    k = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None])
    spectrum = np.fft.rfft2(rng.normal(size=(SIZE, SIZE))) * np.exp(-((k / 0.08) ** 2)) * (k > 0)
    spectrum *= 0.15 / np.fft.irfft2(spectrum).std()
    frames = []
    for x, y in motion():
        phase = np.exp(-2j * np.pi * (np.fft.fftfreq(SIZE)[:, None] * y + np.fft.rfftfreq(SIZE)[None] * x))
        frames.append(rng.poisson(np.clip(3 * (1 + np.fft.irfft2(spectrum * phase)), 0, None)))
    stack = np.array(frames, np.uint8)
    stack[:, 100, 33] = 60
    tifffile.imwrite(path, stack[:, ::-1], compression="lzw", photometric="minisblack")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Movies").mkdir()
    for i in range(2):
        write_movie(tmp_path / f"Movies/m.{i}.tiff", i)
    (tmp_path / "Movies/broken.tiff").write_bytes(b"not a movie")
    names = ("Movies/m.0.tiff", "Movies/broken.tiff", "Movies/m.1.tiff")
    (tmp_path / "movies.star").write_text(movies_star(names))
    (tmp_path / "out").mkdir()
    return tmp_path


def run(project: Path, **options: object) -> Context:
    context = Context(project / "out", project)
    params = motioncorr.MotionParams(movies=project / "movies.star", dose_per_frame=DOSE, **options)  # type: ignore[arg-type]
    motioncorr.check(params, context)
    motioncorr.run(params, context)
    return context


def test_files_rows_and_the_motion(project: Path) -> None:
    run(project, save_unweighted=True, save_halves=True, binning=2.0)
    out = project / "out"
    corrected = read_micrographs(out / "corrected_micrographs.star")
    assert corrected.name.tolist() == ["out/Movies/m_0.mrc", "out/Movies/m_1.mrc"] and not corrected.movies
    assert corrected.optics[0].pixel_size == 2 * PIXEL and corrected.optics[0].original_pixel_size == PIXEL
    assert "broken" in str({k: v.reason for k, v in read_rows(out / "rows.jsonl").items() if v.row is None})
    for ending in ("", "_noDW", "_EVN", "_ODD", "_PS"):
        stack = MrcStack(out / f"Movies/m_0{ending}.mrc")
        assert stack.header.mode == MODE_OF["float32" if ending == "_PS" else "float16"]
        if ending != "_PS":
            assert stack.shape == (1, SIZE // 2, SIZE // 2) and stack.pixel_size == pytest.approx(2 * PIXEL)
    halves = [MrcStack(out / f"Movies/m_0_{one}.mrc").read(np.arange(1)) for one in ("EVN", "ODD")]
    np.testing.assert_allclose(sum(halves), MrcStack(out / "Movies/m_0_noDW.mrc").read(np.arange(1)), rtol=2e-3)
    track = read_motion(out / "Movies/m_0.star")
    error = track.shifts + motion()
    assert np.sqrt(((error - error.mean(0)) ** 2).mean()) < 0.1
    assert track.hot is not None and track.hot.tolist() == [[33, 100]] and track.movie == "Movies/m.0.tiff" and track.shape == (SIZE, SIZE)
    for label in ("rlnMicrographMetadata", "rlnCtfPowerSpectrum", "rlnMicrographNameNoDW"):
        assert all((project / name).is_file() for name in corrected.extra[label])


def test_a_second_run_does_only_what_is_missing(project: Path) -> None:
    context = run(project)
    before = (project / "out/Movies/m_0.mrc").stat().st_mtime_ns
    write_movie(project / "Movies/broken.tiff", 5)
    again = Context(context.output, project, continuing=True)
    motioncorr.run(motioncorr.MotionParams(movies=project / "movies.star", dose_per_frame=DOSE), again)
    assert (project / "out/Movies/m_0.mrc").stat().st_mtime_ns == before
    assert len(read_micrographs(project / "out/corrected_micrographs.star")) == 3


def test_path_length_in_angstrom_early_and_late() -> None:
    shifts = np.array([[0, 0], [3, 4], [3, 5], [4, 5]], float)
    track = MotionTrack("", (10, 10), 4, shifts, 0.5, 300.0, dose_rate=1.9)
    assert accumulated(track) == {"rlnAccumMotionTotal": 3.5, "rlnAccumMotionEarly": 2.5, "rlnAccumMotionLate": 1.0}
    unknown = MotionTrack("", (10, 10), 4, shifts, 0.5, 300.0, dose_rate=0.0)
    assert accumulated(unknown)["rlnAccumMotionEarly"] == 0.0


@pytest.mark.parametrize(("options", "message"), [
    ({"last_frame": 99}, "8 frames, but --last-frame is 99"),
    ({"group_frames": 3}, "expected at least 3 groups"),
    ({"first_frame": 7}, "expected at least 3 groups"),
])
def test_doors(project: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(project, **options)


def test_movies_that_would_overwrite_one_another_are_refused(project: Path) -> None:
    shutil.copy(project / "Movies/m.0.tiff", project / "Movies/m_0.tiff")
    (project / "movies.star").write_text((project / "movies.star").read_text() + "Movies/m_0.tiff 1\n")
    with pytest.raises(InputError, match="written as one file"):
        run(project)


@pytest.mark.slow
def test_relion_polishing_reads_our_tracks(project: Path) -> None:
    """relion_run_motioncorr's own STAR reader is that of polishing: relion_star_printtable shows the tables it must find."""
    program = relion_program("relion_star_printtable")
    run(project)
    star = str(project / "out/Movies/m_0.star")
    shown = subprocess.run([program, star, "data_global_shift", "rlnMicrographShiftX"], check=True, capture_output=True, text=True).stdout
    np.testing.assert_allclose([float(one) for one in shown.split()], read_motion(Path(star)).shifts[:, 0], atol=1e-4)
    shown = subprocess.run([program, star, "data_local_motion_model", "rlnMotionModelCoeff"], check=True, capture_output=True, text=True).stdout
    assert len(shown.split()) == 36


def test_dose_and_gain_are_what_import_was_told(project: Path) -> None:
    movies = read_micrographs(project / "movies.star")
    told = {L.DOSE_RATE: np.full(len(movies), 1.5), L.GAIN_NAME: np.array(["gain.mrc"] * len(movies), dtype=object)}
    write_micrographs(project / "movies.star", replace(movies, extra=told))
    with StackWriter(project / "gain.mrc", PIXEL) as stack:
        stack.append(np.ones((1, SIZE, SIZE), np.float32))
    found = open_movies(motioncorr.MotionParams(movies=project / "movies.star"), Context(project / "out", project))
    assert found.dose == 1.5 and found.gain == project / "gain.mrc"
    asked = motioncorr.MotionParams(movies=project / "movies.star", dose_per_frame=0.0)
    assert open_movies(asked, Context(project / "out", project)).dose == 0.0
    told[L.DOSE_RATE] = np.arange(len(movies)) + 1.0
    write_micrographs(project / "movies.star", replace(movies, extra=told))
    with pytest.raises(InputError, match="doses from 1 to 3 e/Å² per frame"):
        open_movies(motioncorr.MotionParams(movies=project / "movies.star"), Context(project / "out", project))


def test_an_unknown_dose_is_asked_for(project: Path) -> None:
    with pytest.raises(InputError, match="no dose per frame"):
        motioncorr.check(motioncorr.MotionParams(movies=project / "movies.star"), Context(project / "out", project))
