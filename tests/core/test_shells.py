"""Shells of the half-complex grid."""

import numpy as np
import pytest
import torch

from verglas.core import shells


@pytest.mark.parametrize("box", [8, 9, 16])
@pytest.mark.parametrize("dims", [2, 3])
def test_half_grid_weighted_is_the_full_grid(box: int, dims: int) -> None:
    """Hermitian weights turn shell sums over the half transform of real data into sums over the full one."""
    data = torch.randn(*[box] * dims, dtype=torch.float64)
    count = box
    full = torch.fft.fftn(data).abs() ** 2
    half = torch.fft.rfftn(data).abs() ** 2 * shells.hermitian_weights(box)
    a = shells.shell_sum(full, shells.shell_index(box, dims, half=False), count)
    b = shells.shell_sum(half, shells.shell_index(box, dims), count)
    torch.testing.assert_close(a, b)


def test_index_against_a_loop() -> None:
    box = 8
    index = shells.shell_index(box, 3)
    for z in range(box):
        for y in range(box):
            for x in range(box // 2 + 1):
                kz, ky = z if z <= box // 2 else z - box, y if y <= box // 2 else y - box
                assert int(index[z, y, x]) == int(np.floor(np.sqrt(kz**2 + ky**2 + x**2) + 0.5))


def test_mean_of_the_index_is_the_shell_number() -> None:
    index = shells.shell_index(12, 2)
    mean = shells.shell_mean(index.to(torch.float32).expand(3, 12, 7), index, 7)
    torch.testing.assert_close(mean, torch.arange(7, dtype=torch.float64).expand(3, 7))


def test_sums_and_counts_cover_everything() -> None:
    index = shells.shell_index(10, 3)
    count = int(index.max()) + 1
    values = torch.rand(10, 10, 6)
    assert int(shells.shell_count(index, count).sum()) == index.numel()
    assert float(shells.shell_sum(values, index, count).sum()) == pytest.approx(float(values.sum(dtype=torch.float64)))
    assert shells.shell_count(index, 3).tolist() == shells.shell_count(index, count)[:3].tolist()


def test_frequencies_count_nyquist_as_positive() -> None:
    assert shells.frequencies(6).tolist() == [0, 1, 2, 3, -2, -1]
    assert shells.frequencies(5).tolist() == [0, 1, 2, -2, -1]
