"""Bad input of refine3d: exit code 2, one message with file, row, value and remedy, in seconds, and nothing written."""

import re
import time
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.io.mrc import MrcStack, StackWriter, write_map
from verglas.io.particles_star import write_particles
from verglas.io.star import Table, read_star, write_star
from verglas.jobs import refine3d_check
from verglas.jobs.common import parse
from verglas.jobs.refine3d_images import look
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, launch
from verglas.testing.particle_sets import ParticleSet, blobs, write_set

BOX, PIXEL, NUMBER = 16, 6.0, 24
OPTIONS: dict[str, object] = {"mask_diameter": 80, "initial_lowpass": 40, "max_iterations": 1, "healpix_order": 0, "symmetry": "C1"}


@pytest.fixture
def data(tmp_path: Path) -> ParticleSet:
    return write_set(tmp_path, blobs(BOX, PIXEL, "C1"), NUMBER)


def complaint(data: ParticleSet, capsys: pytest.CaptureFixture[str], **options: object) -> str:
    """The message; the job must have ended with code 2 quickly and without a folder."""
    job = find("refine3d")
    chosen = {"particles": data.star, "reference": data.map_file} | OPTIONS | options
    begun = time.process_time()
    code = launch(job, parse(job.params, chosen), Request(output=data.folder / "out", project=data.folder, quiet=True))
    assert time.process_time() - begun < 5.0
    text = capsys.readouterr().err
    assert code == 2, text
    assert not (data.folder / "out").exists()
    assert "Traceback" not in text and "->" in text
    return text


def change_table(star: Path, change: Callable[[dict[str, np.ndarray]], None], block: str = "particles") -> None:
    tables = read_star(star)
    columns = dict(tables[block].columns)
    change(columns)
    write_star(star, tables | {block: Table(columns)})


def rewrite_images(data: ParticleSet, change: Callable[[np.ndarray], np.ndarray]) -> None:
    path = data.folder / data.truth.images.stacks[0]
    with MrcStack(path) as stack:
        pixels = stack.read(np.arange(stack.shape[0]))
    with StackWriter(path, PIXEL) as stack:
        stack.append(change(pixels))


def test_good_input_passes(data: ParticleSet) -> None:
    job = find("refine3d")
    params = parse(job.params, {"particles": data.star, "reference": data.map_file} | OPTIONS)
    assert launch(job, params, Request(output=data.folder / "out", project=data.folder, quiet=True)) == 0
    assert (data.folder / "out" / "run_class001.mrc").exists()


