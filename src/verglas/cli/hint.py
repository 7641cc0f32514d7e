"""What to do about an option that does not exist."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import CycloptsError

RELION = {
    "angpix": "pixel-size", "ref": "reference", "i": "particles movies micrographs map", "o": "output", "j": "threads", "gpu": "device",
    "sym": "symmetry", "ini-high": "initial-lowpass", "k": "classes", "iter": "iterations max-iterations", "tau2-fudge": "tau",
    "particle-diameter": "mask-diameter", "bin-factor": "binning", "dosewt": "dose", "dose": "dose-per-frame", "gainref": "gain",
    "solvent-mask": "mask", "extract-size": "box", "loginthresh": "threshold", "kv": "voltage", "defocus-min": "min-defocus",
    "defocus-max": "max-defocus", "continue-from": "continue",
}
"""Words of RELION's programs, and of others, in lower case with hyphens -> ours."""


def complaint(error: "CycloptsError") -> str:
    """What is wrong, the options that may have been meant, and where the help is."""
    from cyclopts.exceptions import UnknownOptionError

    text, place = str(error), f"see `{' '.join(('verglas', *(error.command_chain or ()), '--help'))}`"
    if isinstance(error, UnknownOptionError):
        names = [name for one in error.argument_collection for name in one.names if name.startswith("--")]
        if meant := alike((error.token.keyword or error.token.value).partition("=")[0], names):
            text, place = text.partition(" Did you mean")[0], f"is it {' or '.join(meant)}? {place}"
    return f"{text}\n  -> {place}"


def alike(wrong: str, options: Iterable[str]) -> list[str]:
    """Options that share a word with it, or that RELION calls so; none for one that is like many."""
    word = wrong.strip("-").lower().replace("_", "-")
    ours = {f"--{one}" for one in RELION.get(word, "").split()}
    known = [one for one in options if not one.startswith("--no-")]
    found = [one for one in known if one in ours] or [one for one in known if set(one.strip("-").split("-")) & set(word.split("-"))]
    return found if len(found) <= 3 else []
