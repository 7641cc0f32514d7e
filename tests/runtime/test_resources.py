"""Threads and determinism of a process."""

import subprocess
import sys

import pytest
import torch

from verglas.runtime.resources import torch_threads


@pytest.mark.parametrize("deterministic", [False, True])
def test_determinism_is_set_and_costs_nothing_where_it_is_not_asked_for(deterministic: bool) -> None:
    code = (
        "import sys; from verglas.runtime.resources import Resources, apply; "
        f"apply(Resources(threads=1, deterministic={deterministic})); import torch; "
        "print(torch.are_deterministic_algorithms_enabled(), torch.get_num_threads(), 'torch._inductor' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown.split() == ([str(deterministic), "1", "False"] if not deterministic else ["True", "1", shown.split()[2]])


def test_threads_of_torch_are_given_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ValueError), torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ValueError
    assert torch.get_num_threads() == before
