"""`python -m dashboard.launch.demo`: `manage.py run --demo` with an environment of its own.

Not a management command, because the environment must be set before Django reads its settings.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from batches.sandbox.app import ADMIN_KEY, KEYS
from dashboard.command_line import execute
from dashboard.launch.ports import HOST, PortRefused, chosen_port

ROOT = Path(__file__).resolve().parent.parent.parent
# These configure a real copy and must not reach the demo.
FOREIGN = (
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_URL",
    "DEBUG",
    "DJANGO_SETTINGS_MODULE",
    "SECRET_KEY",
)
FOREIGN_PREFIXES = ("ANTHROPIC_", "BATCHBOARD_")


def main() -> None:
    try:
        environ = demo_environment(os.environ)
    except PortRefused as error:
        sys.exit(str(error))
    os.environ.clear()
    os.environ.update(environ)
    execute(["manage.py", "run", "--demo"])


def demo_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment with the demo's own folder, API key and API address.

    Raises PortRefused for an invalid SANDBOX_PORT.
    """
    kept = {name: value for name, value in environ.items() if not is_foreign(name)}
    var = ROOT / (environ.get("BATCHBOARD_VAR") or "var") / "demo"
    return kept | {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "ANTHROPIC_ADMIN_KEY": ADMIN_KEY,
        "ANTHROPIC_API_KEY": next(iter(KEYS)),
        "ANTHROPIC_BASE_URL": f"http://{HOST}:{chosen_port(environ, 'SANDBOX_PORT')}",
        # Only problems are logged, so that the sign-ins stay visible at the end of the output.
        "BATCHBOARD_LOG_LEVEL": environ.get("BATCHBOARD_LOG_LEVEL") or "WARNING",
        "BATCHBOARD_POLL_SECONDS": "3",
        "BATCHBOARD_VAR": str(var),
        # macOS also has proxies outside the environment.
        "NO_PROXY": "*",
        "no_proxy": "*",
    }


def is_foreign(name: str) -> bool:
    """Whether the variable, or the file it names, configures a real copy or a proxy."""
    if name.lower().endswith("_proxy"):
        return True
    return name.startswith(FOREIGN_PREFIXES) or name.removesuffix("_FILE") in FOREIGN


if __name__ == "__main__":
    main()
