"""EER: electron lists come back exactly, whatever the code; broken files give an error, never a crash."""

import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from verglas.errors import DataError, InputError, VerglasError
from verglas.io.eer import EerFrames
from verglas.io.movies import EerOptions, open_frames, read_ahead
from verglas.testing.data import relion_program
from verglas.testing.eer_movies import encode_frame, random_electrons, write_eer, write_legacy_eer

SHAPE = (48, 40)
PIXELS = SHAPE[0] * SHAPE[1]
CODES = {
    "65000": (65000, {}, (8, 2, 2, True)),
    "65001": (65001, {}, (7, 2, 2, False)),
    "65002 as it is by default": (65002, {}, (7, 1, 1, False)),
    "65002 with one number of symbol bits": (65002, {65007: 6, 65008: 2}, (6, 2, 2, False)),
    "65002 with two": (65002, {65007: 9, 65008: 3, 65009: 2}, (9, 3, 2, False)),
    "65002 with runs alone": (65002, {65007: 5, 65008: 0}, (5, 0, 0, False)),
}


def drawn(electrons: np.ndarray, scale: int, x_bits: int, y_bits: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """The definition: each electron adds 1 to the fine pixel it hit."""
    counts = np.zeros((shape[0] * scale, shape[1] * scale), dtype=np.int64)
    y, x = np.divmod(electrons[:, 0], shape[1])
    np.add.at(counts, (y * scale + electrons[:, 2] * scale // 2**y_bits, x * scale + electrons[:, 1] * scale // 2**x_bits), 1)
    return counts


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("rate", [0.0, 0.002, 0.05, 0.9, 1.0])
def test_electrons_come_back(name: str, rate: float, tmp_path: Path) -> None:
    """One hardware frame at a time, every upsampling: at 4 the picture is the list of electrons."""
    compression, tags, code = CODES[name]
    rng = np.random.default_rng(3)
    lists = [random_electrons(rng, PIXELS, rate, *code[1:3]) for _ in range(4)]
    write_eer(tmp_path / "a.eer", [encode_frame(one, PIXELS, *code) for one in lists], SHAPE, compression, tags)
    for scale in [u for u in (1, 2, 4) if u <= 2 ** min(code[1:3])]:
        frames = open_frames(tmp_path / "a.eer", EerOptions(1, scale))
        assert (frames.count, frames.shape) == (4, (SHAPE[0] * scale, SHAPE[1] * scale))
        for number, electrons in enumerate(lists):
            np.testing.assert_array_equal(frames.read(number), drawn(electrons, scale, *code[1:3]))


@pytest.mark.parametrize("code", [(8, 2, 2, True), (7, 2, 2, False)])
@pytest.mark.parametrize("places", [
    [], [0], [PIXELS - 1], [126], [127], [128], [254], [255], [256], [127 * 3], [127 * 3 + 1], [0, 255],
    [PIXELS - 1 - 127], [PIXELS - 1 - 255], [PIXELS - 128],
])
def test_runs_at_their_limits(places: list[int], code: tuple[int, int, int, bool], tmp_path: Path) -> None:
    """No electron; the first and last pixel; runs of 126 to 128 and 254 to 256; the end of the frame hit exactly by a longest run."""
    electrons = np.array([[place, 3, 1] for place in places], dtype=int).reshape(-1, 3)
    write_eer(tmp_path / "a.eer", [encode_frame(electrons, PIXELS, *code)], SHAPE, 65000 if code[3] else 65001)
    np.testing.assert_array_equal(open_frames(tmp_path / "a.eer", EerOptions(1, 4)).read(0), drawn(electrons, 4, 2, 2))


def test_a_frame_may_stop_at_its_last_electron(tmp_path: Path) -> None:
    """The run of 0 pixels after an electron in the last pixel may be missing."""
    shape = (1, 9)
    electrons = np.array([[n, 1, 2] for n in range(8)])  # 8 codes of 11 bits are 11 bytes, and the data end with the eighth
    full = encode_frame(electrons, 8)
    write_eer(tmp_path / "a.eer", [full[:11]], (1, 8))
    np.testing.assert_array_equal(open_frames(tmp_path / "a.eer", EerOptions(1, 4)).read(0), drawn(electrons, 4, 2, 2, (1, 8)))
    write_eer(tmp_path / "b.eer", [full[:11]], shape)
    with pytest.raises(DataError, match="none of its hardware frames"):
        open_frames(tmp_path / "b.eer", EerOptions(1)).read(0)


@pytest.fixture
def movie(tmp_path: Path) -> tuple[Path, list[np.ndarray]]:
    """11 hardware frames of 65001."""
    rng = np.random.default_rng(5)
    lists = [random_electrons(rng, PIXELS, 0.3) for _ in range(11)]
    write_eer(tmp_path / "movie.eer", [encode_frame(one, PIXELS) for one in lists], SHAPE)
    return tmp_path / "movie.eer", lists


def test_fractions_are_sums_and_surplus_frames_are_left_out(movie: tuple[Path, list[np.ndarray]]) -> None:
    path, lists = movie
    frames = open_frames(path, EerOptions(4, 2))
    assert frames.count == 2
    fractions = list(read_ahead(frames))
    for number, fraction in enumerate(fractions):
        assert fraction.dtype == np.uint8
        np.testing.assert_array_equal(fraction, sum(drawn(one, 2, 2, 2) for one in lists[4 * number:4 * number + 4]))


def test_upsampling_keeps_the_electrons(movie: tuple[Path, list[np.ndarray]]) -> None:
    one, two, four = (open_frames(movie[0], EerOptions(11, u)).read(0).astype(int) for u in (1, 2, 4))
    np.testing.assert_array_equal(two.reshape(SHAPE[0], 2, SHAPE[1], 2).sum((1, 3)), one)
    np.testing.assert_array_equal(four.reshape(2 * SHAPE[0], 2, 2 * SHAPE[1], 2).sum((1, 3)), two)
    assert one.sum() == sum(len(electrons) for electrons in movie[1])


def test_a_long_fraction_does_not_overflow(tmp_path: Path) -> None:
    """300 electrons in the same pixel, in batches of 32 frames."""
    write_eer(tmp_path / "a.eer", [encode_frame(np.array([[7, 0, 0]]), PIXELS)] * 300, SHAPE)
    fraction = open_frames(tmp_path / "a.eer", EerOptions(300)).read(0)
    assert fraction[0, 7] == fraction.sum() == 300


def test_many_rows_in_many_bands(tmp_path: Path) -> None:
    """More counts than fit one band of the decoder, with rows that are almost empty."""
    shape = (300, 1024)
    electrons = [random_electrons(np.random.default_rng(seed), shape[0] * shape[1], 0.0005 * 30**seed) for seed in range(3)]
    write_eer(tmp_path / "a.eer", [encode_frame(one, shape[0] * shape[1]) for one in electrons], shape)
    for scale in (1, 2, 4):
        truth = sum(drawn(one, scale, 2, 2, shape) for one in electrons)
        np.testing.assert_array_equal(open_frames(tmp_path / "a.eer", EerOptions(3, scale)).read(0), truth)


@pytest.mark.parametrize("order", ["<", ">"])
def test_containers(order: str, tmp_path: Path) -> None:
    """Several strips to a frame, both byte orders; a plain page (the sum that some programs add) is no frame."""
    lists = [random_electrons(np.random.default_rng(seed), PIXELS, 0.2) for seed in range(3)]
    write_eer(tmp_path / "a.eer", [encode_frame(one, PIXELS) for one in lists], SHAPE, strips=3, order=order)
    frames = open_frames(tmp_path / "a.eer", EerOptions(1))
    for number, electrons in enumerate(lists):
        np.testing.assert_array_equal(frames.read(number), drawn(electrons, 1, 2, 2))
    if order == "<":
        with tifffile.TiffWriter(tmp_path / "a.eer", append=True, bigtiff=True) as writer:
            writer.write(np.zeros(SHAPE, dtype=np.uint16))
        assert open_frames(tmp_path / "a.eer", EerOptions(1)).count == 3


def test_the_oldest_files(tmp_path: Path) -> None:
    """Frames without a TIFF container, 4096 x 4096."""
    lists = [np.array([[seed, 0, 3], [5_000_000, 1, 1], [(1 << 24) - 2, 2, 0]]) for seed in range(2)]
    data = [encode_frame(one, 1 << 24, 8, symbol_always=True) for one in lists]
    write_legacy_eer(tmp_path / "a.ecc", data)
    frames = open_frames(tmp_path / "a.ecc", EerOptions(2, 1))
    np.testing.assert_array_equal(frames.read(0), sum(drawn(one, 1, 2, 2, (4096, 4096)) for one in lists))
    raw = (tmp_path / "a.ecc").read_bytes()
    (tmp_path / "b.ecc").write_bytes(raw[1000:])
    with pytest.raises(DataError, match="only the last 1 frames are readable"):
        open_frames(tmp_path / "b.ecc")


def test_imagecodecs_agrees(movie: tuple[Path, list[np.ndarray]]) -> None:
    """tifffile reads the container, imagecodecs the code: the oracle for 65001 at detector pixels."""
    frames = open_frames(movie[0], EerOptions(1))
    with tifffile.TiffFile(movie[0]) as file:
        assert len(file.pages) == 11
        for number, page in enumerate(file.pages):
            start, size = page.dataoffsets[0], page.databytecounts[0]
            file.filehandle.seek(start)
            data = file.filehandle.read(size)
            oracle = np.zeros(SHAPE, dtype=np.uint16)
            imagecodecs.eer_decode(data + bytes(size % 2), SHAPE, 7, 2, 2, superres=0, out=oracle)
            np.testing.assert_array_equal(frames.read(number), oracle)


@pytest.mark.slow
@pytest.mark.parametrize("upsampling", [1, 2])
@pytest.mark.parametrize("compression", [65000, 65001])
def test_relion_agrees(compression: int, upsampling: int, tmp_path: Path) -> None:
    """relion_convert_to_tiff renders the same 4096 x 4096 movie; only its row order in the file differs."""
    program = relion_program("relion_convert_to_tiff")
    old = compression == 65000
    lists = [random_electrons(np.random.default_rng(seed), 1 << 24, 0.01) for seed in range(5)]
    data = [encode_frame(one, 1 << 24, 8 if old else 7, symbol_always=old) for one in lists]
    write_eer(tmp_path / "a.eer", data, (4096, 4096), compression)
    command = [program, "--i", "a.eer", "--o", "out/", "--eer_grouping", "2", "--eer_upsampling", str(upsampling)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    ours, theirs = open_frames(tmp_path / "a.eer", EerOptions(2, upsampling)), open_frames(tmp_path / "out/a.tif")
    assert ours.count == theirs.count == 2
    for number in range(2):
        np.testing.assert_array_equal(ours.read(number), theirs.read(number))


def test_bad_frames_and_options_are_named(movie: tuple[Path, list[np.ndarray]], tmp_path: Path) -> None:
    path, lists = movie
    for options, message in ((EerOptions(12), "11 hardware frames, fewer than one fraction of 12"), (EerOptions(0), "grouping of 0"),
                             (EerOptions(4, 3), r"upsampling of 3, expected one of \[1, 2, 4\]")):
        with pytest.raises(InputError, match=message):
            open_frames(path, options)
    good = encode_frame(lists[0], PIXELS)
    for bad in (b"", good[:-20], encode_frame(lists[0], PIXELS + 5)):
        write_eer(tmp_path / "bad.eer", [good, bad, good], SHAPE)
        frames = open_frames(tmp_path / "bad.eer", EerOptions(1))
        frames.read(0)
        with pytest.raises(DataError, match="hardware frames 2 to 2: none of its hardware frames can be decoded"):
            frames.read(1)
    tifffile.imwrite(tmp_path / "plain.eer", np.zeros((3, 4, 4), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match="no EER frame"):
        open_frames(tmp_path / "plain.eer")
    (tmp_path / "movie.tif").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"EER movie under the name of a TIFF"):
        open_frames(tmp_path / "movie.tif")


def test_damaged_frames_are_left_out_of_their_fraction(movie: tuple[Path, list[np.ndarray]], tmp_path: Path) -> None:
    """Also the last frame, whose data the file ends before: its directory is in front of them."""
    lists = movie[1]
    frames = [encode_frame(one, PIXELS) for one in lists[:8]]
    good = [drawn(one, 2, 2, 2) for one in lists[:8]]
    for bad in (b"", frames[2][:-20], encode_frame(lists[0], PIXELS + 5)):
        write_eer(tmp_path / "bad.eer", [*frames[:2], bad, *frames[3:]], SHAPE)
        movie_ = EerFrames(tmp_path / "bad.eer", 4, 2)
        assert movie_.damaged == set()
        for _ in range(2):
            np.testing.assert_array_equal(movie_.read(0), good[0] + good[1] + good[3])
            np.testing.assert_array_equal(movie_.read(1), sum(good[4:]))
            assert movie_.damaged == {3}
    write_eer(tmp_path / "cut.eer", frames, SHAPE)
    raw = bytearray((tmp_path / "cut.eer").read_bytes())
    with tifffile.TiffFile(tmp_path / "cut.eer") as file:
        place = file.pages[-1].tags[273].valueoffset
    raw[place:place + 8] = len(raw).to_bytes(8, "little")
    (tmp_path / "cut.eer").write_bytes(raw + frames[7][:-10])
    movie_ = EerFrames(tmp_path / "cut.eer", 4, 2)
    assert movie_.damaged == {8} and movie_.count == 2
    np.testing.assert_array_equal(movie_.read(1), sum(good[4:7]))


def test_truncated_files_say_what_is_left(movie: tuple[Path, list[np.ndarray]], tmp_path: Path) -> None:
    raw, ends = movie[0].read_bytes(), []
    with tifffile.TiffFile(movie[0]) as file:
        ends = [page.dataoffsets[0] + page.databytecounts[0] for page in file.pages]
    for cut in range(1, len(raw), len(raw) // 150):
        (tmp_path / "cut.eer").write_bytes(raw[:cut])
        with pytest.raises(VerglasError) as caught:
            open_frames(tmp_path / "cut.eer")
        if "frames are readable" in str(caught.value):
            readable = int(str(caught.value).split(" frames are readable")[0].split()[-1])
            assert readable in (sum(end < cut for end in ends), sum(end < cut for end in ends) - 1)
    assert readable >= 9


def test_noise_never_breaks_the_decoder(movie: tuple[Path, list[np.ndarray]], tmp_path: Path) -> None:
    """Random data as frames of every code, and a good file with random bytes changed: an error or counts, and soon."""
    rng = np.random.default_rng(9)
    path = tmp_path / "noise.eer"
    errors = 0
    for compression, tags, code in CODES.values():
        for size in (1, 2, 3, 5, 40, 3000):
            write_eer(path, [rng.integers(0, 256, size, dtype=np.uint8).tobytes(), bytes(size), b"\xff" * size], SHAPE, compression, tags)
            frames = EerFrames(path, 1, 2 if code[1] else 1)
            for number in range(3):
                try:
                    assert frames.read(number).max() <= 1
                except DataError:
                    errors += 1
    assert errors > 50
    raw = np.frombuffer(movie[0].read_bytes(), dtype=np.uint8)
    errors = 0
    for _ in range(400):
        damaged = raw.copy()
        damaged[rng.integers(0, len(raw), 30)] = rng.integers(0, 256, 30)
        path.write_bytes(damaged.tobytes()[:rng.integers(1, 2 * len(raw))])
        try:
            frames = open_frames(path, EerOptions(1, 2))
            for number in range(frames.count):
                frames.read(number)
        except VerglasError:
            errors += 1
    assert errors > 200
