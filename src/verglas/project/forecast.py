"""What a job would do and need, asked of a process of its own: it reads the input, from the project's folder."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from verglas.errors import InputError
from verglas.project.program import PROGRAM, environment

PATIENCE = 300


def forecast(root: Path, words: Sequence[str]) -> str:
    """The lines of --dry-run; raises what it found wrong."""
    try:
        done = subprocess.run([*PROGRAM, *words], cwd=root, env=environment(), capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"no forecast within {PATIENCE} s", where=words[0], remedy="start the job; it checks its input again") from error
    if done.returncode:
        found, _, remedy = done.stderr.strip().removeprefix("verglas: ").partition("\n  -> ")
        raise InputError(found or f"exit code {done.returncode}", remedy=remedy)
    return done.stdout.strip()
