"""Takes the pictures in docs/screenshots/ from a demo of its own: `make screenshots`.

`.venv/bin/python -m docs.screenshots FOLDER` puts them into another folder.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from tests.chromium import executable

ROOT = Path(__file__).resolve().parent.parent
PICTURES = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "screenshots")
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class Demo(NamedTuple):
    address: str
    # By role, which is also the username.
    passwords: dict[str, str]


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running_demo() as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        with signed_in(browser, demo, "light") as page:
            canceled = cancel_one(page, demo)
            take(page, demo.address, "list-light")
            take(page, f"{demo.address}batches/{canceled}/", "detail-light", full_page=True)
        with signed_in(browser, demo, "dark") as page:
            take(page, demo.address, "list-dark")
        with signed_in(browser, demo, "dark", viewport=PHONE) as page:
            take(page, demo.address, "phone-dark")
        with signed_in(browser, demo, "light", role="lead") as page:
            wait_for_results(page, demo)
            take(page, f"{demo.address}spend/", "spend-light", full_page=True)
            take(page, f"{demo.address}batches/{costly(page, demo)}/", "cost-light", full_page=True)
        browser.close()


@contextmanager
def running_demo() -> Iterator[Demo]:
    with tempfile.TemporaryDirectory() as folder:
        ports = {"PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard.launch.demo"],
            cwd=ROOT,
            env={**os.environ, **ports, "BATCHBOARD_VAR": folder},
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                output = ""
                while "Ctrl-C" not in output:
                    line = process.stdout.readline() if process.stdout else ""
                    if not line:
                        sys.exit(f"The demo did not start:\n{output}")
                    output += line
                passwords = {
                    role: found(rf"{role} +(\S+)", output) for role in ("operator", "lead")
                }
                yield Demo(found(r"ready: (\S+)", output), passwords)
            finally:
                process.terminate()


@contextmanager
def signed_in(
    browser: Browser,
    demo: Demo,
    scheme: str,
    *,
    viewport: dict[str, int] | None = None,
    role: str = "operator",
) -> Iterator[Page]:
    # Pages of the documentation show a desktop picture smaller than it is.
    context = browser.new_context(
        color_scheme=scheme, viewport=viewport or DESKTOP, device_scale_factor=2 if viewport else 1
    )
    page = context.new_page()
    page.goto(f"{demo.address}accounts/login/")
    page.locator("[name=username]").fill(role)
    page.locator("[name=password]").fill(demo.passwords[role])
    page.locator("[name=password]").press("Enter")
    page.wait_for_selector("[data-batch]")
    yield page
    context.close()


def cancel_one(page: Page, demo: Demo) -> str:
    """Cancel a batch that is in progress, wait until it has ended, and return its ID."""
    card = page.locator('[data-status="in_progress"]:has(form[data-cancel])').last
    batch_id = card.get_attribute("data-batch") or ""
    page.goto(f"{demo.address}batches/{batch_id}/cancel/")
    page.locator(".question [name=reason]").fill("Wrong prompt version, will be sent again")
    page.locator(".question button").click()
    page.goto(f"{demo.address}?q={batch_id}")
    page.locator(f'[data-batch="{batch_id}"][data-status="ended"]').wait_for(timeout=60_000)
    return batch_id


def wait_for_results(page: Page, demo: Demo) -> None:
    """Wait until the results of every ended batch that still has them have been read."""
    page.goto(f"{demo.address}?results=pending")
    while page.locator('[data-batch][data-cost="pending"]').count():
        page.wait_for_timeout(2_000)
        page.reload()


def costly(page: Page, demo: Demo) -> str:
    """The ID of a batch with usage and failed requests."""
    page.goto(f"{demo.address}?status=failed&results=read")
    return page.locator("[data-batch]").first.get_attribute("data-batch") or ""


def take(page: Page, address: str, name: str, *, full_page: bool = False) -> None:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"{name}.png", full_page=full_page)
    print(PICTURES / f"{name}.png")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""


if __name__ == "__main__":
    main()