def test_missing_stack(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    change_table(data.star, lambda c: c["rlnImageName"].__setitem__(7, "000003@gone/other.mrcs"))
    text = complaint(data, capsys)
    assert "gone/other.mrcs" in text and "row 8" in text and "particles.star" in text


def test_every_stack_missing(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    (data.folder / data.truth.images.stacks[0]).unlink()
    assert "particles.mrcs is not there" in complaint(data, capsys)


def test_index_beyond_the_stack(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    change_table(data.star, lambda c: c["rlnImageName"].__setitem__(4, "000099@particles.mrcs"))
    text = complaint(data, capsys)
    assert "image 99" in text and "24" in text and "row 5" in text


def test_stack_of_another_box(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite_images(data, lambda x: x[:, 1:-1, 1:-1])
    text = complaint(data, capsys)
    assert "14 x 14" in text and "16" in text


def test_missing_optics_group(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    change_table(data.star, lambda c: c["rlnOpticsGroup"].__setitem__(9, 3))
    text = complaint(data, capsys)
    assert "optics group 3" in text and "row 10" in text


def test_missing_column(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    change_table(data.star, lambda c: c.pop("rlnDefocusU"))
    assert "_rlnDefocusU" in complaint(data, capsys)


def test_duplicate_column(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    text = data.star.read_text()
    data.star.write_text(re.sub(r"_rlnDefocusV", "_rlnDefocusU", text))
    assert "rlnDefocusU" in complaint(data, capsys)


def test_defocus_that_is_not_a_number(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    change_table(data.star, lambda c: c["rlnDefocusU"].__setitem__(5, np.nan))
    text = complaint(data, capsys)
    assert "_rlnDefocusU is nan" in text and "row 6" in text


def test_mask_beyond_one(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    write_map(data.folder / "mask.mrc", replace(data.volume, data=data.volume.data * 3 - 0.5))
    assert "expected 0 to 1" in complaint(data, capsys, mask=data.folder / "mask.mrc")


def test_mask_on_another_grid(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    write_map(data.folder / "mask.mrc", replace(blobs(20, PIXEL), data=np.ones((20, 20, 20), dtype=np.float32)))
    assert "box of 20 px" in complaint(data, capsys, mask=data.folder / "mask.mrc")


def test_mask_diameter_beyond_the_box(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    text = complaint(data, capsys, mask_diameter=120)
    assert "120 Å" in text and "96.0 Å" in text and "at most 96" in text


@pytest.mark.parametrize("radius", [3.0, 20.0])
def test_a_hollow_particle_is_white_where_its_wall_is(radius: float) -> None:
    axis = np.arange(64) - 32
    distance = np.hypot(axis[:, None], axis) / radius
    one = np.where(distance < 0.6, -0.4, np.where(distance < 1, 0.6, 0.0))
    noisy = one + np.random.default_rng(0).normal(0, 1, (100, 64, 64))
    white, dark = (look(sign * noisy, np.arange(100), radius).shown for sign in (1, -1))
    assert white[1] > 5 and dark[1] < -5 and white[0] == pytest.approx(-dark[0])


def test_inverted_contrast(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite_images(data, np.negative)
    text = complaint(data, capsys)
    assert "inverted contrast" in text and "multiply the images by -1" in text


def test_unnormalised_particles(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite_images(data, lambda x: 40 * x + 200)
    text = complaint(data, capsys)
    assert re.search(r"standard deviation (3[5-9]|4[0-5])", text) and "expected about 0 and 1" in text
    assert "row 1 (000001@particles.mrcs)" in text and "--skip-image-checks" in text


def test_a_single_unnormalised_particle_is_a_warning(data: ParticleSet) -> None:
    rewrite_images(data, lambda x: x * np.where(np.arange(NUMBER) == 3, 5.0, 1.0)[:, None, None])
    job = find("refine3d")
    params = parse(job.params, {"particles": data.star, "reference": data.map_file} | OPTIONS)
    assert launch(job, params, Request(output=data.folder / "out", project=data.folder, quiet=True)) == 0
    assert "row 4" in (data.folder / "out" / "run.err").read_text()


def test_image_checks_can_be_skipped(data: ParticleSet) -> None:
    rewrite_images(data, lambda x: -3 * x)
    job = find("refine3d")
    params = parse(job.params, {"particles": data.star, "reference": data.map_file, "skip_image_checks": True} | OPTIONS)
    assert launch(job, params, Request(output=data.folder / "out", project=data.folder, quiet=True)) == 0


def test_image_of_not_numbers(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite_images(data, lambda x: np.where((np.arange(NUMBER) == 2)[:, None, None], np.nan, x))
    text = complaint(data, capsys, skip_image_checks=True)
    assert "not numbers" in text and "row 3" in text


@pytest.mark.parametrize("which", ["stack", "map"])
def test_truncated_mrc(data: ParticleSet, capsys: pytest.CaptureFixture[str], which: str) -> None:
    path = data.map_file if which == "map" else data.folder / data.truth.images.stacks[0]
    path.write_bytes(path.read_bytes()[:-500])
    text = complaint(data, capsys)
    assert path.name in text and ("truncated" in text or "shorter" in text or "cut off" in text or "bytes" in text)


def test_unknown_symmetry(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    text = complaint(data, capsys, symmetry="D2x")
    assert "D2x" in text or "D2X" in text


def test_too_few_particles(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    write_particles(data.star, replace(data.truth, half=np.where(np.arange(NUMBER) == 0, 1, 2)))
    text = complaint(data, capsys)
    assert "1 particles in a half set" in text and "_rlnRandomSubset" in text


def test_three_particles_without_halves(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    write_particles(data.star, replace(data.truth, half=np.zeros(NUMBER, dtype=np.int64)).take(np.arange(3)))
    assert "at least 2" in complaint(data, capsys)


def test_halves_for_some_only(data: ParticleSet, capsys: pytest.CaptureFixture[str]) -> None:
    write_particles(data.star, replace(data.truth, half=np.where(np.arange(NUMBER) == 6, 0, data.truth.half)))
    text = complaint(data, capsys)
    assert "1 of 24 particles have no half set" in text and "row 7" in text


def test_full_disk_is_foreseen(data: ParticleSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(refine3d_check.shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10**5, 10**5))
    text = complaint(data, capsys)
    assert "0 MB free" in text and "free space" in text


def test_disk_that_fills_up_on_the_way(data: ParticleSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message instead of a traceback, the marker, and no half-written file under a final name."""
    import errno

    from verglas.jobs import refine3d_files

    def full(path: Path, *rest: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(refine3d_files, "write_map", full)
    job = find("refine3d")
    params = parse(job.params, {"particles": data.star, "reference": data.map_file} | OPTIONS)
    assert launch(job, params, Request(output=data.folder / "out", project=data.folder, quiet=True)) == 2
    assert "disk is full" in capsys.readouterr().err
    assert (data.folder / "out" / "RELION_JOB_EXIT_FAILURE").exists()
    assert not list((data.folder / "out").glob("*.mrc"))


def test_no_write_permission(data: ParticleSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from verglas.jobs import folder

    monkeypatch.setattr(folder.os, "access", lambda path, mode: False)  # permissions do not bind the superuser
    assert "no permission" in complaint(data, capsys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"solvent_corrected_fsc": True}, "needs a mask"),
        ({"initial_lowpass": 5}, "beyond Nyquist"),
        ({"offset_range": 30}, "more than the radius"),
        ({"reference": "nowhere.mrc"}, "nowhere.mrc"),
        ({"particles": "nowhere.star"}, "nowhere.star"),
    ],
)
def test_options_that_do_not_fit(data: ParticleSet, capsys: pytest.CaptureFixture[str], options: dict[str, object], words: str) -> None:
    assert words in complaint(data, capsys, **options)


def test_odd_box(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_set(tmp_path, blobs(BOX, PIXEL, "C1"), NUMBER)
    rewrite_images(data, lambda x: x[:, 1:, 1:])
    change_table(data.star, lambda c: c["rlnImageSize"].__setitem__(0, 15), "optics")
    assert "even" in complaint(data, capsys)


def test_far_origins_are_warned_of(data: ParticleSet) -> None:
    away = replace(data.truth, poses=replace(data.truth.poses, origin=data.truth.poses.origin + 60.0))
    write_particles(data.star, away)
    job = find("refine3d")
    params = parse(job.params, {"particles": data.star, "reference": data.map_file, "keep_offsets": False} | OPTIONS)
    assert launch(job, params, Request(output=data.folder / "out", project=data.folder, quiet=True)) == 0
    assert "--no-keep-offsets" in (data.folder / "out" / "run.err").read_text()


def test_missing_mtf_is_warned_of(data: ParticleSet) -> None:
    write_particles(data.star, replace(data.truth, optics=(replace(data.truth.optics[0], mtf_file="k9.star"),)))
    job = find("refine3d")
    params = parse(job.params, {"particles": data.star, "reference": data.map_file} | OPTIONS)
    assert launch(job, params, Request(output=data.folder / "out", project=data.folder, quiet=True)) == 0
    assert "no MTF correction" in (data.folder / "out" / "run.err").read_text()
