"""A process that reads one batch's results each time it is asked to, in a child of its own.

`python -m tests.processes.reader API_ID`: for each line on standard input it forks a child that
reads the batch's results, prints the child's process ID, waits for it and prints how it ended.
Forking is forty times as fast as starting Python, and the child is a process that can be killed.
"""

import os
import sys

import django


def main(api_id: str) -> None:
    django.setup()
    from batches.connect import forget_clients
    from batches.models import Batch
    from tests.working import read_now

    for _ in sys.stdin:
        child = os.fork()
        if not child:
            # Nothing is connected yet: the parent asks neither the database nor the API.
            batch = Batch.objects.select_related("workspace").get(api_id=api_id)
            has_read = read_now(batch)
            forget_clients()
            os._exit(0 if has_read else 1)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
