"""Post-processing: laws on synthetic halves, RELION 5's result on real half maps, and RELION 3.1's program."""

import math
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
import torch

from verglas.core.filters import bfactor as blur
from verglas.core.mask import soft_sphere
from verglas.errors import InputError
from verglas.methods.postprocess import (
    AutoB,
    FixedB,
    FscWeighting,
    Lowpass,
    Mtf,
    NoB,
    PostprocessResult,
    RandomiseFrom,
    Settings,
    postprocess,
)
from verglas.methods.postprocess.curves import part_fsc
from verglas.methods.postprocess.sharpen import fsc_weights, guinier_fit
from verglas.testing.data import relion_program, shared_data
from verglas.types import Map

GOLDEN = "bgal-relion5-refine/"


def noise(box: int, seed: int) -> torch.Tensor:
    return torch.randn(box, box, box, generator=torch.Generator().manual_seed(seed))


def halves(box: int = 40, pixel: float = 2.0, b: float = 150.0, sigma: float = 0.01) -> tuple[Map, Map, Map]:
    """A point-like random structure in a ball, blurred by B, plus independent noise; and a soft mask over the ball."""
    ball = soft_sphere(box, box / 5, 0)
    signal = blur(noise(box, 1) * ball, pixel, b)
    maps = [Map((signal + sigma * noise(box, s)).numpy(), pixel) for s in (2, 3)]
    return maps[0], maps[1], Map(soft_sphere(box, box / 5 + 3, 5).numpy(), pixel)


def test_masking_raises_the_fsc_of_a_particle_in_noise() -> None:
    h1, h2, mask = halves(sigma=0.05)
    result = postprocess(h1, h2, mask)
    assert result.mask_use == "used"
    assert result.resolution < result.resolution_unmasked
    curves = result.curves
    assert curves.masked is not None and curves.randomised is not None and curves.randomise_shell is not None
    assert np.array_equal(curves.true[: curves.randomise_shell + 2], curves.masked[: curves.randomise_shell + 2])
    assert np.abs(curves.randomised[curves.randomise_shell + 3 :]).mean() < 0.15


def test_bfactor_of_flat_structure_is_recovered() -> None:
    """A white structure blurred by B gives -B, and the sharpened Guinier line is flat."""
    h1, h2, _ = halves(box=48, b=120.0, sigma=1e-4)
    result = postprocess(h1, h2, None, Settings(bfactor=AutoB(lowres=15.0, highres=4.2)))
    assert result.bfactor == pytest.approx(-120.0, abs=6)
    g = result.guinier
    assert np.ptp(g.sharpened[8:24]) < 0.25 < np.ptp(g.original[8:24])


def test_sharpening_is_the_blur_undone() -> None:
    h1, h2, _ = halves(sigma=1e-5)
    unblurred = postprocess(h1, h2, None, Settings(bfactor=FixedB(-150.0), weighting=Lowpass(4.0)))
    plain = postprocess(h1, h2, None, Settings(bfactor=NoB(), weighting=Lowpass(4.0)))
    again = blur(torch.from_numpy(unblurred.sharpened.data), 2.0, 150.0).numpy()
    assert np.abs(again - plain.sharpened.data).max() < 1e-3 * np.abs(again).max()
    assert "not sharpened" in " ".join(plain.warnings)


def test_mtf_division() -> None:
    """Maps blurred by a known MTF come back."""
    h1, h2, _ = halves(sigma=1e-5)
    mtf = Mtf(np.linspace(0, 0.5, 300), np.exp(-2.0 * np.linspace(0, 0.5, 300)), 1.0)
    s = torch.from_numpy(np.exp(-2.0 * np.minimum(np.linspace(0, 0.5, 500), 0.5)))
    assert float(s[-1]) == pytest.approx(mtf.value[-1])
    blurred = [replace(h, data=_times_mtf(h)) for h in (h1, h2)]
    choice = Settings(bfactor=NoB(), weighting=Lowpass(4.2))
    expected = postprocess(h1, h2, None, choice).sharpened.data
    found = postprocess(*blurred, None, replace(choice, mtf=mtf)).sharpened.data
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def _times_mtf(half: Map) -> np.ndarray:
    from verglas.core.filters import apply_radial
    from verglas.core.shells import radius

    s = radius(half.box) / (half.box * half.pixel_size)
    return apply_radial(torch.from_numpy(half.data), torch.exp(-2.0 * s)).numpy()


