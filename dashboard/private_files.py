"""Files and folders that no other user of the machine may read."""

import contextlib
import os
import stat
from pathlib import Path

OWNER_ALONE = 0o700


def make_folder(path: Path) -> None:
    """Make the folder, and those above it that are missing, for their owner alone.

    What exists stays as it is: its mode may be an operator's choice. Raises OSError.
    """
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=OWNER_ALONE, exist_ok=True)


def make_database(path: Path) -> None:
    """Make SQLite's file, and close it and the files beside it, which get its mode from SQLite.

    Raises OSError.
    """
    if not path.exists():
        path.touch(mode=0o600)
    for ending in ("", "-wal", "-shm"):
        close(path.with_name(path.name + ending))


def close_folders(path: Path, *, top: Path) -> None:
    """Close the folder and those above it up to `top`; none if it is not within `top`."""
    folders = (path, *path.parents)
    if top in folders:
        for folder in folders[: folders.index(top) + 1]:
            close(folder)


def close(path: Path) -> None:
    """Take from group and others whatever they may do with a file or folder of our own.

    Does nothing where there is none.
    """
    # It may go at any moment: the last connection deletes the files beside a database.
    with contextlib.suppress(OSError):
        found = path.stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & ~OWNER_ALONE:
            path.chmod(stat.S_IMODE(found.st_mode) & OWNER_ALONE)
