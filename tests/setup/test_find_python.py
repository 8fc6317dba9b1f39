import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FIND = Path(__file__).resolve().parents[2] / ".make" / "find-python"
WORKS = f'exec {sys.executable} "$@"'
FAILS = "exit 127"
# The exit codes of the program that find-python runs with each Python.
OLD = "exit 3"
NO_VENV = "exit 4"


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


def test_a_newer_python_is_preferred_to_an_old_default(tmp_path):
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


def test_the_python_in_the_variable_is_taken_before_all_others(tmp_path):
    program(tmp_path / "python3.13", WORKS)
    named = program(tmp_path / "named", WORKS)

    answer = find(tmp_path, PYTHON=str(named))

    assert answer.stdout.strip() == str(named)


def test_only_an_old_python_is_refused_in_one_sentence(tmp_path):
    program(tmp_path / "python3", OLD)

    answer = find(tmp_path)

    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith(f"The Python at {tmp_path}/python3 is too old")
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


@pytest.mark.parametrize(
    ("condition", "code"), [("version_info = (3, 11)", 3), ("modules['ssl'] = None", 4)]
)
def test_the_program_that_judges_a_python_gives_these_codes(condition, code):
    program = re.search(r"^probe='(.*?)'", FIND.read_text(), re.MULTILINE | re.DOTALL)
    assert program

    judged = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys\nsys.{condition}\n{program[1]}"], check=False
    )

    assert judged.returncode == code