def test_weights_and_part_fsc() -> None:
    curve = np.array([1.0, 0.5, 0.2, 0.00005, 0.9])
    np.testing.assert_allclose(fsc_weights(curve), [1.0, math.sqrt(2 / 3), math.sqrt(0.4 / 1.2), 0.0, 0.0])
    f = np.array([0.0, 0.3, 1.0])
    np.testing.assert_allclose(part_fsc(f, 1.0), f)
    np.testing.assert_allclose(part_fsc(f, 4.0), [0.0, 1.2 / 1.9, 1.0])


def test_guinier_fit_of_a_line() -> None:
    x = np.linspace(0, 0.1, 30)
    y = 2.0 - 35.0 * x
    y[-3:] = -99.0
    fit = guinier_fit(x, y, AutoB(lowres=8.0, highres=3.3))
    assert fit is not None
    assert (fit.slope, fit.intercept, fit.correlation) == pytest.approx((-35.0, 2.0, 1.0))
    assert guinier_fit(x, y, AutoB(lowres=3.2)) is None


def test_a_mask_beside_the_particle_is_dropped_and_said_so() -> None:
    h1, h2, _ = halves(sigma=0.05)
    away = Map(np.roll(soft_sphere(40, 5, 3).numpy(), (-15, -15, -15), (0, 1, 2)), 2.0)
    result = postprocess(h1, h2, away)
    assert result.mask_use == "dropped" and result.resolution == result.resolution_unmasked
    assert any("mask" in w for w in result.warnings)
    assert postprocess(h1, h2, away, Settings(mask_even_if_worse=True)).mask_use == "used"


def test_pure_noise_has_no_resolution() -> None:
    a, b = (Map(noise(32, s).numpy(), 2.0) for s in (1, 2))
    result = postprocess(a, b)
    assert not math.isfinite(result.resolution) or result.resolution > 15
    assert np.isfinite(result.sharpened.data).all()


def test_seeds_and_repeats() -> None:
    h1, h2, mask = halves()
    a, b, c = (postprocess(h1, h2, mask, Settings(seed=s)) for s in (0, 0, 1))
    assert np.array_equal(a.curves.true, b.curves.true) and np.array_equal(a.sharpened.data, b.sharpened.data)
    assert a.curves.randomised is not None and c.curves.randomised is not None
    assert not np.array_equal(a.curves.randomised, c.curves.randomised)


def spoil_value(m: Map) -> Map:
    return replace(m, data=m.data * 3)


def spoil_box(m: Map) -> Map:
    return replace(m, data=m.data[1:, 1:, 1:])


@pytest.mark.parametrize(("spoil", "word"), [(spoil_value, "0 to 1"), (spoil_box, "voxels")])
def test_bad_masks_are_explained(spoil: Callable[[Map], Map], word: str) -> None:
    h1, h2, mask = halves(box=24)
    with pytest.raises(InputError, match=word) as caught:
        postprocess(h1, h2, spoil(mask))
    assert caught.value.remedy


def test_identical_halves_are_refused() -> None:
    h1, _, _ = halves(box=16)
    with pytest.raises(InputError, match="identical"):
        postprocess(h1, h1)


def real_maps() -> tuple[Map, Map, Map]:
    def read(name: str) -> Map:
        return Map(mrcfile.read(shared_data(GOLDEN + name)).astype(np.float32), 3.54)

    return read("run_half1_class001_unfil.mrc"), read("run_half2_class001_unfil.mrc"), read("mask.mrc")


@pytest.fixture(scope="module")
def real() -> PostprocessResult:
    return postprocess(*real_maps(), Settings(bfactor=AutoB(lowres=12.0)))


