"""Features do not see grey scale or pixel size; sharp bodies score above noise, blobs and edges."""

import numpy as np
import pytest
from scipy import ndimage

from verglas.methods.rank import FEATURES, disc_radius, features, gallery, load_ranker, prepare

BOX, RADIUS = 64, 28.0


def disc(image: np.ndarray, radius: float = RADIUS) -> np.ndarray:
    axis = np.arange(image.shape[-1]) - image.shape[-1] // 2
    return image * np.clip(radius + 1 - np.hypot(axis[:, None], axis), 0, 1)


def body(seed: int, blur: float = 1.5, noise: float = 0.02) -> np.ndarray:
    """A compact heap of small balls, blurred, with a little noise."""
    rng = np.random.default_rng(seed)
    points = np.zeros((BOX, BOX))
    place = rng.normal(0, 1, (60, 2))
    place = place / np.linalg.norm(place, axis=1, keepdims=True) * 15 * np.sqrt(rng.uniform(0, 1, (60, 1))) + BOX / 2
    points[tuple(np.rint(place).astype(int).T)] = 1
    image = ndimage.gaussian_filter(points, blur)
    return disc(image / image.max() + ndimage.gaussian_filter(rng.normal(0, 1, (BOX, BOX)), 1) * noise * 3)


def junk(seed: int) -> np.ndarray:
    """Smooth noise, or an edge, or a wide blob with noise."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(0, 1, (BOX, BOX)), rng.uniform(1, 3))
    noise /= noise.std()
    axis = np.arange(BOX) - BOX // 2
    shapes = (0 * noise, 1.0 * (axis[:, None] + axis > 10) * np.ones_like(noise), np.exp(-(axis[:, None] ** 2 + axis**2) / 500))
    return disc(2 * shapes[seed % 3] + noise)


def scores(images: list[np.ndarray]) -> np.ndarray:
    return load_ranker().score(features(np.array([prepare(image, RADIUS) for image in images])))


def test_bodies_score_above_junk() -> None:
    images = [body(k) for k in range(8)] + [junk(k) for k in range(12)]
    found = scores(images)
    assert found[:8].min() > 0.6
    assert found[8:].max() < 0.3
    assert ((found >= 0) & (found <= 1)).all()


def test_blur_lowers_the_score() -> None:
    found = scores([body(0), body(1), body(2), *(body(0, blur, 0.05) for blur in (5.0, 8.0))])
    assert found[3] < found[0] and found[4] < found[3]


def test_grey_scale_does_not_matter() -> None:
    images = np.array([prepare(one, RADIUS) for one in (body(1), body(2), junk(0), junk(1))])
    assert np.allclose(features(images), features(images * 37.0), atol=1e-6)
    inner = features(images * 0.01 + 5.0)
    assert np.allclose(features(images), inner, atol=1e-5)
    assert inner.shape == (4, len(FEATURES))


def test_pixel_size_hardly_matters() -> None:
    images = [body(1), body(2), junk(0), junk(5)]
    large = [ndimage.zoom(image, 2, order=3, grid_mode=True, mode="nearest") for image in images]
    one, two = (load_ranker().score(features(np.array([prepare(image, r) for image in some]))) for some, r in ((images, RADIUS), (large, 2 * RADIUS)))
    assert np.allclose(one, two, atol=0.1)


@pytest.mark.parametrize("radius", [20.0, 26.0])
def test_the_mask_is_seen(radius: float) -> None:
    rng = np.random.default_rng(0)
    images = np.array([disc(ndimage.gaussian_filter(rng.normal(0, 1, (BOX, BOX)), 1), radius) for _ in range(10)])
    assert disc_radius(images) == pytest.approx(radius, abs=1.5)


def test_gallery_shows_every_class_and_frames_the_selected() -> None:
    images = np.array([body(k) for k in range(12)])
    page = gallery(images, [str(k) for k in range(12)], np.arange(12) < 5)
    assert page.dtype == np.uint8 and page.shape[2] == 3
    assert (page == (70, 200, 90)).all(-1).sum() == 5 * (2 * 2 * 116 + 2 * 2 * 112)
