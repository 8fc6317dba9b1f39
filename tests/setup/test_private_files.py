"""What a running copy writes is for its owner alone: it holds sessions, hashes and the mirror."""

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dashboard.environment import database
from dashboard.private_files import close, close_folders, make_folder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _open_umask():
    """The usual one, by which everybody may read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes_beside(path: Path) -> dict[str, int]:
    """Of the database and what SQLite puts beside it while it is open."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS a (b)")
        connection.commit()
        return {each.name: mode(each) for each in path.parent.iterdir()}


def test_a_database_and_its_side_files_are_their_owner_s_from_the_start(tmp_path):
    path = tmp_path / "var" / "board.db"

    database("", default_path=path)

    assert mode(path.parent) == 0o700
    assert modes_beside(path) == {"board.db": 0o600, "board.db-wal": 0o600, "board.db-shm": 0o600}


def test_those_of_an_older_version_are_closed_at_the_next_start(tmp_path):
    path = tmp_path / "board.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE a (b)")
        connection.commit()
        before = {mode(each) for each in tmp_path.iterdir()}

        database("", default_path=path)

        after = {each.name: mode(each) for each in tmp_path.iterdir()}
    assert before == {0o644}
    assert after == {"board.db": 0o600, "board.db-wal": 0o600, "board.db-shm": 0o600}


def test_a_database_named_by_its_address_is_closed_too_but_not_an_operator_s_folder(tmp_path):
    tmp_path.chmod(0o755)

    database(f"sqlite:///{tmp_path}/board.db", default_path=tmp_path / "unused.db")

    assert mode(tmp_path / "board.db") == 0o600
    assert mode(tmp_path) == 0o755
    assert not (tmp_path / "unused.db").exists()


def test_a_database_loses_nothing_of_what_is_in_it(tmp_path):
    path = tmp_path / "board.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE a AS SELECT 7 AS b")
        connection.commit()

    database("", default_path=path)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT b FROM a").fetchone() == (7,)


def test_every_folder_that_is_missing_is_made_for_its_owner(tmp_path):
    tmp_path.chmod(0o755)

    make_folder(tmp_path / "var" / "demo")

    assert [mode(tmp_path / name) for name in ("", "var", "var/demo")] == [0o755, 0o700, 0o700]


def test_the_folders_within_the_default_one_are_closed_and_no_others(tmp_path):
    demo = tmp_path / "var" / "demo"
    demo.mkdir(parents=True)
    other = tmp_path / "other"
    other.mkdir()
    tmp_path.chmod(0o755)

    close_folders(demo, top=tmp_path / "var")
    close_folders(other, top=tmp_path / "var")

    assert (mode(demo), mode(demo.parent)) == (0o700, 0o700)
    assert (mode(other), mode(tmp_path)) == (0o755, 0o755)


def test_a_file_of_another_user_is_left_to_them(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.touch()
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    close(path)

    assert mode(path) == 0o644


def test_a_file_that_goes_meanwhile_is_no_error(tmp_path):
    close(tmp_path / "none")


def test_a_command_leaves_nothing_that_others_can_read(tmp_path):
    var = tmp_path / "var"

    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={"BATCHBOARD_VAR": str(var), "PATH": os.environ["PATH"]},
        check=True,
    )

    found = {each.name: mode(each) for each in var.rglob("*")}
    assert {"batchboard.db", "secret_key", "encryption_key"} <= found.keys()
    assert set(found.values()) == {0o600}
    assert mode(var) == 0o700
