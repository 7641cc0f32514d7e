"""Slices are the numbers of the file, differences vanish for scaled copies, and surfaces are closed and face outwards."""

import io
import struct
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from verglas.errors import InputError
from verglas.io.mrc import StackWriter, write_map
from verglas.types import Map
from verglas.web.data import surface, volume
from verglas.web.data.chimerax import script


@pytest.fixture
def ball() -> surface.Field:
    z, y, x = np.meshgrid(*[np.arange(48) - 23.5] * 3, indexing="ij")
    return surface.Field((16.0 - np.sqrt(x * x + y * y + z * z)).astype(np.float32), 1)


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_sections_are_the_voxels(tmp_path: Path, kind: str) -> None:
    data = np.random.default_rng(0).normal(size=(5, 7, 9)).astype(kind)
    with StackWriter(tmp_path / "a.mrc", 1.0, kind) as stack:
        stack.append(data.astype(np.float32))
    one = volume.open_volume(tmp_path / "a.mrc")
    assert np.array_equal(volume.section(one, 0, 3), data[3].astype(np.float32))
    assert np.array_equal(volume.section(one, 1, 6), data[:, 6].astype(np.float32))
    assert np.array_equal(volume.section(one, 2, 0), data[:, :, 0].astype(np.float32))
    with pytest.raises(InputError, match="slice 9 along x, there are 0 to 8"):
        volume.section(one, 2, 9)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        write_map(tmp_path / "a.mrc", Map(np.full((4, 4, 4), value, dtype=np.float32), 1.0, (0.0, 0.0, 0.0)))
        assert volume.section(volume.open_volume(tmp_path / "a.mrc"), 0, 0)[0, 0] == value


def test_shades_go_from_black_to_white_with_the_first_row_at_the_bottom() -> None:
    shown = volume.shaded(np.array([[0.0, 1.0], [2.0, np.nan]], dtype=np.float32), 0.0, 1.0)
    assert shown.tolist() == [[255, 0], [0, 255]]


def test_the_difference_to_a_scaled_copy_is_nothing(small) -> None:
    answer = small.get("/volume/difference", file="map.mrc", other="other.mrc", axis=1, index=3)
    pixels = np.frombuffer(answer.content, dtype=np.uint8)
    assert answer.headers["x-shape"] == "20,20" and np.abs(pixels.astype(int) - 127).max() <= 1
    refused = small.get("/volume/difference", file="map.mrc", other="larger.mrc", axis=1, index=3)
    assert refused.status_code == 422 and "boxes of 20 and 24" in refused.text


def test_the_surface_of_a_ball(ball: surface.Field) -> None:
    found = surface.mesh(ball, 0.0)
    points = found.points.astype(float) - 23.5
    assert np.abs(np.linalg.norm(points, axis=1) - 16).max() < 0.05
    a, b, c = (points[found.triangles[:, k]] for k in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 == pytest.approx(4 / 3 * np.pi * 16**3, rel=0.01)
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) > 0).all()
    assert np.einsum("ij,ij->i", found.normals, points).min() / 16 > 0.99


@pytest.mark.parametrize("level", [-100.0, -5.0, 3.0, 15.9])
def test_a_surface_is_closed(ball: surface.Field, level: float) -> None:
    noise = np.random.default_rng(0).normal(size=ball.data.shape).astype(np.float32)
    found = surface.mesh(surface.Field(ball.data + noise, 1), level)
    edges = np.concatenate([found.triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    forward, back = (set(map(tuple, one.tolist())) for one in (edges, edges[:, ::-1]))
    assert len(edges) and forward == back


def test_nothing_above_the_level_is_an_empty_mesh(ball: surface.Field) -> None:
    assert len(surface.mesh(ball, 1e6).points) == 0


def test_colours_of_a_linear_map_are_exact_at_any_sampling(ball: surface.Field) -> None:
    found = surface.mesh(ball, 0.0)
    half = surface.Field(np.broadcast_to(np.arange(24.0), (24, 24, 24)).astype(np.float32), 1)
    values = surface.colour_values(found.points, ball.data.shape, half)
    assert np.abs(values - ((found.points[:, 0] + 0.5) / 2 - 0.5)).max() < 1e-4


def test_reduction_is_the_mean(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(130, 130, 130)).astype(np.float32)
    write_map(tmp_path / "a.mrc", Map(data, 1.0, (0.0, 0.0, 0.0)))
    found = surface.open_field(tmp_path / "a.mrc")
    assert found.step == 2 and np.allclose(found.data, data.reshape(65, 2, 65, 2, 65, 2).mean(axis=(1, 3, 5)), atol=1e-5)


def test_the_body_of_a_surface_says_how_long_it_is(small) -> None:
    body = small.get("/volume/surface", file="map.mrc", level=1.0, colour="larger.mrc").content
    points, triangles, coloured, *rest = struct.unpack("<3I5f", body[:32])
    assert len(body) == 32 + points * (12 + 4 + 3) + triangles * 12 and coloured == 1 and rest == [20.0, 20.0, 20.0, 2.0, 1.0]


def test_no_file_name_can_add_a_command_for_chimerax() -> None:
    lines = script(['/a/b"; quit\nexit.mrc'], 0.5, (0.0, 1.0)).splitlines()
    assert lines[0] == 'open "/a/b\\"; quitexit.mrc" id #1' and "exit" not in [line.split()[0] for line in lines]


def test_chimerax_gets_the_colours_and_the_maps_of_the_page(small) -> None:
    asked = {"file": "map.mrc", "level": 1.25, "colour": "other.mrc", "low": 3.0, "high": 7.0}
    text = small.get("/volume/chimerax", **asked).text
    assert f'open "{small.project.root / "map.mrc"}" id #1\nvolume #1 style surface step 1 level 1.25' in text
    assert "color sample #1 map #2 palette 3,#215ebf:5,#ebebc7:7,#c22924 key true" in text
    packed = ZipFile(io.BytesIO(small.get("/volume/chimerax", packed=True, **asked).content))
    assert packed.testzip() is None and packed.namelist() == ["map.cxc", "1_map.mrc", "2_other.mrc"]
    assert packed.read("1_map.mrc") == (small.project.root / "map.mrc").read_bytes()
    assert 'open "1_map.mrc" id #1' in packed.read("map.cxc").decode()
