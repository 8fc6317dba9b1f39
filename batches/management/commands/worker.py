import signal
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from batches.mirror.workspaces import adopt_environment
from batches.models import Workspace
from batches.worker.kinds import NAMES, named_kinds
from batches.worker.loop import Worker

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = (
        "Sync workspaces, retry cancellations, read results and tidy up, until Ctrl-C or SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only",
            default="",
            metavar="KINDS",
            help=f"Do only these kinds of work, separated by commas: {', '.join(NAMES)}.",
        )
        parser.add_argument(
            "--once",
            action="store_true",
            help="Sync every workspace now, do all due work, then exit; 1 if something failed.",
        )

    def handle(self, *, only: str, once: bool, **options: Any) -> None:
        try:
            kinds = named_kinds(name.strip() for name in only.split(",") if name.strip())
        except KeyError as error:
            raise CommandError(
                f"There is no kind of work named {error}. Choose from: {', '.join(NAMES)}."
            ) from error
        worker = Worker(kinds)
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda *_: worker.ask_to_stop())
        if once:
            self.once(worker)
        else:
            log.info("worker started", kinds=[kind.name for kind in kinds])
            worker.run()

    def once(self, worker: Worker) -> None:
        """Raises CommandError when there is no workspace, or something failed."""
        adopt_environment()
        if not Workspace.objects.filter(is_enabled=True).exists():
            raise CommandError("There is no workspace: set ANTHROPIC_API_KEY, or add one.")
        Workspace.objects.filter(is_enabled=True).update(next_attempt_at=None)
        try:
            is_good = worker.run_once()
        except Error as error:
            raise CommandError(f"The database failed: {error}") from error
        if not is_good:
            failed = Workspace.objects.filter(is_enabled=True).exclude(error="")
            names = ", ".join(failed.values_list("name", flat=True))
            raise CommandError(f"The sync failed for: {names}." if names else "Some work failed.")
