"""MRC maps and stacks: every mode and byte order, axis order, truncation; mrcfile and gemmi are the oracles."""

import os
from pathlib import Path

import gemmi
import mrcfile
import numpy as np
import pytest

from verglas.errors import DataError, InputError
from verglas.io.mrc import MrcStack, StackWriter, half_precision, read_map, read_volume, write_map
from verglas.io.mrc_header import header_dtype, read_header
from verglas.testing.data import shared_data
from verglas.types import Map


def write_raw(path: Path, data: np.ndarray, mode: int, *, order: str = "<", extended: bytes = b"", **fields: object) -> Path:
    """A file made field by field, independent of the code under test except for the field table."""
    header = np.zeros(1, dtype=header_dtype(order))
    columns = fields.pop("columns", data.shape[2])
    header["shape"], header["mode"] = (columns, data.shape[1], data.shape[0]), mode
    header["sampling"], header["cell"], header["axes"] = header["shape"], header["shape"] * 2.0, (1, 2, 3)
    header["machine"] = (0x44, 0x44, 0, 0) if order == "<" else (0x11, 0x11, 0, 0)
    header["extended"], header["magic"] = len(extended), b"MAP "
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.tobytes() + extended + data.tobytes())
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("mode", "kind"), [(0, "i1"), (1, "i2"), (2, "f4"), (6, "u2"), (12, "f2")])
def test_modes_and_byte_orders(tmp_path: Path, mode: int, kind: str, order: str) -> None:
    data = np.random.default_rng(0).integers(-100 if kind != "u2" else 0, 100, (4, 5, 6)).astype(order + kind)
    path = write_raw(tmp_path / "x.mrcs", data, mode, order=order, extended=b"x" * 80)
    with MrcStack(path) as stack:
        assert stack.shape == (4, 5, 6) and stack.pixel_size == 2.0
        images = stack.read(np.array([3, 0, 1, 1, 2]))
        assert images.dtype == np.float32
        np.testing.assert_array_equal(images, data[[3, 0, 1, 1, 2]].astype(np.float32))
        np.testing.assert_array_equal(stack.mapped(), data)
    with mrcfile.open(path, permissive=True) as oracle:
        np.testing.assert_array_equal(oracle.data, data)


@pytest.mark.parametrize("columns", [6, 7])
def test_four_bit_pixels(tmp_path: Path, columns: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 16, (3, 4, columns + columns % 2), dtype=np.uint8)
    pixels[:, :, columns:] = 0
    packed = pixels[..., 0::2] | (pixels[..., 1::2] << 4)
    path = write_raw(tmp_path / "x.mrcs", packed, 101, columns=columns)
    with MrcStack(path) as stack:
        np.testing.assert_array_equal(stack.read(np.array([2, 0])), pixels[[2, 0], :, :columns])
        with pytest.raises(InputError, match="4-bit"):
            stack.mapped()


def test_imods_unsigned_bytes(tmp_path: Path) -> None:
    data = np.arange(240, 249, dtype=np.uint8).reshape(1, 3, 3)
    for flags, first in ((0, 240.0), (1, -16.0)):
        path = write_raw(tmp_path / "x.mrc", data, 0, imod_stamp=1146047817, imod_flags=flags)
        assert MrcStack(path).read(np.array([0]))[0, 0, 0] == first


def test_a_missing_machine_stamp_is_worked_out(tmp_path: Path) -> None:
    data = np.arange(8.0).reshape(2, 2, 2)
    for order in "<>":
        path = write_raw(tmp_path / "x.mrc", data.astype(order + "f4"), 2, order=order, machine=0, magic=b"")
        np.testing.assert_array_equal(read_volume(path)[0], data)


@pytest.mark.parametrize("axes", [(1, 2, 3), (3, 1, 2), (2, 1, 3), (1, 3, 2), (2, 3, 1), (3, 2, 1)])
def test_axis_order(tmp_path: Path, axes: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)  # z, y, x
    sizes = dict(zip((3, 2, 1), volume.shape))
    stored = np.ascontiguousarray(np.transpose(volume, [3 - axis for axis in axes[::-1]]))
    path = write_raw(tmp_path / "x.mrc", stored, 2, axes=axes, sampling=(sizes[1], sizes[2], sizes[3]), cell=(5.0, 8.0, 9.0))
    data, header = read_volume(path)
    np.testing.assert_array_equal(data, volume)
    assert header.voxel == pytest.approx([{1: 1.0, 2: 2.0, 3: 3.0}[axis] for axis in axes])


@pytest.mark.parametrize("name", ["EMD-3001.map", "EMD-3197.map", "EMD-1997.map", "betaGal.mrc"])
def test_real_maps_as_gemmi_sees_them(name: str) -> None:
    path = shared_data(f"maps/{name}")
    grid = gemmi.read_ccp4_map(str(path))
    expected = np.array(grid.grid, copy=False)
    data, header = read_volume(path)
    axes = [header.axes.index(k) for k in (1, 2, 3)]
    assert data.sum(dtype=np.float64) == pytest.approx(expected.sum(dtype=np.float64), rel=1e-4)
    stored = np.transpose(data, [3 - axis for axis in header.axes[::-1]])
    np.testing.assert_array_equal(np.transpose(stored, (2, 1, 0)), expected)
    assert sorted(axes) == [0, 1, 2]


