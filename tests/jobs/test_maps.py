"""Jobs on maps: files that RELION expects, and doors that name the file and the remedy."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.mrc import read_map
from verglas.io.star import Table, read_star, write_star
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.testing.data import relion_program, shared_data
from verglas.types import Map

Save = Callable[..., Path]


def job(name: str, tmp_path: Path, **options: object) -> Path:
    found = find(name)
    request = Request(Resources(), project=tmp_path, quiet=True, command=f"verglas {name}")
    return run_job(found, parse(found.params, options), request)


def refused(name: str, tmp_path: Path, **options: object) -> str:
    """The message of a job that must not start; no job folder may be left."""
    with pytest.raises(VerglasError) as error:
        job(name, tmp_path, **options)
    assert not (tmp_path / find(name).folder).exists()
    assert error.value.remedy
    return str(error.value)


def test_mask_lies_between_0_and_1_and_holds_the_particle(tmp_path: Path, volume: Map, saved: Save) -> None:
    folder = job("mask", tmp_path, map=saved("map.mrc", volume), lowpass=0, soft_edge=4)
    mask = read_map(folder / "mask.mrc")
    assert mask.data.min() >= 0 and mask.data.max() == 1
    assert (mask.data * volume.data).sum() > 0.9 * volume.data.sum()
    assert mask.data.mean() < 0.5


def test_postprocess_writes_relions_files(tmp_path: Path, halves: tuple[Map, Map], saved: Save) -> None:
    half1, half2 = saved("h1.mrc", halves[0]), saved("h2.mrc", halves[1])
    folder = job("postprocess", tmp_path, half1=half1, half2=half2, mask="auto", b_factor="auto", fit_from=20)
    for name in ("postprocess.mrc", "postprocess_masked.mrc", "postprocess.star", "postprocess_fsc.xml", "mask.mrc"):
        assert (folder / name).exists(), name
    tables = read_star(folder / "postprocess.star")
    assert list(tables) == ["general", "fsc", "guinier"]
    general = tables["general"].values()
    assert general["rlnUnfilteredMapHalf1"] == str(half1)
    assert 6.0 <= float(str(general["rlnFinalResolution"])) < 20
    assert float(str(general["rlnBfactorUsedForSharpening"])) == pytest.approx(
        4 * float(str(general["rlnFittedSlopeGuinierPlot"])), rel=1e-4)
    assert len(tables["fsc"]) == 17
    xml = (folder / "postprocess_fsc.xml").read_text()
    assert xml.count("<coordinate>") == 17


def test_postprocess_without_mask_has_one_curve(tmp_path: Path, halves: tuple[Map, Map], saved: Save) -> None:
    paths = {"half1": saved("h1.mrc", halves[0]), "half2": saved("h2.mrc", halves[1])}
    folder = job("postprocess", tmp_path, **paths, b_factor=-50)
    table = read_star(folder / "postprocess.star")["fsc"]
    assert "rlnFourierShellCorrelationMaskedMaps" not in table
    assert np.array_equal(table["rlnFourierShellCorrelationCorrected"], table["rlnFourierShellCorrelationUnmaskedMaps"])
    assert not (folder / "postprocess_masked.mrc").exists()


def test_a_calibrated_pixel_size_scales_the_resolution(tmp_path: Path, halves: tuple[Map, Map], saved: Save) -> None:
    paths = {"half1": saved("h1.mrc", halves[0]), "half2": saved("h2.mrc", halves[1]), "b_factor": 0}
    found = []
    for pixel in (3.0, 3.3):
        folder = job("postprocess", tmp_path, **paths, calibrated_pixel_size=pixel)
        found.append(float(str(read_star(folder / "postprocess.star")["general"].values()["rlnFinalResolution"])))
        assert read_map(folder / "postprocess.mrc").pixel_size == pytest.approx(pixel, rel=1e-5)
    assert found[1] / found[0] == pytest.approx(1.1, rel=1e-3)


def test_postprocess_agrees_with_relion5(tmp_path: Path) -> None:
    data = shared_data("bgal-relion5-refine")
    folder = job(
        "postprocess", tmp_path, half1=data / "run_half1_class001_unfil.mrc", mask=data / "mask.mrc",
        half2=data / "run_half2_class001_unfil.mrc", fit_from=12,
    )
    ours, theirs = read_star(folder / "postprocess.star"), read_star(data / "postprocess.star")
    for label in ("UnmaskedMaps", "MaskedMaps", "Corrected"):
        name = f"rlnFourierShellCorrelation{label}"
        assert np.abs(ours["fsc"][name] - theirs["fsc"][name]).max() < 0.01, name
    for label in ("rlnFinalResolution", "rlnBfactorUsedForSharpening"):
        assert float(ours["general"][label][0]) == pytest.approx(float(theirs["general"][label][0]), rel=0.02)


def test_relion_reads_our_mask_and_maps(tmp_path: Path, volume: Map, saved: Save) -> None:
    import subprocess

    program = relion_program("relion_image_handler")
    folder = job("map resize", tmp_path, map=saved("map.mrc", volume), box=24)
    done = subprocess.run([program, "--i", str(folder / "map.mrc"), "--stats"], capture_output=True, text=True)
    assert "24 x 24 x 24 x 1" in done.stdout and "angpix = 4" in done.stdout


@pytest.mark.parametrize(
    ("name", "options", "box", "pixel"),
    [
        ("map resize", {"box": 24}, 24, 4.0), ("map resize", {"pixel_size": 2.0}, 48, 2.0),
        ("map crop", {"box": 20}, 20, 3.0), ("map crop", {"box": 40}, 40, 3.0),
        ("map lowpass", {"resolution": 15}, 32, 3.0), ("map symmetrise", {"symmetry": "D2"}, 32, 3.0),
        ("map flip-hand", {}, 32, 3.0),
    ],
)
def test_changed_maps_have_the_right_grid(
    tmp_path: Path, volume: Map, saved: Save, name: str, options: dict[str, object], box: int, pixel: float
) -> None:
    folder = job(name, tmp_path, map=saved("map.mrc", volume), **options)
    result = read_map(folder / "map.mrc")
    assert (result.box, round(result.pixel_size, 4)) == (box, pixel)


def test_mirroring_twice_changes_nothing(tmp_path: Path, volume: Map, saved: Save) -> None:
    once = job("map flip-hand", tmp_path, map=saved("map.mrc", volume))
    twice = job("map flip-hand", tmp_path, map=once / "map.mrc")
    assert np.array_equal(read_map(twice / "map.mrc").data, volume.data)
    assert not np.array_equal(read_map(once / "map.mrc").data, volume.data)


def test_fsc_of_a_map_with_itself_is_1(tmp_path: Path, volume: Map, saved: Save) -> None:
    path = saved("map.mrc", volume)
    curve = read_star(job("map fsc", tmp_path, map1=path, map2=path) / "fsc.star")["fsc"]["rlnFourierShellCorrelation"]
    assert np.allclose(curve, 1, atol=1e-5)


def test_a_mask_outside_0_to_1_is_refused(tmp_path: Path, halves: tuple[Map, Map], saved: Save) -> None:
    paths = {"half1": saved("h1.mrc", halves[0]), "half2": saved("h2.mrc", halves[1])}
    text = refused("postprocess", tmp_path, **paths, mask=saved("m.mrc", halves[0]))
    assert "m.mrc" in text and "expected 0 to 1" in text and "verglas mask" in text


@pytest.mark.parametrize("change", ["box", "pixel", "same", "truncated", "missing", "flat", "nan"])
def test_half_maps_that_do_not_fit_are_refused(
    tmp_path: Path, halves: tuple[Map, Map], saved: Save, change: str
) -> None:
    first, second = saved("h1.mrc", halves[0]), tmp_path / "h2.mrc"
    other = halves[1]
    match change:
        case "box":
            saved("h2.mrc", replace(other, data=other.data[2:-2, 2:-2, 2:-2]))
            words = "box of 28 px"
        case "pixel":
            saved("h2.mrc", replace(other, pixel_size=3.3))
            words = "pixel size 3.3"
        case "same":
            saved("h2.mrc", halves[0])
            words = "is the same map"
        case "truncated":
            saved("h2.mrc", other)
            second.write_bytes(second.read_bytes()[:50_000])
            words = "truncated"
        case "flat":
            saved("h2.mrc", replace(other, data=np.zeros_like(other.data)))
            words = "every voxel is 0"
        case "nan":
            saved("h2.mrc", replace(other, data=np.where(other.data > 0.5, np.nan, other.data)))
            words = "not numbers"
        case _:
            words = "cannot be read"
    text = refused("postprocess", tmp_path, half1=first, half2=second)
    assert words in text and "h2.mrc" in text


def test_an_mtf_needs_its_columns_and_the_detector_pixel(tmp_path: Path, halves: tuple[Map, Map], saved: Save) -> None:
    paths = {"half1": saved("h1.mrc", halves[0]), "half2": saved("h2.mrc", halves[1]), "mtf": tmp_path / "mtf.star"}
    write_star(paths["mtf"], {"mtf": Table({"rlnMtfValue": np.ones(3)})})
    assert "rlnResolutionInversePixel" in refused("postprocess", tmp_path, **paths, detector_pixel_size=1)
    columns = {"rlnResolutionInversePixel": np.array([0, 0.25, 0.5]), "rlnMtfValue": np.array([1, 0.6, 0.2])}
    write_star(paths["mtf"], {"mtf": Table(columns)})
    assert "--detector-pixel-size" in refused("postprocess", tmp_path, **paths)
    assert (job("postprocess", tmp_path, **paths, detector_pixel_size=3) / "postprocess.mrc").exists()


def test_resize_needs_a_size_and_symmetrise_a_group(tmp_path: Path, volume: Map, saved: Save) -> None:
    path = saved("map.mrc", volume)
    assert "--box" in refused("map resize", tmp_path, map=path)
    assert "Q7" in refused("map symmetrise", tmp_path, map=path, symmetry="Q7")
