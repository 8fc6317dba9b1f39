"""`manage.py run`: runs web and worker together on one machine until Ctrl-C."""

import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from batches import clock
from batches.models import Workspace
from dashboard.launch.labels import label_once
from dashboard.launch.people import prepare_demo
from dashboard.launch.ports import HOST, PortRefused, check_ports, chosen_port
from dashboard.launch.processes import ProcessEnded, Processes, StopRequested
from dashboard.launch.ready import (
    PageBroken,
    all_mirrored_since,
    is_listening,
    last_errors,
    pages_answer,
    web_host,
)
from dashboard.launch.static import collect_static
from dashboard.roles import MAY
from dashboard.schema import unknown_migrations


class Command(BaseCommand):
    help = "Prepare the database, then run web and worker until Ctrl-C."
    # The checks open the database, whose problems only `prepare` can explain.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--demo",
            action="store_true",
            help="Also run the sandbox, and create people and workspaces.",
        )

    def handle(self, *, demo: bool, **options: Any) -> None:
        try:
            names = ("PORT", "SANDBOX_PORT") if demo else ("PORT",)
            ports = {name: chosen_port(os.environ, name) for name in names}
            check_ports(ports)
            self.prepare()
            passwords = prepare_demo(settings.VAR_DIR) if demo else {}
            self.run(ports, passwords)
        except (StopRequested, KeyboardInterrupt):
            self.say()
            self.say("Stopped. All processes have ended.")
        except (PortRefused, ProcessEnded) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{error}. Batchboard writes to {settings.VAR_DIR}, and static files to "
                f"{settings.STATIC_ROOT}. Make room there, or set BATCHBOARD_VAR.",
                returncode=2,
            ) from error

    def prepare(self) -> None:
        """Raises CommandError with exit code 2 when the database cannot be used."""
        self.say("Preparing the database …")
        try:
            self.prepare_database()
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be prepared: {error}. "
                "Check DATABASE_URL, or BATCHBOARD_VAR for SQLite.",
                returncode=2,
            ) from error
        self.say("Collecting the static files …")
        collect_static(settings.VAR_DIR / "static-sources")

    def prepare_database(self) -> None:
        """Raises CommandError with exit code 2, DatabaseError."""
        if unknown := unknown_migrations(MigrationLoader(connection)):
            raise CommandError(
                f"This database is from a newer version: migration {unknown[0]} is unknown here. "
                "Start the newer version, or restore an older backup.",
                returncode=2,
            )
        call_command("migrate", interactive=False, verbosity=0)
        has_key = settings.ANTHROPIC_API_KEY or settings.ANTHROPIC_AUTH_TOKEN
        if not has_key and not Workspace.objects.exists():
            raise CommandError(
                "There is no API key: set ANTHROPIC_API_KEY and start again, "
                "or try `make demo`, which needs none.",
                returncode=2,
            )

    def run(self, ports: dict[str, int], passwords: dict[str, str]) -> None:
        """Raises StopRequested, or ProcessEnded for a failed start, once all have ended."""
        began = clock.now()
        with Processes(settings.BASE_DIR / "Procfile", self.environment(ports), sys.stdout) as crew:
            self.say("Starting the processes …")
            if "SANDBOX_PORT" in ports:
                crew.start("sandbox")
                self.wait_for(
                    "sandbox", crew, partial(is_listening, HOST, ports["SANDBOX_PORT"]), 30
                )
            crew.start("web", "worker")
            self.wait_for("web", crew, partial(pages_answer, ports["PORT"]), 30)
            if passwords:
                self.say("Waiting for the first sync …")
                self.wait_for("worker", crew, partial(all_mirrored_since, began), 60)
                label_once()
            self.welcome(f"http://{web_host()}:{ports['PORT']}/", passwords)
            connection.close()
            crew.wait()

    def wait_for(
        self, name: str, processes: Processes, is_ready: Callable[[], bool], seconds: int
    ) -> None:
        """Raises CommandError when the process is not ready in time, or answers with an error."""
        try:
            if not processes.wait_until(is_ready, seconds=seconds):
                raise CommandError(
                    f"The {name} process is not ready after {seconds} s. {last_errors()}".strip()
                )
        except PageBroken as error:
            raise CommandError(str(error)) from error

    def environment(self, ports: dict[str, int]) -> dict[str, str]:
        """The environment of the Procfile's commands, which run with this Python."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        numbers = {name: str(port) for name, port in ports.items()}
        return os.environ | numbers | {"PATH": path, "PYTHONUNBUFFERED": "1"}

    def welcome(self, address: str, passwords: dict[str, str]) -> None:
        self.say()
        self.say(f"Batchboard is ready: {address}")
        self.say()
        if passwords:
            self.say(f"  {'Sign in as':<12}{'Password':<21}Who")
        for role, password in passwords.items():
            self.say(f"  {role:<12}{password:<21}{MAY[role]}")
        if not passwords and not User.objects.exists():
            self.say("No one can sign in yet. Create the first account in another terminal:")
            self.say("  .venv/bin/python manage.py createsuperuser")
        self.say()
        self.say(f"Its files are in {settings.VAR_DIR}. Ctrl-C ends everything.")

    def say(self, line: str = "") -> None:
        # A closed terminal must not keep the processes from being ended.
        with contextlib.suppress(OSError):
            self.stdout.write(line)
            self.stdout.flush()
