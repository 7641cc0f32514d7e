"""Where tests find data and programs that are not part of the package; each call skips the test with a reason when absent."""

import os
import shutil
from pathlib import Path

import pytest


def shared_data(relative: str) -> Path:
    """Path of a file or folder under VERGLAS_TEST_DATA (default: ../shared/data beside the repository)."""
    default = Path(__file__).resolve().parents[4] / "shared" / "data"
    path = Path(os.environ.get("VERGLAS_TEST_DATA", default)) / relative
    if not path.exists():
        pytest.skip(f"test data {relative} is not here (set VERGLAS_TEST_DATA)")
    return path


def relion_program(name: str) -> str:
    """Full path of a RELION program (Debian: apt-get install relion)."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path
