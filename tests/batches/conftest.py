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
    """A function that starts a worker for these kinds in a thread; it is stopped at the end."""
    begun = []

    def start(*kinds: Kind) -> Worker:
        worker = Worker(kinds)
        thread = threading.Thread(target=worker.run)
        thread.start()
        begun.append((worker, thread))
        return worker

    yield start
    for worker, thread in begun:
        worker.ask_to_stop()
        thread.join(timeout=20)
        assert not thread.is_alive(), "the worker did not end"
    connection.close()


@pytest.fixture
def chores(committed) -> Callable[..., list[Chore]]:
    return lambda *names: [Chore.objects.create(name=name) for name in names]