def test_real_data_against_relion5(real: PostprocessResult) -> None:
    """RELION 5 on the same half maps and mask: curves to 0.01 (random ones within noise), B to 10 %."""
    star = starfile.read(shared_data(GOLDEN + "postprocess.star"))
    general, table, guinier = star["general"], star["fsc"], star["guinier"]
    c = real.curves
    np.testing.assert_allclose(c.unmasked, table["rlnFourierShellCorrelationUnmaskedMaps"], atol=2e-6)
    np.testing.assert_allclose(c.masked, table["rlnFourierShellCorrelationMaskedMaps"], atol=2e-6)
    np.testing.assert_allclose(c.mask_fraction, table["rlnFourierShellCorrelationParticleMaskFraction"], atol=1e-5)
    np.testing.assert_allclose(c.true, table["rlnFourierShellCorrelationCorrected"], atol=0.01)
    theirs = table["rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"]
    np.testing.assert_allclose(c.randomised, theirs, atol=0.1)
    np.testing.assert_allclose(real.guinier.original, guinier["rlnLogAmplitudesOriginal"], atol=1e-4)
    np.testing.assert_allclose(real.guinier.weighted, guinier["rlnLogAmplitudesWeighted"], atol=0.02)
    np.testing.assert_allclose(real.guinier.sharpened, guinier["rlnLogAmplitudesSharpened"], atol=0.02)
    assert real.resolution == pytest.approx(general["rlnFinalResolution"], abs=1e-3)
    assert real.bfactor == pytest.approx(general["rlnBfactorUsedForSharpening"], rel=0.1)
    assert real.randomise_resolution == pytest.approx(general["rlnRandomiseFrom"], abs=1e-3)
    assert real.solvent_fraction == pytest.approx(general["rlnParticleBoxFractionSolventMask"], rel=1e-5)


def test_real_maps_against_relion5(real: PostprocessResult) -> None:
    for name, ours in (("postprocess.mrc", real.sharpened), ("postprocess_masked.mrc", real.masked)):
        assert ours is not None
        theirs = mrcfile.read(shared_data(GOLDEN + name))
        assert np.abs(ours.data - theirs).max() < 0.01 * np.abs(theirs).max()


def run_relion(folder: Path, *options: str) -> dict:
    """relion_postprocess on the real half maps; it may fail at its log PDF in the end, so only the files count."""
    data = [str(shared_data(GOLDEN + f"run_half{i}_class001_unfil.mrc")) for i in (1, 2)]
    command = [relion_program("relion_postprocess"), "--i", data[0], "--i2", data[1], "--o", "post", *options]
    subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60)
    return starfile.read(folder / "post.star")


def test_program_with_mtf_and_mask(tmp_path: Path) -> None:
    mtf_path = shared_data("bgal-project/mtf_k2_200kV.star")
    mask = str(shared_data(GOLDEN + "mask.mrc"))
    options = ("--angpix", "3.54", "--mask", mask, "--auto_bfac", "--autob_lowres", "12")
    star = run_relion(tmp_path, *options, "--mtf", str(mtf_path), "--mtf_angpix", "0.885")
    rows = starfile.read(mtf_path).to_numpy()
    mtf = Mtf(rows[:, 0], rows[:, 1], 0.885)
    result = postprocess(*real_maps(), Settings(bfactor=AutoB(lowres=12.0), mtf=mtf))
    np.testing.assert_allclose(result.curves.masked, star["fsc"]["rlnFourierShellCorrelationMaskedMaps"], atol=1e-5)
    np.testing.assert_allclose(result.guinier.mtf_corrected, star["guinier"]["rlnLogAmplitudesMTFCorrected"], atol=1e-3)
    assert result.resolution == pytest.approx(star["general"]["rlnFinalResolution"], abs=1e-3)
    assert result.bfactor == pytest.approx(star["general"]["rlnBfactorUsedForSharpening"], rel=0.02)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (("--auto_bfac", "--autob_lowres", "12"), Settings(bfactor=AutoB(12.0), weighting=FscWeighting())),
        (("--adhoc_bfac", "-200", "--skip_fsc_weighting", "--low_pass", "9"), Settings(FixedB(-200.0), Lowpass(9.0))),
        (("--adhoc_bfac", "-100", "--randomize_at_A", "15"), Settings(FixedB(-100.0), randomise=RandomiseFrom(15.0))),
    ],
)
def test_program_without_mask_gives_the_same_map(tmp_path: Path, options: tuple[str, ...], settings: Settings) -> None:
    """Nothing is random here, and a calibrated pixel size is given: the map must be the same to float32."""
    star = run_relion(tmp_path, "--angpix", "3.7", *options)
    h1, h2, _ = (replace(m, pixel_size=3.7) for m in real_maps())
    result = postprocess(h1, h2, None, settings)
    theirs = mrcfile.read(tmp_path / "post.mrc")
    assert np.abs(result.sharpened.data - theirs).max() < 1e-5 * np.abs(theirs).max()
    assert result.resolution == pytest.approx(star["general"]["rlnFinalResolution"], abs=1e-3)
