"""The command line: quick help without heavy imports, every option explained, wrong input ends with exit code 2."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from verglas import __version__
from verglas.jobs.registry import ENTRIES, find
from verglas.jobs.spec import options

HEAVY = ("torch", "numba", "scipy", "matplotlib", "numpy")


def verglas(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "verglas", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env)


def processor_seconds(*arguments: str) -> float:
    """User and system time of one call: what it costs, whatever else the machine is doing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert verglas(*arguments).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.parametrize("arguments", [("--help",), ("mask", "--help")])
def test_help_answers_in_half_a_second(arguments: tuple[str, ...]) -> None:
    assert min(processor_seconds(*arguments) for _ in range(4)) < 0.5


@pytest.mark.parametrize("name", ["", *ENTRIES])
def test_help_loads_nothing_heavy(name: str) -> None:
    script = f"""
import sys
from verglas.cli.main import main
try:
    main({[*name.split(), "--help"]!r})
finally:
    print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", ENTRIES)
def test_every_option_shows_unit_default_and_range(name: str) -> None:
    shown = " ".join(verglas(*name.split(), "--help").stdout.replace("│", " ").split())
    for one in options(find(name).params):
        assert one.flag in shown
        assert not one.bounds or one.bounds in shown
        assert not one.unit or one.unit in shown
    for flag in ("--output", "--device", "--threads", "--seed", "--deterministic", "--dry-run"):
        assert flag in shown
    assert ("--continue" in shown) == find(name).can_continue


def test_version() -> None:
    assert verglas("--version").stdout.strip() == __version__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mask",), "--map is required"),
        (("mask", "--map", "no.mrc"), "no.mrc: cannot be read"),
        (("mask", "--map", "no.mrc", "--lowpass", "-4"), "--lowpass -4: must be >= 0"),
        (("mask", "--map", "no.mrc", "--threshold", "high"), "must be a number or auto"),
        (("mask", "--map", "no.mrc", "--colour", "red"), "--colour"),
        (("mask", "--map", "no.mrc", "--device", "tpu"), "unknown device 'tpu'"),
        (("mask", "--map", "no.mrc", "--threads", "-2"), "--threads -2"),
        (("maks",), "maks"),
    ],
)
def test_wrong_input_is_explained_with_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = verglas(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "->" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
