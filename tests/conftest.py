"""What all tests share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _slots_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """CPU slots belong to a user: jobs of his that run beside the tests must not keep those of the tests waiting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield
