import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKE = Path(__file__).resolve().parents[2] / ".make"
PACKAGE = "no-such-package==1.0 --hash=sha256:" + 64 * "0" + "\n"


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A folder that is set up with locks of no packages."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(MAKE, folder / ".make")
    # Where only pyenv's shims offer a Python, this file tells them which version to run.
    shutil.copy(MAKE.with_name(".python-version"), folder)
    for lock in ("requirements.txt", "requirements-dev.txt"):
        (folder / lock).write_text("# nothing\n")
    assert set_up(folder).returncode == 0
    return folder


def set_up(
    folder: Path, lock: str = "requirements.txt", **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / ".make" / "setup", lock],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_second_start_is_silent(clone):
    again = set_up(clone)

    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_the_development_lock_serves_the_runtime_too(clone):
    set_up(clone, "requirements-dev.txt")

    again = set_up(clone)

    assert again.stdout == ""


def test_a_changed_lock_is_installed_into_the_same_venv(clone):
    (clone / "requirements.txt").write_text("# still nothing\n")

    again = set_up(clone)

    assert "Ready." in again.stdout
    assert "Making .venv" not in again.stdout


def test_an_install_that_was_interrupted_is_repeated(clone):
    (clone / ".venv" / "installed").unlink()

    again = set_up(clone)

    assert "Ready." in again.stdout
    assert "Making .venv" not in again.stdout


def test_a_venv_of_another_python_is_made_again(clone):
    (clone / ".venv" / "installed").write_text(f"{clone} 3.12.0\n")

    again = set_up(clone)

    assert "Making .venv" in again.stdout
    assert again.returncode == 0


def test_a_moved_folder_gets_a_new_venv(clone, tmp_path):
    moved = tmp_path / "elsewhere, with a space"
    shutil.copytree(clone, moved, symlinks=True)

    again = set_up(moved)

    assert "Making .venv" in again.stdout
    assert again.returncode == 0


def test_without_a_network_a_sentence_says_what_to_do(clone):
    (clone / "requirements-dev.txt").write_text(PACKAGE)
    # Nothing listens on the discard port.
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "1",
    }

    failed = set_up(clone, "requirements-dev.txt", **nowhere)

    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("The packages could not be installed")


def test_two_terminals_that_start_at_once_install_one_after_the_other(clone):
    (clone / "requirements.txt").write_text("# nothing, again\n")
    command = [clone / ".make" / "setup", "requirements.txt"]

    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = sorted(each.communicate()[0].count("Ready.") for each in both)

    assert [each.returncode for each in both] == [0, 0]
    assert printed == [0, 1]
