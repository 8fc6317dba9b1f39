"""Finds the browser that the tests use. `python -m tests.chromium` prints it, or fails."""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = (
    "No Chromium was found, so the browser tests are skipped. Get one with "
    "'apt install chromium' or '.venv/bin/python -m playwright install chromium', "
    "or give the path of one in CHROMIUM."
)


def executable() -> str | None:
    """The path in CHROMIUM, else a system Chromium, else Playwright's own, else None."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    for name in SYSTEM_NAMES:
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


if __name__ == "__main__":
    path = executable()
    print(f"Browser: {path}" if path else ADVICE)
    sys.exit(0 if path else 1)
