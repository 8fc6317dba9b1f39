#!/usr/bin/env python
"""Django's command line for Batchboard."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    try:
        from dashboard.command_line import execute
    except ImportError:
        sys.exit("Django is not installed. Run `make setup`, then use .venv/bin/python.")
    execute(sys.argv)


if __name__ == "__main__":
    main()
