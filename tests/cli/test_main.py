"""The command line: quick help without heavy imports, every option explained, wrong input ends with exit code 2."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from verglas import __version__
from verglas.cli.main import main
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


@pytest.mark.parametrize("arguments", [("--help",), ("refine3d", "--help")])
def test_help_answers_in_half_a_second(arguments: tuple[str, ...]) -> None:
    assert min(processor_seconds(*arguments) for _ in range(3)) < 0.5


def test_help_of_every_command_loads_nothing_heavy() -> None:
    script = f"""
import sys
from verglas.cli.main import main
for name in {["", *ENTRIES]!r}:
    try:
        main([*name.split(), "--help"])
    except SystemExit:
        pass
print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    assert all(f"verglas {name}" in done.stdout for name in ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_option_shows_unit_default_and_range(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    with pytest.raises(SystemExit):
        main([*name.split(), "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for one in options(find(name).params):
        assert (f"--no-{one.flag[2:]}" if one.default is True else one.flag) in shown
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
def test_wrong_input_is_explained_with_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert end.value.code == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "->" in shown
    assert list(tmp_path.iterdir()) == []


def test_the_process_itself_ends_with_exit_code_2(tmp_path: Path) -> None:
    done = verglas("mask", "--map", "no.mrc", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "verglas: no.mrc: cannot be read: No such file or directory\n  -> check the path and its permissions\n"
    assert list(tmp_path.iterdir()) == []


def test_map_info(tmp_path: Path) -> None:
    import numpy as np

    from verglas.io.mrc import StackWriter, write_map
    from verglas.types import Map

    data = np.zeros((24, 24, 24), dtype=np.float32)
    data[8:16, 8:16, 8:16] = 1
    write_map(tmp_path / "map.mrc", Map(data, 2.5))
    with StackWriter(tmp_path / "stack.mrcs", 1.5) as stack:
        stack.append(np.zeros((3, 8, 8), dtype=np.float32))
    done = verglas("map", "info", "map.mrc", "stack.mrcs", cwd=tmp_path)
    assert done.returncode == 0
    assert "24 x 24 x 24, 2.5000 Å" in done.stdout and "contrast bright" in done.stdout
    assert "8 x 8 x 3, 1.5000 Å" in done.stdout


def test_continuing_needs_a_job_of_the_same_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def message(*arguments: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["refine3d", *arguments])
        assert end.value.code == 2
        return capsys.readouterr().err

    (tmp_path / "old").mkdir()
    assert "job.json" in message("--continue", "old")
    (tmp_path / "old" / "job.json").write_text('{"job": "mask", "params": {}}')
    assert "holds a mask job" in message("--continue", "old")
    assert "exclude each other" in message("--continue", "old", "--output", "new")


def test_pose_errors_know_the_symmetry() -> None:
    import numpy as np
    import torch

    from verglas.cli.demo import pose_errors
    from verglas.core.rotations import axis_rotation, euler_to_matrix, matrix_to_euler, random_rotations
    from verglas.core.symmetry import operators

    poses = random_rotations(20, torch.Generator().manual_seed(1))
    angles = matrix_to_euler(poses).numpy()
    mates = matrix_to_euler(poses @ operators("D2")[3]).numpy()
    assert pose_errors(angles, mates, "D2").max() < 1e-6
    assert np.median(pose_errors(angles, mates, "C1")) > 1
    turned = matrix_to_euler(axis_rotation([0.0, 0.6, 0.8], 0.05) @ euler_to_matrix(torch.from_numpy(mates))).numpy()
    assert np.allclose(pose_errors(angles, turned, "D2"), 0.05, atol=1e-6)


def test_class3d_with_fixed_poses_is_class3d_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["class3d", "--fixed-poses", "--help"], ["class3d-fixed", "--help"]):
        with pytest.raises(SystemExit):
            main(arguments)
    one, two = capsys.readouterr().out.split("Usage: ")[1:]
    assert one == two and "--class-similarity" in one
    with pytest.raises(SystemExit):
        main(["class3d", "--help"])
    assert "with --fixed-poses: class3d-fixed" in capsys.readouterr().out


@pytest.mark.parametrize(("given", "meant"), [
    (("import", "movies", "--movies", "a", "--kv", "300"), "is it --voltage? see `verglas import movies --help`"),
    (("import", "movies", "--dose-per-frame=3"), "is it --dose? "), (("class2d", "--particle_diameter", "3"), "is it --mask-diameter? "),
    (("class2d", "--clases", "3"), "--classes"), (("refine3d", "--gibberish", "3"), "see `verglas refine3d --help`"),
    (("motioncorr", "--patches", "3"), "is it --patches-x or --patches-y? "), (("project", "nothing"), "see `verglas project --help`"),
])
def test_an_option_that_does_not_exist_leads_to_the_one_that_does(given: tuple[str, ...], meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(given))
    assert ended.value.code == 2 and meant in capsys.readouterr().err


@pytest.mark.parametrize(("given", "said"), [
    (("--port", "80000"), "ports are 0 to 65535"), (("--host", "nowhere.invalid"), "give an address of this machine")])
def test_a_place_where_the_pages_cannot_be_is_refused(given: tuple[str, ...], said: str) -> None:
    answer = verglas("web", *given)
    assert answer.returncode == 2 and said in answer.stderr and "Traceback" not in answer.stderr
