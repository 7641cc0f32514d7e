"""Movies of every format are the same frames; they are read ahead on threads; broken files are named."""

import bz2
import lzma
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import mrcfile
import numpy as np
import pytest
import tifffile

from verglas.errors import DataError, InputError, VerglasError
from verglas.io.movies import open_frames, read_ahead
from verglas.io.mrc import StackWriter
from verglas.io.mrc_header import as_stack, make_header
from verglas.io.nibbles import unpack_nibbles
from verglas.testing.data import relion_program

SHAPE = (5, 37, 50)


def movie(dtype: str = "uint8", shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Counts (or small numbers of either sign) that no flip leaves as they are."""
    rng = np.random.default_rng(1)
    return rng.poisson(2, shape).astype(dtype) if dtype[0] == "u" else (rng.normal(0, 20, shape)).astype(dtype)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "float32"])
def test_tiff_is_turned_over(dtype: str, compression: str | None, tmp_path: Path) -> None:
    """Row 0 of the array is the last one of the page; strips of 8 rows."""
    stack = movie(dtype)
    tifffile.imwrite(tmp_path / "a.tiff", stack, compression=compression, photometric="minisblack", rowsperstrip=8)
    frames = open_frames(tmp_path / "a.tiff")
    assert (frames.count, frames.shape) == (5, (37, 50))
    found = list(read_ahead(frames))
    assert found[0].dtype == dtype and found[0].flags.c_contiguous
    np.testing.assert_array_equal(found, stack[:, ::-1])


def test_tiff_written_page_by_page(tmp_path: Path) -> None:
    stack = movie("uint16")
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True, byteorder=">") as writer:
        for frame in stack:
            writer.write(frame, compression="zlib", predictor=2)
    np.testing.assert_array_equal(list(read_ahead(open_frames(tmp_path / "a.tif"))), stack[:, ::-1])


def test_packed_tiff_by_its_size(tmp_path: Path) -> None:
    """An 8-bit page of 3838 x 7420 holds two pixels to a byte; of any other size it does not."""
    page = np.random.default_rng(0).integers(0, 256, (7420, 3838), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", page, photometric="minisblack")
    frames = open_frames(tmp_path / "a.tif")
    assert frames.shape == (7420, 7676)
    found = frames.read(0)
    np.testing.assert_array_equal(found[:, 0::2], page[::-1] & 15)
    np.testing.assert_array_equal(found[:, 1::2], page[::-1] >> 4)
    tifffile.imwrite(tmp_path / "b.tif", page[1:], photometric="minisblack")
    assert open_frames(tmp_path / "b.tif").shape == (7419, 3838)


@pytest.mark.parametrize(("mode", "dtype"), [(0, "int8"), (1, "int16"), (2, "float32"), (6, "uint16"), (12, "float16")])
@pytest.mark.parametrize("order", ["<", ">"])
def test_mrc_modes(mode: int, dtype: str, order: str, tmp_path: Path) -> None:
    """Little endian as mrcfile writes it, big endian by hand."""
    stack = movie(dtype)
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(stack)
        assert file.header.mode == mode
    if order == ">":
        with mrcfile.open(tmp_path / "a.mrcs") as file:
            header = file.header.copy()
        header = header.byteswap().view(header.dtype.newbyteorder(">"))
        header.machst = [0x11, 0x11, 0, 0]
        (tmp_path / "a.mrcs").write_bytes(header.tobytes() + stack.astype(np.dtype(dtype).newbyteorder(">")).tobytes())
    frames = open_frames(tmp_path / "a.mrcs")
    assert (frames.count, frames.shape) == (5, (37, 50))
    assert frames.read(3).dtype == np.dtype(dtype)
    np.testing.assert_array_equal(list(read_ahead(frames)), stack)


def test_mrc_of_4_bits(tmp_path: Path) -> None:
    """Mode 101, low half first, rows of an odd width filled up to whole bytes."""
    packed = np.random.default_rng(2).integers(0, 256, (3, 6, 4), dtype=np.uint8)
    header = as_stack(make_header((3, 6, 7), 101, 1.0, (0, 15, 7, 1)))
    (tmp_path / "a.mrc").write_bytes(header.tobytes() + packed.tobytes())
    found = list(read_ahead(open_frames(tmp_path / "a.mrc")))
    np.testing.assert_array_equal(found, unpack_nibbles(packed)[..., :7])
    assert found[0][0, 0] == packed[0, 0, 0] % 16 and found[0][0, 1] == packed[0, 0, 0] // 16


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {".bz2": bz2.compress, ".xz": lzma.compress, ".zst": imagecodecs.zstd_encode}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    with StackWriter(tmp_path / "a.mrcs", 1.0) as stack:
        stack.append(movie("float32"))
    return tmp_path / "a.mrcs"


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_compressed_mrc(suffix: str, plain: Path) -> None:
    path = plain.with_name("b.mrcs" + suffix)
    path.write_bytes(COMPRESSORS[suffix](plain.read_bytes()))
    frames = open_frames(path)
    np.testing.assert_array_equal(list(read_ahead(frames, threads=4)), movie("float32"))
    for number in (4, 1, 3, 3):
        np.testing.assert_array_equal(frames.read(number), movie("float32")[number])


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_compressed_mrc_that_is_broken(suffix: str, plain: Path) -> None:
    whole = plain.read_bytes()
    path = plain.with_name("b.mrc" + suffix)
    path.write_bytes(COMPRESSORS[suffix](whole[:1024 + 2 * 37 * 50 * 4 + 100]))
    frames = open_frames(path)
    frames.read(1)
    with pytest.raises(DataError, match=r"promises 5 frames, .* 2 frames are readable"):
        frames.read(4)
    raw = COMPRESSORS[suffix](whole)
    changed = raw[:100] + bytes(200) + raw[300:]  # zst has no check sum here
    for damaged in (raw[:len(raw) // 2], b"not compressed at all", b"", *([changed] if suffix != ".zst" else [])):
        path.write_bytes(damaged)
        with pytest.raises(DataError):
            list(read_ahead(open_frames(path)))


def test_zst_as_the_program_writes_it(plain: Path) -> None:
    """From a pipe, so that the file does not say how long the data are."""
    path = plain.with_name("b.mrcs.zst")
    try:
        path.write_bytes(subprocess.run(["zstd", "-c"], input=plain.read_bytes(), capture_output=True, check=True).stdout)
    except FileNotFoundError:
        pytest.skip("the program zstd is not installed")
    np.testing.assert_array_equal(open_frames(path).read(2), movie("float32")[2])


def test_unusable_files_are_explained(tmp_path: Path, plain: Path) -> None:
    with pytest.raises(InputError, match=r"expected one of \.tif"):
        open_frames(tmp_path / "movie.dm4")
    for name in ("no.tif", "no.mrc", "no.eer", "no.mrc.bz2", "no.mrc.zst"):
        with pytest.raises(InputError, match="No such file"):
            open_frames(tmp_path / name)
    for name in ("text.tif", "text.mrc", "text.eer"):
        (tmp_path / name).write_text("this is a text of some length, but no movie " * 40)
        with pytest.raises(DataError):
            open_frames(tmp_path / name)
    header = as_stack(make_header((2, 1 << 20, 1 << 20), 2, 1.0, (0, 0, 0, 0))).tobytes()
    (tmp_path / "huge.mrc.bz2").write_bytes(bz2.compress(header + bytes(1000)))
    with pytest.raises(DataError, match="frames of 1048576 x 1048576 pixels"):
        open_frames(tmp_path / "huge.mrc.bz2")
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    with pytest.raises(InputError, match="grey"):
        open_frames(tmp_path / "rgb.tif")
    with tifffile.TiffWriter(tmp_path / "odd.tif") as writer:
        for rows in (6, 6, 7):
            writer.write(np.zeros((rows, 4), np.uint8))
    with pytest.raises(DataError, match=r"odd.tif, page 3: 4 x 7 pixels of uint8, but page 1 has 4 x 6"):
        open_frames(tmp_path / "odd.tif")
    plain.write_bytes(plain.read_bytes()[:-5000])
    with pytest.raises(DataError, match="5 sections, of which 4 are complete"):
        open_frames(plain)


@pytest.mark.parametrize("big", [False, True])
def test_truncated_tiff_says_how_many_frames_are_left(big: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        for frame in movie():
            writer.write(frame, compression="lzw")
    raw = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        ends = [max(start + size for start, size in zip(page.dataoffsets, page.databytecounts)) for page in file.pages]
    for cut in range(20, len(raw) - 1, 97):
        path.write_bytes(raw[:cut])
        with pytest.raises(DataError, match=f"{sum(end <= cut for end in ends)} frames are readable"):
            open_frames(path)


def test_a_damaged_tiff_page_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", movie(), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        start, size = file.pages[2].dataoffsets[0], file.pages[2].databytecounts[0]
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    raw[start:start + size] = bytes(size)
    (tmp_path / "a.tif").write_bytes(raw)
    frames = open_frames(tmp_path / "a.tif")
    frames.read(1)
    with pytest.raises(DataError, match="page 3 of 5: cannot be decoded"):
        frames.read(2)


def test_a_tag_without_values(tmp_path: Path) -> None:
    """The number of values of the compression tag set to 0."""
    tifffile.imwrite(tmp_path / "a.tif", movie(), compression="lzw", photometric="minisblack")
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        entry = file.pages[0].tags[259].offset
    raw[entry + 4:entry + 8] = bytes(4)
    (tmp_path / "a.tif").write_bytes(raw)
    with pytest.raises(VerglasError):
        open_frames(tmp_path / "a.tif").read(0)


def test_noise_never_breaks_the_tiff_reader(tmp_path: Path) -> None:
    """Random bytes of a good file changed: an error or frames."""
    rng = np.random.default_rng(4)
    path, errors = tmp_path / "a.tif", 0
    tifffile.imwrite(path, movie(), compression="lzw", photometric="minisblack")
    raw = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    for _ in range(300):
        damaged = raw.copy()
        damaged[rng.integers(0, min(len(raw), rng.choice([60, 400, len(raw)])), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes())
        try:
            frames = open_frames(path)
            for number in range(frames.count):
                frames.read(number)
        except VerglasError:
            errors += 1
    assert errors > 50


class Slow:
    """Frames that count how many exist or are being made."""

    path, count, shape = Path("slow"), 30, (2, 2)

    def __init__(self) -> None:
        self.lock, self.alive, self.most, self.at_once, self.busy = threading.Lock(), 0, 0, 0, 0

    def read(self, frame: int) -> np.ndarray:
        with self.lock:
            self.alive, self.busy = self.alive + 1, self.busy + 1
            self.most, self.at_once = max(self.most, self.alive), max(self.at_once, self.busy)
        time.sleep(0.002)
        with self.lock:
            self.busy -= 1
        if frame == 25:
            raise DataError("frame 26 is bad")
        return np.full(self.shape, frame)


@pytest.mark.parametrize(("threads", "ahead"), [(1, 2), (2, 4), (3, 8)])
def test_reading_ahead_holds_few_frames(threads: int, ahead: int) -> None:
    """In order, on all the threads, with never more than `ahead` frames, the caller's own included; an error arrives at its frame."""
    frames, seen = Slow(), []
    with pytest.raises(DataError, match="26"):
        for one in read_ahead(frames, threads=threads, ahead=ahead):
            seen.append(int(one[0, 0]))
            time.sleep(0.001)
            with frames.lock:
                frames.alive -= 1
    assert seen == list(range(25))
    assert frames.at_once == threads and frames.most <= ahead
    assert [int(one[0, 0]) for one in read_ahead(frames, [7, 3, 3])] == [7, 3, 3]


def test_reading_ahead_can_be_left(plain: Path) -> None:
    """No thread stays when the caller stops early."""
    before = threading.active_count()
    reader = read_ahead(Slow(), threads=3)
    next(reader)
    reader.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("dtype", ["int8", "uint16"])
def test_relion_turns_tiff_over_too(dtype: str, tmp_path: Path) -> None:
    """relion_convert_to_tiff made the TIFF file from an MRC file: both hold the same frames."""
    program = relion_program("relion_convert_to_tiff")
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(np.random.default_rng(0).poisson(3, SHAPE).astype(dtype))
    subprocess.run([program, "--i", "a.mrcs", "--o", "out/"], cwd=tmp_path, check=True, capture_output=True)
    mrc, tiff = open_frames(tmp_path / "a.mrcs"), open_frames(tmp_path / "out/a.tif")
    np.testing.assert_array_equal(list(read_ahead(mrc)), list(read_ahead(tiff)))
