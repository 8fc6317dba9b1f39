"""The mirror: keeps the local copy of every workspace's batches up to date."""

import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections
from django.utils import timezone

from batches import results, tasks
from batches.models import Workspace
from batches.sync import sync_workspace
from batches.workspaces import adopt_environment

log = structlog.get_logger(__name__)

# How soon a due workspace, or a due cancellation, is noticed.
TICK_SECONDS = 0.5
SIDE_BY_SIDE = 8
LOST_SECONDS = 10.0
TIDY_SECONDS = 3600.0


class Command(BaseCommand):
    help = "Keep the local copy of batches up to date until told to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="One round of every workspace now, then exit."
        )

    def handle(self, *, once: bool, **options: Any) -> None:
        stop = threading.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            # Ends after the current page, which is then whole in the database.
            signal.signal(signum, lambda *_: stop.set())
        adopt_environment()
        if once:
            self.one_round_of_all(stop)
        else:
            self.rounds(stop)

    def rounds(self, stop: threading.Event) -> None:
        """Rounds run side by side: an API that hangs must not hold up the other workspaces."""
        log.info("mirror started", workspaces=Workspace.objects.filter(is_enabled=True).count())
        under_way: dict[int, Future[bool]] = {}
        tidied_at = noted_at = 0.0
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="round") as pool:
            while not stop.is_set():
                close_old_connections()
                under_way = {pk: future for pk, future in under_way.items() if not finished(future)}
                for workspace in Workspace.objects.due(timezone.now()):
                    if workspace.pk not in under_way and len(under_way) < SIDE_BY_SIDE:
                        under_way[workspace.pk] = pool.submit(round_in_thread, workspace, stop)
                tasks.queue_due_work()
                if time.monotonic() - noted_at > LOST_SECONDS:
                    results.note_lost()
                    noted_at = time.monotonic()
                if time.monotonic() - tidied_at > TIDY_SECONDS:
                    tidy()
                    tidied_at = time.monotonic()
                stop.wait(TICK_SECONDS)

    def one_round_of_all(self, stop: threading.Event) -> None:
        enabled = Workspace.objects.filter(is_enabled=True)
        if not enabled:
            raise CommandError(
                "There is no workspace: set ANTHROPIC_API_KEY, or add one in /admin/."
            )
        enabled.update(next_sync_at=None)
        failed = [w.name for w in enabled if not one_round(w, stop)]
        results.note_lost()
        tasks.queue_due_work()
        if failed:
            raise CommandError(f"No whole round for: {', '.join(failed)}.")


def one_round(workspace: Workspace, stop: threading.Event) -> bool:
    """False when the round failed, or another mirror holds the workspace."""
    lease = Workspace.objects.claim(workspace, timezone.now())
    if lease is None or stop.is_set():
        return False
    # What stood in the list may be older than the claim.
    workspace.refresh_from_db()
    return sync_workspace(workspace, lease, is_stopping=stop.is_set, wait=stop.wait)


def tidy() -> None:
    """Throw away what nobody will ask for again: ended sessions, and tasks long since done."""
    call_command("clearsessions")
    call_command("prune_db_task_results", verbosity=0)


def round_in_thread(workspace: Workspace, stop: threading.Event) -> bool:
    """The same, with a database connection that is this thread's own to look after."""
    try:
        return one_round(workspace, stop)
    finally:
        close_old_connections()


def finished(future: Future[bool]) -> bool:
    """A round that broke for a reason nobody foresaw ends the mirror, loudly."""
    if future.done():
        future.result()
    return future.done()
