"""Laws of the pieces, then micrographs with known particles."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from verglas.methods.picking.bank import averages_bank, map_bank, shared_basis
from verglas.methods.picking.blobs import BlobOptions, blob_scores, pick_blobs
from verglas.methods.picking.choose import Limits, accepted, choose_picks, expected_false
from verglas.methods.picking.extremes import extremes
from verglas.methods.picking.field import average, coarsen, local_mean, make_field, plateaus, steps
from verglas.methods.picking.merge import merge_picks
from verglas.methods.picking.peaks import climb, keep_apart, maxima
from verglas.methods.picking.profile import dome, learnt_profile, radial_image
from verglas.methods.picking.ratio import ratio_scores, ring_deviation
from verglas.methods.picking.scores import spectra
from verglas.methods.picking.templates import (
    WHITENING,
    TemplateOptions,
    best_of,
    field_pixel,
    matched,
    template_field,
    template_scores,
)
from verglas.types import Coordinates

sys.path.insert(0, str(Path(__file__).parent))
from picking_fields import DIAMETER, PIXEL, micrograph, molecule, places, score

SIZE = (700, 820)


def test_subpixel_maxima_of_a_parabola_are_exact():
    y, x = np.mgrid[:20, :30]
    xy, height = maxima(10 - (x - 12.3) ** 2 - 0.5 * (y - 7.8) ** 2, 0.0)
    np.testing.assert_allclose(xy, [[12.3, 7.8]], atol=1e-9)
    assert height[0] <= 10


def test_kept_positions_are_apart_and_every_dropped_one_is_near_a_better_one():
    xy = np.random.default_rng(1).uniform(0, 50, (200, 2))
    keep = keep_apart(xy, 6.0)
    distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    kept = distance[np.ix_(keep, keep)]
    assert kept[~np.eye(len(kept), dtype=bool)].min() > 6.0
    for i in np.flatnonzero(~keep):
        assert (distance[i, :i][keep[:i]] <= 6.0).any()


def test_extremes_are_those_of_numpy():
    z = np.random.default_rng(2).normal(size=(7, 50)).astype(np.float32)
    best, decoy, which = np.empty(50, np.float32), np.empty(50, np.float32), np.empty(50, np.int32)
    extremes(z, best, decoy, which)
    np.testing.assert_array_equal(best, z.max(0))
    np.testing.assert_array_equal(decoy, -z.min(0))
    np.testing.assert_array_equal(which, z.argmax(0))


def test_a_dome_is_the_projection_of_a_ball_and_a_profile_is_found_again():
    field = make_field(np.random.default_rng(0).normal(size=(120, 130)), 2.0, 60.0, 2.0)
    ball = dome(field, 60.0)
    np.testing.assert_allclose(float(ball.sum()), 2 / 3 * np.pi * 15**2, rtol=0.01)
    profile = np.exp(-((np.arange(40) / 16) ** 2))
    moved = radial_image(field, profile).roll((50, 60), (0, 1)).numpy()
    found = learnt_profile(field, moved, np.array([[60.0, 50.0]]), 60.0)
    np.testing.assert_allclose(found[:28], profile[:28], atol=0.04)


def test_a_shared_basis_holds_every_image_of_a_band():
    bank = averages_bank(torch.from_numpy(molecule()[None]), PIXEL, 170.0, field_pixel(PIXEL, 20.0), np.radians(4))
    mix = shared_basis(bank.images, 0.99)
    eye = torch.eye(mix.shape[1])
    torch.testing.assert_close(mix.T @ mix, eye, atol=1e-4, rtol=0)
    kept = (mix @ (mix.T @ bank.images.flatten(1))).view_as(bank.images)
    near = (kept * bank.images).sum((1, 2)) / (kept.square().sum((1, 2)) * bank.images.square().sum((1, 2))).sqrt()
    assert float(near.min()) > 0.985 and mix.shape[1] < len(mix) / 2
    assert shared_basis(bank.images, 0.9).shape[1] < mix.shape[1]


def test_answers_of_a_basis_are_those_of_each_template(scene):
    """z of every template by one transform each, in float64, as the docstring of `matched` says it."""
    image, _, _ = scene
    options = TemplateOptions(170.0)
    bank = averages_bank(torch.from_numpy(molecule()[None]), PIXEL, 170.0, field_pixel(PIXEL, 20.0), np.radians(30))
    field = template_field(image, PIXEL, options)
    found = matched(field, bank, options, None)
    of, (h, w), box = spectra(field, 170.0, 20.0), field.image.shape, bank.images.shape[-1]
    weight = (of.passed / of.power**WHITENING).double().numpy()
    both = np.full(w // 2 + 1, 2.0)
    both[[0, -1] if w % 2 == 0 else [0]] = 1.0
    for m in (0, 5):
        wide = np.zeros((h, w))
        wide[:box, :box] = bank.images[m].numpy()
        spectrum = np.fft.rfft2(np.roll(wide, (-(box // 2), -(box // 2)), (0, 1)))
        deviation = np.sqrt((np.abs(spectrum * weight) ** 2 * of.power.numpy() * both).sum()) / (h * w)
        z = np.fft.irfft2(of.transform.numpy() * weight * spectrum.conj(), s=(h, w)) / deviation
        ours = (found.mix[m] @ found.few).view(field.size).numpy()
        assert np.abs(ours - z[: field.size[0], : field.size[1]]).std() < 0.12 * z.std()
    all_of = best_of(found, bank)
    assert (all_of.best >= best_of(found, bank, 3).best - 1e-5).all()


def test_climb_moves_within_reach_only():
    y, x = np.mgrid[:30, :30]
    top = -((x - 10.0) ** 2) - (y - 12.0) ** 2
    moved = climb(top, np.array([[11.5, 12.5], [20.0, 20.0]]), 3.0)
    np.testing.assert_allclose(moved, [[10, 12], [20, 20]], atol=1e-9)


def test_expected_false_is_right_for_maxima_of_noise():
    rng = np.random.default_rng(3)
    decoys, ours = (np.sort(np.sqrt(8.0 + 2 * rng.exponential(1.0, 4000)))[::-1] for _ in range(2))
    false = expected_false(decoys, ours)
    np.testing.assert_allclose(false[199:1000:100], np.arange(200, 1001, 100), rtol=0.15)
    assert accepted(false, 0.05) == 0


def test_local_mean_of_a_constant_is_that_constant_at_the_border_too():
    weight = np.ones((90, 70), dtype=np.float32)
    weight[20:40, 30:50] = 0
    np.testing.assert_allclose(local_mean(np.full((90, 70), 3.5, dtype=np.float32), weight, 9.0), 3.5, rtol=1e-4)


def test_plateaus_follow_a_step_and_do_not_see_particles():
    size, image = 32, np.zeros((320, 400), dtype=np.float32)
    image[:, 200:] = 10.0
    flat = image.copy()
    y, x = np.mgrid[:320, :400]
    for cx, cy in ((60, 60), (120, 200), (300, 80), (350, 250)):
        image[np.hypot(x - cx, y - cy) < size / 2] += 3.0
    level = plateaus(image, size)
    away = np.abs(x - 199.5) > size / 4
    np.testing.assert_allclose(level[away], flat[away], atol=1e-4)
    at_step = steps(level + np.random.default_rng(0).normal(0, 0.05, level.shape), size)
    assert at_step[:, 198:202].all() and not at_step[np.abs(x - 199.5) > size / 2].any()
    assert not steps((0.01 * x).astype(np.float32), size).any()


def test_averaging_keeps_the_mean_and_positions_map_back():
    image = np.zeros((60, 60), dtype=np.float32)
    image[31, 43] = 90.0  # pixel (43, 31) is the middle of a block of three
    small = average(image, 3)
    assert small[10, 14] == 10.0
    field = make_field(image + np.random.default_rng(0).normal(0, 1e-3, image.shape), 1.0, 12.0, 3.0)
    np.testing.assert_allclose(field.to_micrograph(np.array([[14, 10]])), [[43, 31]])


def test_coarsening_keeps_smooth_pictures_and_places():
    noise = np.random.default_rng(5).normal(0, 1, (180, 225))
    fine = make_field(ndimage.gaussian_filter(noise, 4.0), 1.0, 45.0, 1.0)
    few = coarsen(fine)
    h, w = few.image.shape
    at = np.array([[31.0, 20.0], [60.0, 44.0]])
    expected = ndimage.map_coordinates(fine.image.numpy(), (at[:, ::-1] * 1.8).T, order=5)
    assert (h * 9, w * 9) == (fine.image.shape[0] * 5, fine.image.shape[1] * 5)
    np.testing.assert_allclose([few.image[int(y), int(x)] for x, y in at], expected, atol=0.05)
    np.testing.assert_allclose(few.to_micrograph(at), at * 1.8)


@pytest.fixture(scope="module")
def scene():
    xy = places(SIZE, 60, 62.0, 1, 10.0)
    image, psi = micrograph(SIZE, xy, 1.6, 2)
    return image, xy, psi


def test_blobs_find_irregular_particles_by_themselves(scene):
    image, xy, _ = scene
    options = BlobOptions(110.0, 160.0)
    chosen = pick_blobs(image, PIXEL, options, Limits(options.apart))
    recall, false, error = score(chosen.picks.xy, xy, 20.0)
    assert recall >= 0.95 and false <= 0.05 and error * PIXEL <= 0.05 * DIAMETER


def test_the_picks_do_not_depend_on_grey_scale_and_contrast(scene):
    image, _, _ = scene
    dark, white = BlobOptions(110.0, 160.0), BlobOptions(110.0, 160.0, white=True)
    first = pick_blobs(image, PIXEL, dark, Limits(dark.apart)).picks.xy
    again = pick_blobs(7.0 - 0.01 * image, PIXEL, white, Limits(dark.apart)).picks.xy
    np.testing.assert_allclose(again, first, atol=0.2)


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_alone_gives_nothing(seed):
    image, _ = micrograph(SIZE, np.empty((0, 2)), 1.6, seed)
    options = BlobOptions(110.0, 160.0)
    assert len(pick_blobs(image, PIXEL, options, Limits(options.apart)).picks) <= 2
    bank = averages_bank(torch.from_numpy(molecule()[None]), PIXEL, 160.0, field_pixel(PIXEL, 20.0), np.radians(15))
    maps = template_scores(image, PIXEL, bank, TemplateOptions(160.0))
    assert len(choose_picks(maps, Limits(96.0)).picks) <= 2


def test_templates_find_particles_and_their_angles(scene):
    image, xy, psi = scene
    bank = averages_bank(torch.from_numpy(molecule()[None]), PIXEL, 170.0, field_pixel(PIXEL, 20.0), np.radians(6))
    picks = choose_picks(template_scores(image, PIXEL, bank, TemplateOptions(170.0)), Limits(100.0)).picks
    recall, false, error = score(picks.xy, xy, 20.0)
    assert recall >= 0.98 and false <= 0.03 and error <= 1.0
    distance = np.hypot(*(picks.xy[:, None] - xy[None]).transpose(2, 0, 1))
    near = distance.argmin(1)
    off = np.degrees(np.angle(np.exp(1j * (picks.psi - psi[near]))))[distance.min(1) < 5]
    assert np.median(np.abs(off)) <= 6.0


def test_a_map_makes_the_templates_of_its_projections():
    ball = np.zeros((40,) * 3, dtype=np.float32)
    ball[16:24, 12:28, 18:22] = 1.0
    bank = map_bank(torch.from_numpy(ball), 4.0, 120.0, 5.0, (0, "C1", np.radians(30)))
    assert len(bank.images) == 12 * 12 and int(bank.template.max()) == 11
    assert bank.images.sum((1, 2)).abs().max() < 1e-3 * bank.images.abs().sum((1, 2)).max()


def test_the_probability_ratio_is_near_one_at_particles(scene):
    image, xy, _ = scene
    bank = averages_bank(torch.from_numpy(molecule()[None]), PIXEL, 170.0, field_pixel(PIXEL, 20.0), np.radians(15))
    options = TemplateOptions(170.0)
    maps = ratio_scores(template_field(image, PIXEL, options), bank, options, None)
    picks = choose_picks(maps, Limits(100.0, threshold=0.4, relative=False)).picks
    recall, false, _ = score(picks.xy, xy, 20.0)
    assert recall >= 0.9 and false <= 0.1 and 0.5 < np.median(picks.fom) < 1.6


def test_the_ratio_is_its_formula():
    """fom of one template without a CTF against sums over a disc in float64, the amplitude taken from the map itself."""
    rng = np.random.default_rng(8)
    bank = averages_bank(torch.from_numpy(molecule()[None]), PIXEL, 150.0, field_pixel(PIXEL, 20.0), np.radians(360))
    xy = np.array([[100.0, 90.0], [210.0, 130.0]])
    image, _ = micrograph((240, 300), xy, 0.5, 1)
    options = TemplateOptions(150.0)
    field = template_field(image + rng.normal(size=image.shape), PIXEL, options)
    maps = ratio_scores(field, bank, options, None)
    of, box = spectra(field, 150.0, 20.0), bank.images.shape[-1]
    smooth = np.fft.irfft2((of.transform * of.passed).numpy(), s=field.image.shape)
    template = (bank.mix @ bank.basis.flatten(1))[0].view(box, box)
    wide = np.zeros(field.image.shape)
    wide[:box, :box] = template.double().numpy()
    blurred = np.fft.irfft2(np.fft.rfft2(wide) * of.passed.numpy(), s=wide.shape)
    count = np.pi * (75.0 / field.pixel) ** 2
    sigma = ring_deviation(field, 150.0).double().numpy()
    at = [(60, 40), (45, 70), (int(90 / field.scale), int(100 / field.scale))]
    cross = {}
    for y in range(field.size[0]):
        for x in range(field.size[1]):
            rows, columns = (np.arange(box) + y - box // 2) % wide.shape[0], (np.arange(box) + x - box // 2) % wide.shape[1]
            cross[y, x] = float((smooth[np.ix_(rows, columns)] * template.numpy()).sum()) / count / sigma[y, x]
    high = np.mean(sorted((value for place, value in cross.items() if maps.best[place] != 0), reverse=True)[:10])
    square = (blurred**2).sum() / count
    amplitude = high / square
    for place in at:
        d = -2 * amplitude * cross[place] + amplitude**2 * square
        expected = (np.exp(-d / 2) - 1) / (np.exp(amplitude**2 * square / 2) - 1)
        assert maps.best[place] == pytest.approx(expected, rel=1e-2, abs=1e-3)


def test_a_wide_range_of_diameters_gives_no_doubles(scene):
    """The lobes of a particle lie further apart than its smallest diameter allows; two picks on one particle are false."""
    image, xy, _ = scene
    options = BlobOptions(80.0, 170.0)
    recall, false, error = score(pick_blobs(image, PIXEL, options, Limits(options.apart)).picks.xy, xy, 20.0)
    assert recall >= 0.95 and false <= 0.05 and error * PIXEL <= 0.06 * DIAMETER


def test_contamination_and_carbon_are_left_alone(scene):
    image, xy, _ = scene
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    ice = np.hypot(x - 300, y - 250) < 60
    spoilt = np.where(ice, image - 80 - 10 * np.random.default_rng(0).normal(size=SIZE), image).astype(np.float32)
    options = BlobOptions(110.0, 160.0)
    picks = pick_blobs(spoilt, PIXEL, options, Limits(options.apart)).picks
    inside = np.hypot(*(picks.xy - (300, 250)).T)
    assert not (inside < 60).any()
    clear = np.hypot(*(xy - (300, 250)).T) > 110
    assert score(picks.xy, xy[clear], 20.0)[0] >= 0.92


def test_thresholds_only_ever_remove_picks(scene):
    image, _, _ = scene
    maps = blob_scores(image, PIXEL, BlobOptions(110.0, 160.0))
    counts = [len(choose_picks(maps, Limits(66.0, threshold=one)).picks) for one in (0.2, 0.5, 0.8, 1.1, 9.0)]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[3] > counts[-1] == 0
    assert len(choose_picks(maps, Limits(66.0, most_sd=0.1)).picks) == 0
    bordered = choose_picks(maps, Limits(66.0, border=150.0)).picks.xy
    assert bordered.min() >= 45 and (bordered < np.array(SIZE[::-1]) - 45).all()


def test_of_doubles_the_earlier_list_stays():
    one = Coordinates(np.array([[10.0, 10], [50, 50]]), np.array([1.0, 2]), np.zeros(2, int), np.zeros(2), {"a": np.arange(2)})
    two = Coordinates(np.array([[12.0, 10], [90, 90]]), np.array([9.0, 9]), np.zeros(2, int), np.zeros(2), {})
    merged = merge_picks([one, two], 5.0)
    np.testing.assert_allclose(merged.xy, [[50, 50], [10, 10], [90, 90]])
    assert merged.extra == {}
