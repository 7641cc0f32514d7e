"""One Slurm for all tests that need it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from verglas.testing.slurm import missing_programs, slurm_here


@pytest.fixture(scope="session")
def slurm() -> Iterator[Path]:
    if missing_programs():
        pytest.skip(missing_programs())
    with slurm_here() as folder:
        yield folder
