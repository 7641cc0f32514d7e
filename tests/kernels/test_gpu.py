"""The Triton kernels against the torch definitions: on a GPU where there is one, else through Triton's interpreter on CPU tensors."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from verglas.kernels import reference

pytest.importorskip("triton")
from verglas.kernels import gpu
from verglas.kernels.gpu import tiles

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
PRODUCTS = {"rtol": 5e-3, "atol": 2e-2} if DEVICE == "cuda" else CLOSE
"""Where the tensor cores multiply in TF32; the interpreter multiplies in float32."""


def _generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _complex(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=_generator()).to(DEVICE)


def _uniform(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=_generator()).to(DEVICE)


def _axes(count: int, scale: float = 2.0) -> Tensor:
    q, _ = torch.linalg.qr(torch.randn(count, 3, 3, generator=_generator()))
    return (q[:, :2] * scale).float().contiguous().to(DEVICE)


def _k(pixels: int, radius: float) -> Tensor:
    k = torch.randn(pixels, 2, generator=_generator())
    return (k / k.norm(dim=1, keepdim=True) * torch.rand(pixels, 1, generator=_generator()) * radius).to(DEVICE)


SIZES = [(11, 5, 3, False), (23, 300, 2, False), (11, 1, 1, False), (23, 60, 3, True), (11, 5, 0, False)]


@pytest.mark.parametrize(("size", "pixels", "count", "flat"), SIZES)
def test_slice(size: int, pixels: int, count: int, flat: bool) -> None:
    """Some points lie outside the sphere, where slices are 0."""
    volume, axes, k = _complex(1 if flat else size, size, size // 2 + 2), _axes(count), _k(pixels, size / 2)
    here, there = (gpu.plane, reference.plane) if flat else (gpu, reference)
    torch.testing.assert_close(here.cut(volume, axes, k), there.cut(volume, axes, k), **CLOSE)


@pytest.mark.parametrize("flat", [False, True])
def test_slice_on_the_friedel_boundary(flat: bool) -> None:
    """Grid points with x = 0 exactly, x just below 0, and the last shell inside: no neighbour is read from outside the volume."""
    size = 13
    volume = _complex(1 if flat else size, size, size // 2 + 1)
    k = torch.tensor([[0, 0], [0, 4], [0, -4], [1, 0], [-1, 0], [-1e-7, 3], [4.49, 0], [-4.49, 0], [0, 4.49], [4.51, 0], [0, -4.51]]).to(DEVICE)
    axes = torch.tensor([[[1.0, 0, 0], [0, 1, 0]], [[0, 1, 0], [1, 0, 0]]] + ([] if flat else [[[0, 0, 1.0], [1, 0, 0]]])).to(DEVICE)
    here, there = (gpu.plane, reference.plane) if flat else (gpu, reference)
    torch.testing.assert_close(here.cut(volume, axes, k), there.cut(volume, axes, k), **CLOSE)


@pytest.mark.parametrize(("size", "pixels", "count", "flat"), SIZES)
def test_insert(size: int, pixels: int, count: int, flat: bool) -> None:
    shape = (1 if flat else size, size, size // 2 + 2)
    axes, k, values, weights = _axes(count), _k(pixels, size / 2), _complex(count, pixels), _uniform(count, pixels)
    weights[:1, :1] = 0
    fast, slow = ([torch.zeros(shape, dtype=torch.complex64, device=DEVICE), torch.zeros(shape, device=DEVICE)] for _ in range(2))
    here, there = (gpu.plane, reference.plane) if flat else (gpu, reference)
    here.add(*fast, values, weights, axes, k)
    there.add(*slow, values, weights, axes, k)
    for a, b in zip(fast, slow):
        torch.testing.assert_close(a, b, **CLOSE)


def test_insert_is_the_transpose_of_slice() -> None:
    size, pixels, count = 21, 80, 3
    volume, axes, k, x = _complex(size, size, size // 2 + 2), _axes(count), _k(pixels, 5), _complex(count, pixels)
    data, weight = torch.zeros_like(volume), torch.zeros(volume.shape, device=DEVICE)
    gpu.add(data, weight, x, torch.ones(count, pixels, device=DEVICE), axes, k)
    left, right = (gpu.cut(volume, axes, k).conj() * x).sum(), (volume.conj() * data).sum()
    assert abs(left.real - right.real) < 1e-3 * abs(left.real)


FANS = [((1, 1), 31), ((3, 1), 31), ((2, 4), 70), ((8, 4), 70), ((8, 4), 1), ((16, 2), 31)]


def _problem(fan: tuple[int, int], pixels: int) -> dict[str, Tensor]:
    """Pairs with 0 to 9 shifts each."""
    images, slices, shifts, g = 3, 4, 10, _generator()
    listed = torch.randint(0, shifts, (images * 2,), generator=g)
    listed[1] = 0
    return {
        "slices": _complex(slices * fan[0], pixels), "a": _complex(images, pixels), "b": _uniform(images, pixels),
        "shifts": _complex(shifts * fan[1], pixels), "image": torch.arange(images).repeat_interleave(2).int().to(DEVICE),
        "cut": torch.randint(0, slices, (images * 2,), generator=g).int().to(DEVICE),
        "start": torch.cat([torch.zeros(1), listed.cumsum(0)]).long().to(DEVICE),
        "shift": torch.randint(0, shifts, (int(listed.sum()),), generator=g).int().to(DEVICE),
    }


@pytest.mark.parametrize("wider", [0, 5])
@pytest.mark.parametrize(("fan", "pixels"), FANS)
def test_score(fan: tuple[int, int], pixels: int, wider: int) -> None:
    """Slices may have more pixels than images have."""
    p = _problem(fan, pixels)
    p["slices"] = torch.cat([p["slices"], _complex(len(p["slices"]), wider)], 1)
    p |= {"prior": _uniform(len(p["shift"]))}
    torch.testing.assert_close(gpu.score(**p, fan=fan), reference.score(**p, fan=fan), **PRODUCTS)


def test_score_of_nothing() -> None:
    p = {name: t[:0] if name in ("image", "cut", "shift") else t for name, t in _problem((8, 4), 20).items()} | {"prior": torch.zeros(0)}
    assert len(gpu.score(**(p | {"start": p["start"][:1]}), fan=(8, 4))) == 0


@pytest.mark.parametrize("weightless", [0.5, 1.0])
@pytest.mark.parametrize(("fan", "pixels"), FANS)
def test_give(fan: tuple[int, int], pixels: int, weightless: float) -> None:
    """Also rotations without pairs, pairs without shifts or weight, and shells within, across and at the end of a tile of pixels."""
    p = _problem(fan, pixels)
    w = _uniform(len(p["shift"]) * fan[0] * fan[1])
    w[_uniform(len(w)) < weightless] = 0
    order = torch.argsort(p["cut"], stable=True)
    bounds = torch.searchsorted(p["cut"][order].contiguous(), torch.arange(5, device=DEVICE).int())
    shells = torch.tensor([0, 1, 6, 20, 64, 70] if pixels == 70 else [0, 1, 6, 20, 31] if pixels == 31 else [0, 1]).to(DEVICE)
    images = (p["a"], p["b"], _complex(3, pixels) + 1, _uniform(3, pixels))
    args = (p["slices"], images, p["shifts"], (p["image"], p["start"], p["shift"], w, order), bounds, shells, fan)
    for name, a, b in zip(reference.Given._fields, gpu.give(*args), reference.give(*args)):
        torch.testing.assert_close(a, b, **CLOSE, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize("most", [3, 1 << 62])
@pytest.mark.parametrize("spread", [0.0, 0.1, 5.0, 100.0])
def test_selection(spread: float, most: int) -> None:
    start = torch.tensor([0, 1, 40, 41, 700]).to(DEVICE)
    logp = (torch.randn(700, generator=_generator()) * spread - 1000.0).to(DEVICE)
    tile = tiles.Tile(1, 128)
    least, evidence, best = gpu.threshold(logp, start, 0.999, most, tile)
    for a, b in zip((least, evidence, best), reference.threshold(logp, start, 0.999, most)):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-5)
    for a, b in zip(gpu.highest(logp, start, tile), reference.highest(logp, start)):
        assert torch.equal(a, b)
    for a, b in zip(gpu.compact(logp, start, least, tile), reference.compact(logp, start, least)):
        assert torch.equal(a, b)
    torch.testing.assert_close(gpu.weigh(logp, start, least, evidence, tile), reference.weigh(logp, start, least, evidence), rtol=1e-4, atol=1e-7)


def test_selection_from_nothing() -> None:
    start, nothing = torch.zeros(1, dtype=torch.int64, device=DEVICE), torch.zeros(0, device=DEVICE)
    least, evidence, _ = gpu.threshold(nothing, start, 0.999, 5)
    assert [len(x) for x in (*gpu.compact(nothing, start, least), gpu.weigh(nothing, start, least, evidence))] == [1, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16 if DEVICE == "cuda" else torch.float16])  # the interpreter knows no bfloat16
@pytest.mark.parametrize(("images", "shifts", "rotations", "length"), [(2, 3, 70, 40), (3, 21, 33, 5), (1, 1, 1, 1)])
def test_prune(images: int, shifts: int, rotations: int, length: int, dtype: torch.dtype) -> None:
    g = _generator()
    moved, slices = (torch.randn(n, length, generator=g).to(DEVICE, dtype) for n in (images * shifts, rotations))
    args = (moved, slices, _uniform(images, rotations), (_uniform(rotations), _uniform(images, shifts)), 3.0)
    tile = tiles.Tile(16, 16)
    found, expected = gpu.prune(*args, 10_000, tile), reference.prune(*args, 10_000)
    assert found is not None and expected is not None
    for a, b in zip(found, expected):
        assert torch.equal(a, b)
    assert gpu.prune(*args, len(expected[1]) - 1, tile) is None and reference.prune(*args, len(expected[1]) - 1) is None


def test_every_kernel_compiles_for_hopper() -> None:
    """To machine code for compute capability 9.0, without a GPU: what the interpreter lets pass the compiler may not."""
    script = Path(__file__).with_name("compile_for_hopper.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("registers") >= 10
