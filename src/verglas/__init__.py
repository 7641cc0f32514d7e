"""Single-particle cryo-EM. `import verglas as vg` gives the verbs of `verglas.api`, loaded when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from verglas.version import VERSION as __version__

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
