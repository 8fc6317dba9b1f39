"""`manage.py sandbox`: serves the imitation of the Message Batches API until Ctrl-C."""

import signal
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from batches.sandbox import SandboxApi, SandboxServer
from batches.sandbox.quirks import QUIRKS

# In real time at any speed, so that a person who cancels sees the batch canceling, then ended, and
# a person who watches sees new batches appear.
CANCELING_SECONDS = (8, 20)
DRIP = timedelta(minutes=3)


class Command(BaseCommand):
    help = "Serve a working imitation of the Message Batches API until Ctrl-C or SIGTERM."
    # It uses none of the project's settings, so a mistake in them must not keep it from starting.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on.")
        parser.add_argument("--port", type=int, default=8010, help="Port; 0 takes a free one.")
        parser.add_argument("--seed", type=int, default=1, help="Determines every ID and result.")
        parser.add_argument(
            "--batches", type=int, default=0, metavar="N", help="Start with this many batches."
        )
        parser.add_argument(
            "--speed", type=float, default=1.0, metavar="X", help="60 = a minute a second."
        )
        parser.add_argument(
            "--lenient", action="store_true", help="Accept the calls of the official SDK's tests."
        )
        parser.add_argument(
            "--faults",
            default="",
            metavar="SPEC",
            help="How often calls fail: 0.1, or 429=0.05,cut=0.01 and so on.",
        )
        parser.add_argument(
            "--odd-lines",
            action="store_true",
            help="Add kinds of results to the files that the API does not have yet.",
        )
        parser.add_argument(
            "--quirks",
            nargs="*",
            default=(),
            metavar="NAME",
            help=f"Unusual lines in every results file: {', '.join(QUIRKS)}.",
        )
        parser.add_argument("--state", metavar="PATH", help="Keep the batches in this file.")
        parser.add_argument(
            "--moving-counts",
            nargs="*",
            metavar="KEY",
            help="Update counts while batches run: for all keys, or for these.",
        )

    def handle(self, **options: Any) -> None:
        stop = threading.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda *_: stop.set())

        server = self.bound_server(options["host"], options["port"])
        try:
            api = self.opened_api(server, options)
            server.start(api)
            keys = f"keys {' and '.join(api.keys)}, Admin key {api.admin_key}"
            self.stdout.write(f"Sandbox API at {server.base_url}, {keys}.")
            self.stdout.flush()
            stop.wait()
        finally:
            server.stop()
        api.close()

    def bound_server(self, host: str, port: int) -> SandboxServer:
        try:
            return SandboxServer(host, port)
        except (OSError, OverflowError) as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error}") from error

    def opened_api(self, server: SandboxServer, options: dict[str, Any]) -> SandboxApi:
        speed, moving = options["speed"], options["moving_counts"]
        path = options["state"]
        try:
            if path:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).touch(mode=0o600)
            return SandboxApi(
                options["seed"],
                speed=speed,
                batches=options["batches"],
                drip=DRIP * speed if options["batches"] else None,
                lenient=options["lenient"],
                faults=options["faults"],
                odd_lines=options["odd_lines"],
                quirks=options["quirks"],
                state_path=path,
                base_url=server.base_url,
                moving_counts=moving or moving is not None,
                canceling_seconds=(CANCELING_SECONDS[0] * speed, CANCELING_SECONDS[1] * speed),
                pause=server.pause,
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        except (OSError, sqlite3.Error) as error:
            raise CommandError(f"Cannot keep the state in {path}: {error}") from error