def test_map_round_trip(tmp_path: Path) -> None:
    volume = Map(np.random.default_rng(0).normal(size=(6, 6, 6)).astype(np.float32), 1.2345, (1.0, -2.0, 3.0))
    write_map(tmp_path / "x.mrc", volume)
    again = read_map(tmp_path / "x.mrc")
    np.testing.assert_array_equal(again.data, volume.data)
    assert again.pixel_size == pytest.approx(1.2345, rel=1e-6) and again.origin == volume.origin
    assert mrcfile.validate(tmp_path / "x.mrc")
    with mrcfile.open(tmp_path / "x.mrc") as oracle:
        assert oracle.voxel_size.x == pytest.approx(1.2345) and oracle.header.dmax == volume.data.max()
        assert float(oracle.header.rms) == pytest.approx(volume.data.std(), rel=1e-5)


def test_origin_from_the_start_indices() -> None:
    assert read_map(shared_data("maps/EMD-1997.map")).origin == pytest.approx((-101.0, -101.0, -101.0))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_stack_writer(tmp_path: Path, dtype: str) -> None:
    images = np.random.default_rng(0).normal(size=(7, 4, 4)).astype(dtype)
    with StackWriter(tmp_path / "x.mrcs", 3.54, dtype) as stack:
        stack.append(images[:3])
        stack.append(images[3:])
        assert not (tmp_path / "x.mrcs").exists()
    with mrcfile.open(tmp_path / "x.mrcs") as oracle:
        np.testing.assert_array_equal(oracle.data, images)
        assert oracle.is_image_stack() and oracle.voxel_size.x == pytest.approx(3.54)
        assert float(oracle.header.dmean) == pytest.approx(images.mean(dtype=np.float64), abs=1e-4)
    assert mrcfile.validate(tmp_path / "x.mrcs")


def test_a_stack_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), StackWriter(tmp_path / "x.mrcs", 1.0) as stack:
        stack.append(np.zeros((1, 2, 2)))
        raise RuntimeError
    with pytest.raises(InputError, match="no images"), StackWriter(tmp_path / "x.mrcs", 1.0):
        pass
    with pytest.raises(InputError, match="one stack per box size"), StackWriter(tmp_path / "x.mrcs", 1.0) as stack:
        stack.append(np.zeros((1, 2, 2)))
        stack.append(np.zeros((1, 3, 3)))
    with pytest.raises(InputError, match="folder does not exist"), StackWriter(tmp_path / "no" / "x.mrcs", 1.0):
        pass
    assert not list(tmp_path.iterdir())


def test_truncated(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.mrcs", np.zeros((4, 8, 8), np.float32), 2)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=r"truncated: 1748 bytes, but its header promises 2048 \(4 sections, of which 2 are complete\)") as caught:
        MrcStack(path)
    assert caught.value.where == str(path) and caught.value.remedy


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.mrcs", np.zeros((4, 8, 8), np.float32), 2)
    with MrcStack(path) as stack:
        os.truncate(path, 1500)
        with pytest.raises(DataError, match="became shorter"):
            stack.read(np.array([3]))


@pytest.mark.parametrize(("index", "words"), [([0, 4], "image 5 of 4"), ([-1], "image 0 of 4")])
def test_image_beyond_the_stack(tmp_path: Path, index: list[int], words: str) -> None:
    path = write_raw(tmp_path / "x.mrcs", np.zeros((4, 2, 2), np.float32), 2)
    with MrcStack(path) as stack, pytest.raises(InputError, match=words):
        stack.read(np.array(index))


@pytest.mark.parametrize(("content", "words"), [
    (b"short", "shorter than an MRC header"), (b"not an mrc file " * 100, "not an MRC file"), (bytes(2000), "not an MRC file"),
])
def test_not_mrc(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.mrc").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_header(tmp_path / "x.mrc")


def test_other_modes_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"MRC mode 4, expected one of \[0, 1, 2, 6, 12, 101\]"):
        read_header(write_raw(tmp_path / "x.mrc", np.zeros((2, 2, 2), np.complex64), 4))


@pytest.mark.parametrize(("fields", "words", "kind"), [
    ({"axes": (1, 1, 3)}, "permutation of 1, 2, 3", DataError), ({"cell": 0.0}, "no pixel size", InputError),
    ({"cell": (4.0, 4.0, 5.0)}, "expected cubic", InputError),
])
def test_unusable_maps(tmp_path: Path, fields: dict[str, object], words: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=words):
        read_map(write_raw(tmp_path / "x.mrc", np.zeros((2, 2, 2), np.float32), 2, **fields))


def test_maps_that_are_no_cubes_or_hold_nan(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="4 x 3 x 2 voxels, expected a cube"):
        read_map(write_raw(tmp_path / "x.mrc", np.zeros((2, 3, 4), np.float32), 2))
    with pytest.raises(DataError, match="not numbers"):
        read_map(write_raw(tmp_path / "x.mrc", np.full((2, 2, 2), np.nan, np.float32), 2))
    with pytest.raises(InputError, match="cannot be read"):
        read_map(tmp_path / "no.mrc")


def test_real_stacks_as_mrcfile_reads_them() -> None:
    for path in sorted(shared_data("bgal-project/Extract/job009/Movies").glob("*.mrcs"))[:3]:
        with mrcfile.mmap(path, permissive=True) as oracle, MrcStack(path) as stack:
            rows = np.random.default_rng(0).permutation(len(oracle.data))
            np.testing.assert_array_equal(stack.read(rows), oracle.data[rows].astype(np.float32))
            assert stack.header.mode == 12


def test_half_precision_rounds_clamps_and_has_no_subnormal_numbers() -> None:
    values = np.array([1.0, 1.0 + 2.0**-11 + 2.0**-20, 1e6, -1e6, 65519.0, 2.0**-14, 2.0**-15, -1e-7], dtype=np.float32)
    found = half_precision(values)
    assert found.dtype == np.float16
    assert found.tolist() == [1.0, 1.0 + 2.0**-10, 65504.0, -65504.0, 65504.0, 2.0**-14, 0.0, 0.0]
