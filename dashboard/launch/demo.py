"""`python -m dashboard.launch.demo`: `manage.py run --demo` in an environment of the demo's own.

Not a management command: the environment must stand before Django reads its settings.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from django.core.management import execute_from_command_line

from batches.sandbox.app import ADMIN_KEY, KEYS
from dashboard.launch.ports import PortRefused, sandbox_url, wanted_sandbox_port

ROOT = Path(__file__).resolve().parent.parent.parent
# What a shell may hold for a real copy, and must not reach the demo.
FOREIGN = (
    "ALLOWED_HOSTS",
    "ANTHROPIC_ADMIN_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_URL",
    "DEBUG",
    "DJANGO_SETTINGS_MODULE",
    "SECRET_KEY",
)


def main() -> None:
    try:
        environ = demo_environment(os.environ)
    except PortRefused as error:
        sys.exit(str(error))
    os.environ.clear()
    os.environ.update(environ)
    execute_from_command_line(["manage.py", "run", "--demo"])


def demo_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment with a folder, a key and an address of the demo's own.

    Raises PortRefused for a SANDBOX_PORT that is no port.
    """
    kept = {name: value for name, value in environ.items() if not is_foreign(name)}
    var = ROOT / (environ.get("BATCHBOARD_VAR") or "var") / "demo"
    return kept | {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "ANTHROPIC_ADMIN_KEY": ADMIN_KEY,
        "ANTHROPIC_API_KEY": next(iter(KEYS)),
        "ANTHROPIC_BASE_URL": sandbox_url(wanted_sandbox_port(environ)),
        # Only what goes wrong: the sign-ins stay the last thing on the screen.
        "BATCHBOARD_LOG_LEVEL": environ.get("BATCHBOARD_LOG_LEVEL") or "WARNING",
        "BATCHBOARD_POLL_SECONDS": "3",
        "BATCHBOARD_VAR": str(var),
    }


def is_foreign(name: str) -> bool:
    """Whether the variable, or the file it names, configures a real copy."""
    name = name.removesuffix("_FILE")
    return name in FOREIGN or name.startswith("BATCHBOARD_")


if __name__ == "__main__":
    main()
