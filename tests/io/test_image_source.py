"""Images by row: right pixels in any order, from disk or memory, one block ahead; and the door checks of the stacks behind a table."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verglas.errors import DataError, InputError
from verglas.io.image_check import background_statistics, validate_images
from verglas.io.image_source import ImageSource
from verglas.io.mrc import StackWriter
from verglas.io.particles_star import project_root, read_particles
from verglas.testing.data import shared_data
from verglas.types import Particles

Changed = Callable[[str, str], Path]


@pytest.fixture
def particles(project: Path) -> Particles:
    return read_particles(project / "job1" / "particles.star")


@pytest.mark.parametrize("options", [{}, {"cache_bytes": 10**6}, {"cache_bytes": 10}, {"open_files": 1}, {"open_files": 1, "cache_bytes": 10**6}])
def test_rows_come_in_the_order_asked_for(project: Path, particles: Particles, images: dict[str, np.ndarray], options: dict[str, int]) -> None:
    source = ImageSource(particles, project, **options)
    a, b = images["Extract/a.mrcs"], images["Extract/b.mrcs"]
    assert source.cached == (options.get("cache_bytes") == 10**6)
    for _ in range(2):
        np.testing.assert_array_equal(source.read(np.array([2, 1, 0, 1])), np.stack([b[0], a[2], a[0], a[2]]))
    assert source.read(np.array([], dtype=int)).shape == (0, 0, 0)


def test_cached_images_are_not_read_again(project: Path, particles: Particles, images: dict[str, np.ndarray]) -> None:
    source = ImageSource(particles, project, cache_bytes=10**6)
    before = source.read(np.arange(3))
    for name in images:
        stored = (project / name).read_bytes()
        (project / name).write_bytes(stored[:1024] + bytes(len(stored) - 1024))
    np.testing.assert_array_equal(source.read(np.arange(3)), before)
    assert (ImageSource(particles, project).read(np.arange(3)) == 0).all()


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(st.integers(0, 1399), min_size=1, max_size=30), max_size=4), st.sampled_from([0, 10**9]))
def test_blocks_of_a_real_set(blocks: list[list[int]], cache_bytes: int) -> None:
    path = shared_data("bgal-project/derived/particles_with_poses.star")
    particles = read_particles(path)
    source = ImageSource(particles, project_root(path), cache_bytes=cache_bytes, open_files=3)
    plain = ImageSource(particles, project_root(path))
    got = list(source.batches([np.array(block) for block in blocks]))
    assert [rows.tolist() for rows, _ in got] == blocks
    for rows, pixels in got:
        assert pixels.shape == (len(rows), 64, 64) and pixels.dtype == np.float32
        np.testing.assert_array_equal(pixels, np.stack([plain.read(rows[k:k + 1])[0] for k in range(len(rows))]))
    source.close()


def test_the_next_block_is_read_in_the_meantime(project: Path, particles: Particles, monkeypatch: pytest.MonkeyPatch) -> None:
    source, plain = ImageSource(particles, project), ImageSource.read

    def slow(self: ImageSource, rows: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        return plain(self, rows)

    monkeypatch.setattr(ImageSource, "read", slow)
    for _ in source.batches([np.array([0])] * 4):
        time.sleep(0.1)
    assert source.seconds_waiting == pytest.approx(0.1, abs=0.06)  # only the first block is waited for


def test_an_error_while_reading_ahead_reaches_the_consumer(project: Path, particles: Particles) -> None:
    source = ImageSource(particles, project)
    os.truncate(project / "Extract/b.mrcs", 1100)
    with pytest.raises(DataError, match="truncated"):
        list(source.batches([np.array([0]), np.array([2])]))


def test_one_box_size_at_a_time(project: Path, particles: Particles) -> None:
    mixed = replace(particles, optics=(particles.optics[0], replace(particles.optics[1], box=16)))
    with pytest.raises(InputError, match=r"images of \[8, 16\] px in one block"):
        ImageSource(mixed, project).read(np.arange(3))


def test_good_stacks_pass(project: Path, particles: Particles) -> None:
    assert validate_images(particles, project) == ()


def test_missing_stack(project: Path, particles: Particles) -> None:
    (project / "Extract/b.mrcs").unlink()
    with pytest.raises(InputError, match=r"the image stack Extract/b.mrcs is not in") as caught:
        validate_images(particles, project, "p.star")
    assert caught.value.where == "p.star, row 3"


def test_truncated_stack(project: Path, particles: Particles) -> None:
    os.truncate(project / "Extract/b.mrcs", 1100)
    with pytest.raises(DataError, match="truncated"):
        validate_images(particles, project)


def test_image_beyond_the_stack(project: Path, changed: Changed) -> None:
    particles = read_particles(changed("000003@Extract/a.mrcs", "000005@Extract/a.mrcs"))
    with pytest.raises(DataError, match=r"image 5 of Extract/a.mrcs, which holds 4") as caught:
        validate_images(particles, project, "p.star")
    assert caught.value.where == "p.star, row 2"


def test_stack_of_another_box(project: Path, changed: Changed) -> None:
    particles = read_particles(changed("og7 7 200.0 1.4 0.1 2.0 8", "og7 7 200.0 1.4 0.1 2.0 10"))
    with pytest.raises(DataError, match=r"images of 8 x 8 px in Extract/b.mrcs, but optics group og7 has _rlnImageSize 10") as caught:
        validate_images(particles, project, "p.star")
    assert caught.value.where == "p.star, row 3"


def test_pixel_size_in_the_header(project: Path, changed: Changed) -> None:
    particles = read_particles(changed("og7 7 200.0 1.4 0.1 2.0 8", "og7 7 200.0 1.4 0.1 2.1 8"))
    (warning,) = validate_images(particles, project)
    assert "Extract/b.mrcs has 2.0000 Å, the table 2.1000 Å" in warning


def test_thousands_of_stacks_take_less_than_five_seconds(tmp_path: Path, particles: Particles) -> None:
    with StackWriter(tmp_path / "0.mrcs", 2.0) as writer:
        writer.append(np.zeros((1, 8, 8)))
    for number in range(1, 3000):
        os.link(tmp_path / "0.mrcs", tmp_path / f"{number}.mrcs")
    rows = np.zeros(3000, dtype=np.int64)
    many = particles.take(rows)
    many = replace(many, images=replace(many.images, stacks=tuple(f"{n}.mrcs" for n in range(3000)), stack=np.arange(3000), index=rows))
    started = time.perf_counter()
    assert validate_images(many, tmp_path) == ()
    assert time.perf_counter() - started < 5.0


def test_background_statistics() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(3.0, 2.0, (5, 64, 64)).astype(np.float32)
    y, x = np.mgrid[:64, :64] - 32
    pixels[:, np.hypot(x, y) <= 20] += 1000.0
    mean, sd = background_statistics(pixels, 20.0)
    np.testing.assert_allclose(mean, 3.0, atol=0.2)
    np.testing.assert_allclose(sd, 2.0, atol=0.15)
    with pytest.raises(InputError, match="leaves no background"):
        background_statistics(pixels, 50.0)


def test_real_particles_are_normalised() -> None:
    path = shared_data("bgal-project/derived/particles_with_poses.star")
    mean, sd = background_statistics(ImageSource(read_particles(path), project_root(path)).read(np.arange(300)), 28.0)
    assert np.abs(mean).max() < 0.2 and sd.min() > 0.9 and sd.max() < 1.1
