"""Makes files and folders that only the user who runs Batchboard can read."""

import contextlib
import os
import stat
from pathlib import Path

OWNER_ALONE = 0o700


def make_folder(path: Path) -> None:
    """Create the folder, and missing ones above it, readable only by their owner.

    Existing folders keep their mode, which the administrator may have chosen. Raises OSError.
    """
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=OWNER_ALONE, exist_ok=True)


def make_database(path: Path) -> None:
    """Create SQLite's file and close it and its journal, whose mode SQLite copies from the file.

    Raises OSError.
    """
    if not path.exists():
        path.touch(mode=0o600)
    for ending in ("", "-wal", "-shm"):
        close(path.with_name(path.name + ending))


def close_folders(path: Path, *, top: Path) -> None:
    """Close the folder and those above it, up to `top`. Does nothing outside `top`."""
    folders = (path, *path.parents)
    if top in folders:
        for folder in folders[: folders.index(top) + 1]:
            close(folder)


def close(path: Path) -> None:
    """Remove the permissions of group and others from a file or folder of this user.

    Does nothing if it doesn't exist.
    """
    # The last connection to the database may delete the journal at any moment.
    with contextlib.suppress(OSError):
        found = path.stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & ~OWNER_ALONE:
            path.chmod(stat.S_IMODE(found.st_mode) & OWNER_ALONE)
