"""The numbers that a job ended with, in the words of a user; events.jsonl has them under short names."""

from collections.abc import Sequence
from typing import Any

from verglas.web.progress import words_of

NAMES = {
    "import": {"total": "Imported", "new": "Of them new", "micrographs": "Micrographs"},
    "ctf": {"fitted": "Micrographs fitted", "bad": "Left out, because the fit cannot be trusted", "total": "Micrographs"},
    "picks": {"particles": "Picks", "micrographs": "Micrographs", "failed": "Micrographs that failed", "given": "Picks given"},
    "extract": {"particles": "Particles", "micrographs": "Micrographs", "failed": "Micrographs that failed"},
    "rank": {"kept": "Particles kept", "total": "Particles given"},
    "select": {"total": "Given", "kept": "Kept", "removed": "Left out"},
    "symmetry": {
        "score": "Correlation of the symmetry mates",
        "chance": "The same in random frames, mean",
        "best_chance": "The same in random frames, best",
        "holds_to_A": "The symmetry holds to, Å",
    },
    "mask": {"threshold": "Threshold", "parts": "Separate parts"},
    "result": {
        "resolution": "Resolution (FSC 0.143), Å",
        "resolution_unmasked": "Resolution without mask, Å",
        "b_factor": "B-factor, Å²",
        "mask_use": "Mask",
        "at_half": "Resolution (FSC 0.5), Å",
        "at_gold": "Resolution (FSC 0.143), Å",
    },
    "fsc": {"resolution_A": "Resolution (FSC 0.143), Å", "half_A": "Resolution (FSC 0.5), Å"},
    "iteration": {"iteration": "Iterations", "resolution_A": "Resolution, Å", "particles": "Particles"},
}
"""Event -> number -> words. Numbers of other events are named by `words_of`."""
LAST = ("iteration",)
"""Events of which only the numbers named above count; the rest are curves."""
QUIET = ("start", "end", "warning", "items", "movie", "step", "round")
"""Events that tell no result, or that of one item of many."""


def results(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Words -> number, from the last event of each kind."""
    items: dict[str, Any] = next((row for row in reversed(rows) if row["event"] == "items"), {})
    found = {str(items["label"]).capitalize(): _number(items["total"])} if "label" in items and "total" in items else {}
    for name, row in {row["event"]: row for row in rows if row["event"] not in QUIET}.items():
        known = NAMES.get(name, {})
        for key, value in row.items():
            if key not in ("time", "event", "in_report") and isinstance(value, int | float | str) and (key in known or name not in LAST):
                found[known.get(key) or words_of(key)] = _number(value)
    return found


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if not isinstance(value, float) else f"{value:.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"
