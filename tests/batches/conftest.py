"""Workers in threads, and rows for them to work on."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from batches.models import Chore
from batches.worker.kinds import Kind
from batches.worker.loop import Worker


@pytest.fixture
def working(committed):
    """A function that starts a worker for some kinds in a thread. The fixture stops it."""
    started = []

    def start(*kinds: Kind) -> Worker:
        worker = Worker(kinds)
        thread = threading.Thread(target=worker.run)
        thread.start()
        started.append((worker, thread))
        return worker

    yield start
    for worker, thread in started:
        worker.ask_to_stop()
        thread.join(timeout=20)
        assert not thread.is_alive(), "the worker did not end"
    connection.close()


@pytest.fixture
def chores(committed) -> Callable[..., list[Chore]]:
    return lambda *names: [Chore.objects.create(name=name) for name in names]
