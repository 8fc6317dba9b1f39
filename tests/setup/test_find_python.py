import os
import subprocess
import sys
from pathlib import Path

import pytest

FIND = Path(__file__).resolve().parents[2] / ".make" / "find-python"
WORKS = f'exec {sys.executable} "$@"'
FAILS = "exit 127"
OLD = 'case "$3" in *platform*) echo 3.11.2;; *) exit 1;; esac'
NO_VENV = f'case "$3" in *venv*) exit 1;; *) exec {sys.executable} "$@";; esac'


def program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def find(*folders: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, folders))
    return subprocess.run(
        ["/bin/sh", FIND],
        env={"PATH": path, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_shim_that_fails_does_not_hide_a_python_that_works(tmp_path):
    program(tmp_path / "shims" / "python3.13", FAILS)
    working = program(tmp_path / "bin" / "python3.13", WORKS)

    answer = find(tmp_path / "shims", tmp_path / "bin")

    assert answer.stdout.strip() == str(working)


def test_an_old_default_is_passed_over_for_a_newer_one(tmp_path):
    program(tmp_path / "python3", OLD)
    newer = program(tmp_path / "python3.12", WORKS)

    answer = find(tmp_path)

    assert answer.stdout.strip() == str(newer)


@pytest.mark.parametrize("home", [{}, {"HOME": ""}])
def test_a_version_of_pyenv_is_found_without_a_home(tmp_path, home):
    program(tmp_path / "bin" / "python3", OLD)
    python = program(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python", WORKS)

    answer = find(tmp_path / "bin", PYENV_ROOT=str(tmp_path / "pyenv"), **home)

    assert answer.stdout.strip() == str(python)


def test_a_version_of_pyenv_is_found_in_the_home_folder(tmp_path):
    python = program(tmp_path / ".pyenv" / "versions" / "3.13.0" / "bin" / "python", WORKS)

    answer = find(tmp_path, HOME=str(tmp_path))

    assert answer.stdout.strip() == str(python)


def test_a_python_that_uv_knows_is_found(tmp_path):
    python = program(tmp_path / "kept by uv" / "python3.13", WORKS)
    program(tmp_path / "bin" / "uv", f"echo '{python}'")

    answer = find(tmp_path / "bin")

    assert answer.stdout.strip() == str(python)


def test_the_named_python_is_taken_before_all_others(tmp_path):
    program(tmp_path / "python3.13", WORKS)
    named = program(tmp_path / "mine", WORKS)

    answer = find(tmp_path, PYTHON=str(named))

    assert answer.stdout.strip() == str(named)


def test_only_an_old_python_is_refused_in_one_sentence(tmp_path):
    program(tmp_path / "python3", OLD)

    answer = find(tmp_path)

    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith(f"Python 3.11.2 at {tmp_path}/python3 is too old")
    assert answer.stderr.count("\n") == 1


def test_no_python_at_all_says_how_to_get_one(tmp_path):
    answer = find(tmp_path)

    assert answer.returncode == 1
    assert answer.stderr.startswith("No Python was found")
    assert "pyenv install 3.13" in answer.stderr


def test_a_python_that_cannot_make_a_venv_says_what_to_install(tmp_path):
    program(tmp_path / "python3", NO_VENV)

    answer = find(tmp_path)

    assert answer.returncode == 1
    assert "apt install python3-venv" in answer.stderr
