"""Every available implementation against the torch definition, on awkward sizes; and the laws they must keep."""

import pytest
import torch

from verglas import kernels
from verglas.kernels import reference

SIZES = [(11, 5, 3), (23, 60, 7), (33, 113, 1)]


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def _complex(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=_generator())


def _axes(count: int) -> torch.Tensor:
    q, _ = torch.linalg.qr(torch.randn(count, 3, 3, generator=_generator()))
    return (q[:, :2] * 2).float()


def _k(pixels: int, radius: float) -> torch.Tensor:
    k = torch.randn(pixels, 2, generator=_generator())
    return k / k.norm(dim=1, keepdim=True) * torch.rand(pixels, 1, generator=_generator()) * radius


@pytest.mark.parametrize(("size", "pixels", "count"), SIZES)
def test_slice(size: int, pixels: int, count: int) -> None:
    volume, axes, k = _complex(size, size, size // 2 + 2), _axes(count), _k(pixels, size)  # some points lie outside
    torch.testing.assert_close(kernels.cut(volume, axes, k), reference.cut(volume, axes, k), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "pixels", "count"), SIZES)
def test_insert(size: int, pixels: int, count: int) -> None:
    shape = (size, size, size // 2 + 2)
    axes, k = _axes(count), _k(pixels, size)
    values, weights = _complex(count, pixels), torch.rand(count, pixels)
    weights[0, 0] = 0
    fast, slow = ([torch.zeros(shape, dtype=torch.complex64), torch.zeros(shape)] for _ in range(2))
    kernels.insert(*fast, values, weights, axes, k)
    reference.add(*slow, values, weights, axes, k)
    for a, b in zip(fast, slow):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_insert_is_the_transpose_of_slice() -> None:
    size, pixels, count = 27, 80, 6
    volume, axes, k, x = _complex(size, size, size // 2 + 2), _axes(count), _k(pixels, 5), _complex(count, pixels)
    data, weight = torch.zeros_like(volume), torch.zeros(volume.shape)
    kernels.insert(data, weight, x, torch.ones(count, pixels), axes, k)
    left = (kernels.cut(volume, axes, k).conj() * x).sum()
    right = (volume.conj() * data).sum()
    assert abs(left.real - right.real) < 1e-3 * abs(left.real)


def test_insert_does_not_depend_on_threads() -> None:
    size, pixels, count = 27, 80, 6
    axes, k, x = _axes(count), _k(pixels, 5), _complex(count, pixels)
    results = []
    before = torch.get_num_threads()
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        data, weight = torch.zeros(size, size, size // 2 + 2, dtype=torch.complex64), torch.zeros(size, size, size // 2 + 2)
        kernels.insert(data, weight, x, torch.ones(count, pixels), axes, k)
        results.append(data)
    torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def _problem(images: int = 5, slices: int = 7, shifts: int = 4, pixels: int = 31) -> dict[str, torch.Tensor]:
    g = _generator()
    per_pair = torch.randint(0, shifts + 1, (images * 3,), generator=g)
    return {
        "slices": _complex(slices, pixels), "a": _complex(images, pixels), "b": torch.rand(images, pixels, generator=g),
        "shifts": torch.exp(1j * torch.randn(shifts, pixels, generator=g)), "image": torch.arange(images).repeat_interleave(3).int(),
        "cut": torch.randint(0, slices, (images * 3,), generator=g).int(), "start": torch.cat([torch.zeros(1), per_pair.cumsum(0)]).long(),
        "shift": torch.randint(0, shifts, (int(per_pair.sum()),), generator=g).int(),
    }


@pytest.mark.parametrize("fan", [(1, 1), (3, 1), (2, 4)])
def test_score(fan: tuple[int, int]) -> None:
    p = _problem(slices=7 * fan[0], shifts=4 * fan[1])
    p |= {"cut": p["cut"] // fan[0], "shift": p["shift"] // fan[1], "prior": torch.randn(len(p["shift"]), generator=_generator())}
    torch.testing.assert_close(kernels.score(**p, fan=fan), reference.score(**p, fan=fan), rtol=1e-4, atol=1e-4)


def test_score_is_the_log_likelihood() -> None:
    """Differences of scores are differences of -|C S - h X|^2 / 2 sigma2."""
    p = _problem(images=1, slices=2)
    ctf, sigma2 = torch.rand(31) + 0.5, torch.rand(31) + 0.5
    x = _complex(1, 31)
    p |= {"a": ctf * x / sigma2, "b": (ctf**2 / sigma2)[None]}
    p |= {"image": torch.zeros(2).int(), "cut": torch.arange(2).int(), "start": torch.tensor([0, 1, 2])}
    p |= {"shift": torch.tensor([0, 1]).int(), "prior": torch.zeros(2)}
    s = kernels.score(**p)
    explicit = [-(((ctf * p["slices"][u] - p["shifts"][u] * x[0]).abs() ** 2) / (2 * sigma2))[1:].sum() for u in (0, 1)]
    torch.testing.assert_close(s[1] - s[0], explicit[1] - explicit[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fan", [(1, 1), (3, 1), (2, 4)])
def test_give(fan: tuple[int, int]) -> None:
    p = _problem(slices=7 * fan[0], shifts=4 * fan[1])
    cut, shift = p["cut"] // fan[0], p["shift"] // fan[1]
    w = torch.rand(len(shift) * fan[0] * fan[1], generator=_generator())
    w[torch.rand(len(w), generator=_generator()) < 0.3] = 0
    order = torch.argsort(cut, stable=True)
    bounds = torch.searchsorted(cut[order].contiguous(), torch.arange(8).int())
    images = (p["a"], p["b"], _complex(5, 31) + 1, torch.rand(5, 31, generator=_generator()))
    pairs = (p["image"], p["start"], shift, w, order)
    args = (p["slices"], images, p["shifts"], pairs, bounds, torch.tensor([0, 1, 6, 20, 31]), fan)
    for a, b in zip(kernels.give(*args), reference.give(*args)):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("most", [3, 1 << 62])
@pytest.mark.parametrize("spread", [0.1, 5.0, 100.0])
def test_selection(spread: float, most: int) -> None:
    start = torch.tensor([0, 1, 40, 41, 300])
    logp = torch.randn(300, generator=_generator()) * spread
    least, evidence, best = kernels.threshold(logp, start, 0.999, most)
    for a, b in zip((least, evidence, best), reference.threshold(logp, start, 0.999, most)):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    for a, b in zip(kernels.highest(logp, start), reference.highest(logp, start)):
        assert torch.equal(a, b)
    for a, b in zip(kernels.compact(logp, start, least), reference.compact(logp, start, least)):
        assert torch.equal(a, b)
    expected = reference.weigh(logp, start, least, evidence)
    weight = kernels.weigh(logp.clone(), start, least, evidence)
    torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-7)
    image = torch.repeat_interleave(torch.arange(4), start.diff())
    if most == 3:
        assert torch.bincount(image[weight > 0], minlength=4).max() <= 3
    else:
        sums = torch.zeros(4).index_add_(0, image, weight)
        assert bool((sums > 0.998).all()) and bool((sums < 1.0001).all())


def test_symmetrise() -> None:
    data, weight = _complex(13, 13, 8), torch.rand(13, 13, 8, generator=_generator())
    operators = torch.stack([torch.eye(3), torch.diag(torch.tensor([-1.0, -1.0, 1.0])), torch.linalg.qr(torch.randn(3, 3))[0]])
    for a, b in zip(kernels.symmetrise(data, weight, operators, 4.0), reference.symmetrise(data, weight, operators, 4.0)):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_no_slices_are_inserted_without_complaint() -> None:
    """A block of which no rotation has any weight."""
    data, weight = torch.zeros(9, 9, 5, dtype=torch.complex64), torch.zeros(9, 9, 5)
    k = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    kernels.insert(data, weight, torch.zeros(0, 2, dtype=torch.complex64), torch.zeros(0, 2), torch.zeros(0, 2, 3), k)
    assert not weight.any()


def _dense(turns: int, kind: torch.dtype) -> tuple[torch.Tensor, ...]:
    """moved, slices, power and both priors of 16 images and 3 shifts."""
    g = _generator()
    moved, slices = 5 * torch.randn(48, 120, generator=g), torch.randn(turns, 120, generator=g)
    power, known, prior = (torch.rand(*shape, generator=g) for shape in ((16, turns), (turns,), (16, 3)))
    return moved.to(kind), slices.to(kind), power, known, prior


@pytest.mark.parametrize("turns", [1, 256, 4096, 9001])
def test_prune(turns: int) -> None:
    moved, slices, power, *priors = _dense(turns, torch.float32)
    found, expected = (one.prune(moved, slices, power, tuple(priors), 60.0, 10**6) for one in (kernels, reference))
    assert found is not None and expected is not None
    for a, b in zip(found, expected):
        assert torch.equal(a, b)
    assert kernels.prune(moved, slices, power, tuple(priors), 60.0, len(found[1]) - 1) is None


def test_prune_in_bfloat16_keeps_what_float32_keeps() -> None:
    exact, rough = (kernels.prune(m, s, power, (known, prior), 25.0, 10**6)
                    for m, s, power, known, prior in (_dense(9001, torch.float32), _dense(9001, torch.bfloat16)))
    assert exact is not None and rough is not None
    assert set(exact[1].tolist()) <= set(rough[1].tolist())
    assert len(rough[1]) < 3 * len(exact[1])
