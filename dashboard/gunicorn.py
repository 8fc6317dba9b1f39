"""The web process: `gunicorn -c dashboard/gunicorn.py dashboard.wsgi`."""

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
# gunicorn's gthread, but that slow clients hold no thread (docs/decisions/slow-clients.md).
worker_class = "dashboard.server.worker.Worker"
# WEB_CONCURRENCY is gunicorn's own name for it.
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = 8
# Of each worker: half of the files that it may have open, for pages need some too.
open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
worker_connections = 1000 if open_files == resource.RLIM_INFINITY else min(1000, open_files // 2)
# A file is sent as pages are, without a thread that waits for the reader.
sendfile = False
# Longer than a page's slowest poll (30 s), so that a poll never pays for a new connection.
keepalive = 75
# A cancel may wait 10 s for the API. A results file streams for longer, but from a thread.
timeout = 60
# At most so long after SIGTERM until it has ended; less than dashboard.launch grants it.
graceful_timeout = 15
# Workers show that they are alive by touching a file, which on a disk may block for seconds.
memory = Path("/dev") / "shm"
if memory.is_dir() and os.access(memory, os.W_OK):
    worker_tmp_dir = str(memory)
else:
    try:
        worker_tmp_dir = tempfile.gettempdir()
    except FileNotFoundError:
        sys.exit("There is no folder for temporary files: set TMPDIR to one that can be written.")
# No preloading: a database connection must not be shared by forked workers.
preload_app = False
loglevel = (os.environ.get("BATCHBOARD_LOG_LEVEL") or "info").lower()
control_socket_disable = True


def on_starting(_server: object) -> None:
    """Ends here, in a sentence, when the settings cannot work: workers would print it each."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    try:
        # Any setting: the first one loads them all.
        _ = settings.SECRET_KEY
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def post_worker_init(_worker: object) -> None:
    """What was loaded by now stays for good: the collector need not look through it again.

    Otherwise it does so in the middle of a page, which then takes up to 60 ms longer.
    """
    gc.collect()
    gc.freeze()
