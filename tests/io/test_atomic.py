"""A half-written file never has a final name."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verglas.errors import InputError
from verglas.io.atomic import atomic_path


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == tmp_path and temporary.suffix == ".txt"
    assert target.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), atomic_path(target) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("half way")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_kill_in_the_middle_leaves_no_final_name(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from verglas.io.atomic import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); print('written', flush=True); time.sleep(60)\n"
    )
    target = tmp_path / "a.txt"
    with subprocess.Popen([sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "written\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    time.sleep(0.01)
    assert not target.exists()
    assert len(names(tmp_path)) == 1


@pytest.mark.parametrize(("code", "words"), [
    (errno.ENOSPC, "disk is full"), (errno.EDQUOT, "quota"), (errno.EFBIG, "larger than"),
])
def test_running_out_of_space_says_what_to_do(tmp_path: Path, code: int, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught, atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise OSError(code, os.strerror(code))
    assert caught.value.where == str(tmp_path / "a.txt") and caught.value.remedy
    assert names(tmp_path) == []


def test_a_real_limit_of_space(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; from verglas.io.star import Table, write_star; import numpy as np\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_star(sys.argv[1], {'x': Table({'a': np.arange(10000)})})\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.star")], capture_output=True, text=True)
    assert "InputError" in done.stderr and "cannot be written" in done.stderr
    assert names(tmp_path) == []


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder does not exist"), atomic_path(tmp_path / "no" / "a.txt") as temporary:
        temporary.write_text("x")


def test_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(InputError, match="a folder has this name"), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert names(tmp_path) == ["a.txt"]


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InputError, match="no permission"), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert names(tmp_path) == []


def test_errors_about_other_files_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "other").read_text()
