"""The static files, collected only when something about them changed: it takes several seconds."""

import hashlib
from pathlib import Path

from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def collect_static(stamp: Path) -> None:
    """Fills STATIC_ROOT unless `stamp` says that it was filled from these very files."""
    sources = fingerprint()
    if stamp.exists() and stamp.read_text(encoding="ascii") == sources:
        return
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(sources, encoding="ascii")


def fingerprint() -> str:
    """Changes with the path, the size or the time of any source file."""
    known = hashlib.sha256()
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda each: each[0]):
            facts = Path(storage.path(path)).stat()
            known.update(f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return known.hexdigest()
