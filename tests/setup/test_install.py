import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

MAKE = Path(__file__).resolve().parents[2] / ".make"
PACKAGE = "no-such-package==1.0 --hash=sha256:" + 64 * "0" + "\n"


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clone that is set up, with locks that hold no package."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(MAKE, folder / ".make")
    # Where pyenv's shims are all the Python there is, this file tells them which one is meant.
    shutil.copy(MAKE.with_name(".python-version"), folder)
    for lock in ("requirements.txt", "requirements-dev.txt"):
        (folder / lock).write_text("# nothing\n")
    assert set_up(folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", MAKE / "install.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_another_lock_is_installed_without_making_the_venv_anew(clone):
    (clone / "requirements.txt").write_text("# nothing, put differently\n")

    again = set_up(clone)

    assert "Ready after" in again.stdout
    assert "Making .venv" not in again.stdout


def test_an_install_that_was_interrupted_is_repeated(clone):
    stamp = clone / ".venv" / "batchboard.json"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"locks": {}}))

    again = set_up(clone)

    assert "Ready after" in again.stdout


def test_a_venv_of_another_python_is_made_anew(clone):
    stamp = clone / ".venv" / "batchboard.json"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"python": "3.12.0"}))

    again = set_up(clone)

    assert "Making .venv" in again.stdout
    assert again.returncode == 0


def test_a_moved_folder_gets_a_new_venv(clone, tmp_path):
    moved = tmp_path / "elsewhere, with a blank"
    shutil.copytree(clone, moved, symlinks=True)

    again = set_up(moved)

    assert "Making .venv" in again.stdout
    assert again.returncode == 0


def test_no_network_is_one_sentence(clone):
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
    assert failed.stderr.startswith("The packages could not be fetched")
    assert failed.stderr.count("\n") == 1


def test_an_altered_package_is_told_from_a_missing_network(install):
    said = ["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."]

    assert "does not match its hash" in install.sentence(said)


def test_any_other_failure_gives_the_first_thing_pip_said(install):
    said = ["WARNING: something small", "ERROR: No space left on device", "ERROR: another"]

    assert install.sentence(said) == (
        "The packages could not be installed: No space left on device"
    )


def test_progress_is_a_few_lines(install, capsys):
    lines = [f"Collecting package-{number}==1.0\n" for number in range(25)]

    install.report([*lines, "Installing collected packages: one, two, three\n"])

    assert capsys.readouterr().out.splitlines() == [
        "  10 packages fetched …",
        "  20 packages fetched …",
        "Installing 3 packages …",
    ]
