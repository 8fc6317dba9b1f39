"""Django's command line, with a sentence instead of a traceback for invalid settings."""

import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def execute(argv: list[str]) -> None:
    """Runs the command. Exits with code 2 when the settings are invalid."""
    try:
        execute_from_command_line(argv)
    except ImproperlyConfigured as error:
        if "--traceback" in argv:
            raise
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
