"""Collects the static files only when they have changed, because it takes several seconds."""

import hashlib
from pathlib import Path

from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from dashboard import bundles


def collect_static(stamp: Path) -> None:
    """Fill STATIC_ROOT, unless `stamp` says that it was filled from the same files."""
    sources = fingerprint()
    if stamp.exists() and stamp.read_text(encoding="ascii") == sources:
        return
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(sources, encoding="ascii")


def fingerprint() -> str:
    """A digest of the bundles, and of the path, size and modification time of every source file."""
    digest = hashlib.sha256(Path(bundles.__file__).read_bytes())
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda each: each[0]):
            facts = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
