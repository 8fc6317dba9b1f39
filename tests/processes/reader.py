"""A process that reads one batch's results each time it is asked to, in a child of its own.

`python -m tests.processes.reader API_ID`: for each line on standard input it forks a child that
reads the batch's results, prints the child's process ID, waits for it and prints how it ended.
With a number N on the line, the child kills itself before its step N: a statement, two hundred
rows of one, or a commit. Forking is forty times as fast as starting Python, and the child is a
process that can be killed.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

import django
from django.db.backends.base.base import BaseDatabaseWrapper

ROWS_IN_A_STEP = 200


def main(api_id: str) -> None:
    django.setup()
    from django.db import connection

    from batches.connect import forget_clients
    from batches.models import Batch
    from tests.working import read_now

    for line in sys.stdin:
        child = os.fork()
        if not child:
            # Nothing is connected yet: the parent asks neither the database nor the API.
            with connection.execute_wrapper(killing_before(int(line), connection)):
                batch = Batch.objects.select_related("workspace").get(api_id=api_id)
                has_read = read_now(batch)
            forget_clients()
            os._exit(0 if has_read else 1)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def killing_before(step: int, connection: BaseDatabaseWrapper) -> Callable:
    """Counts the connection's steps, and kills this process before that one; 0 is never."""
    steps = count(1)

    def take_step() -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepping(rows: Iterable) -> Iterator:
        for number, row in enumerate(rows, start=1):
            if number % ROWS_IN_A_STEP == 0:
                take_step()
            yield row

    def execute(run: Callable, sql: str, params: Iterable, *how: Any) -> object:
        take_step()
        is_many, _ = how
        return run(sql, stepping(params) if is_many else params, *how)

    commit = connection.commit
    connection.commit = lambda: (take_step(), commit())
    return execute


if __name__ == "__main__":
    main(sys.argv[1])
