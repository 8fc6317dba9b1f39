"""Settings of the web process: `gunicorn -c dashboard/gunicorn.py dashboard.wsgi`."""

import gc
import os
import resource
import sys
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

host = os.environ.get("BATCHBOARD_BIND") or "127.0.0.1"
if ":" in host and not host.startswith("["):
    # An IPv6 address, which needs brackets before a port.
    host = f"[{host}]"
bind = f"{host}:{os.environ.get('PORT') or '8000'}"
# gunicorn's gthread, except that slow clients hold no thread (docs/decisions/slow-clients.md).
worker_class = "dashboard.server.worker.WebWorker"
# gunicorn itself defines WEB_CONCURRENCY.
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = 8
# For each worker: half of the files that it may open, because pages need some too.
open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
worker_connections = 1000 if open_files == resource.RLIM_INFINITY else min(1000, open_files // 2)
# Files are sent as pages are, so that no thread waits for the reader.
sendfile = False
# Longer than the pause between two polls (30 s), so that a poll never needs a new connection.
keepalive = 75
# A cancel may wait 10 s for the API. A results file streams for longer, but from a thread.
timeout = 60
# The longest time from SIGTERM to the end; less than dashboard.launch allows.
graceful_timeout = 15
# Workers show that they run by touching a file, which on a disk may block for seconds.
memory = Path("/dev") / "shm"
if memory.is_dir() and os.access(memory, os.W_OK):
    worker_tmp_dir = str(memory)
else:
    try:
        worker_tmp_dir = tempfile.gettempdir()
    except FileNotFoundError:
        sys.exit("There is no folder for temporary files. Set TMPDIR to a writable folder.")
# No preloading: a database connection must not be shared by forked workers.
preload_app = False
loglevel = (os.environ.get("BATCHBOARD_LOG_LEVEL") or "info").lower()
control_socket_disable = True


def on_starting(_server: object) -> None:
    """Reports invalid settings once, in a sentence; otherwise every worker would report them."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    try:
        # Reading any setting loads all of them.
        _ = settings.SECRET_KEY
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def post_worker_init(_worker: object) -> None:
    """Excludes everything loaded so far, which stays for good, from garbage collection.

    Otherwise a collection in the middle of a page takes up to 60 ms longer.
    """
    gc.collect()
    gc.freeze()
