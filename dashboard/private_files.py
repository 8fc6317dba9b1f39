"""Files and folders that only the user who runs Batchboard may read."""

import contextlib
import os
import stat
from pathlib import Path

OWNER_ALONE = 0o700


def make_folder(path: Path) -> None:
    """Make the folder, and missing ones above it, readable by their owner alone.

    Folders that exist keep their mode, which may be an operator's choice. Raises OSError.
    """
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=OWNER_ALONE, exist_ok=True)


def make_database(path: Path) -> None:
    """Make SQLite's file, and close it and the files beside it. SQLite gives new ones its mode.

    Raises OSError.
    """
    if not path.exists():
        path.touch(mode=0o600)
    for ending in ("", "-wal", "-shm"):
        close(path.with_name(path.name + ending))


def close_folders(path: Path, *, top: Path) -> None:
    """Close the folder and those above it, up to `top`. Does nothing if it is not within `top`."""
    folders = (path, *path.parents)
    if top in folders:
        for folder in folders[: folders.index(top) + 1]:
            close(folder)


def close(path: Path) -> None:
    """Remove the permissions of group and others, if the file or folder is ours.

    Does nothing if it doesn't exist.
    """
    # The last connection to a database deletes the files beside it, at any moment.
    with contextlib.suppress(OSError):
        found = path.stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & ~OWNER_ALONE:
            path.chmod(stat.S_IMODE(found.st_mode) & OWNER_ALONE)
