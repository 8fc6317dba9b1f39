"""What the processes print, each line behind the time and the name of its process."""

import contextlib
import threading
from collections.abc import Collection
from datetime import datetime
from typing import TextIO

COLORS = ("36", "33", "32", "35")


class Output:
    """Lines from several threads, whole and in the order in which they come."""

    def __init__(self, stream: TextIO, names: Collection[str]) -> None:
        self.stream = stream
        self.width = max(map(len, names))
        self.colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}
        self.printing = threading.Lock()

    def line(self, name: str, text: str) -> None:
        prefix = f"{datetime.now().astimezone():%H:%M:%S} {name.ljust(self.width)} | "
        if self.stream.isatty() and name in self.colors:
            prefix = f"\033[{self.colors[name]}m{prefix}\033[0m"
        # Output that nobody reads any more must not hold up the process that writes it.
        with contextlib.suppress(OSError, ValueError), self.printing:
            print(prefix + text, file=self.stream, flush=True)
