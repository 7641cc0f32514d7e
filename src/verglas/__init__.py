"""Single-particle cryo-EM. `import verglas as vg` gives the verbs of `verglas.api`, loaded when first used."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from verglas.version import VERSION as __version__

# Threads of OpenMP that wait spin for milliseconds; beside other work they take the cores from those they wait for (bench/LOG.md).
# It is read once, when torch or numba load the library, so it has to be said before.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from verglas.api import *  # noqa: F403


def __getattr__(name: str) -> Any:
    api = import_module("verglas.api")
    if name in api.__all__:
        return getattr(api, name)
    raise AttributeError(f"module 'verglas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*import_module("verglas.api").__all__, "__version__"]


__all__ = ["__version__"]
