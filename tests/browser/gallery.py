"""Takes a picture of every page in every state: `make gallery`, or `make gallery ARGS="-k spend"`.

`make test` doesn't collect it, because it proves nothing by itself: someone looks at the pictures.
Time stands still and the sandbox's seed is fixed, so that two runs give the same pictures.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page

from batches.models import WorkerProcess, Workspace
from tests.browser.gallery_world import NOW, REQUEST_ID, world

__all__ = ["world"]

FOLDER = Path(os.environ.get("GALLERY") or "var/gallery")
SIZES = ((360, 740), (768, 1024), (1440, 900))
SMALL, REFLOW, LAPTOP, PAPER = (320, 640), (320, 256), (1024, 768), (718, 1050)
SCHEMES = ("light", "dark")
FOUR_MINUTES = timedelta(minutes=4)
pytestmark = pytest.mark.timeout(1800)


def nothing(_: object = None) -> None:
    """Leaves everything as it is."""


@dataclass(frozen=True)
class Shot:
    """One page in one state. `before` changes the database, and `on_page` acts on the open page.

    `way` is how the page is shown: on a "screen", in "print", in "forced" colors, or with "text"
    of twice the size.
    """

    name: str
    path: str
    role: str = "lead"
    before: Callable[[], object] = nothing
    on_page: Callable[[Page], object] = nothing
    is_whole: bool = True
    way: str = "screen"
    sizes: tuple[tuple[int, int], ...] = SIZES


def unfold_filters(page: Page) -> None:
    folded = page.locator(".filters-fold, .filters-more")
    folded.evaluate_all("all => all.forEach(each => (each.open = true))")


def press_cancel(page: Page) -> None:
    page.locator("form[data-cancel] button:visible").first.click()


def show_a_day(page: Page) -> None:
    page.locator(".chart-day").last.focus()


def fail_to_sign_in(page: Page) -> None:
    page.locator("#id_username").fill("grace")
    page.locator("#id_password").fill("wrong")
    page.locator("form button").first.click()


def all_well() -> None:
    WorkerProcess.objects.update(seen_at=NOW)
    Workspace.objects.update(
        hold="", error="", request_id="", last_synced_at=NOW, error_at=None, backfilled_at=NOW
    )


def refuse_the_key() -> None:
    all_well()
    Workspace.objects.filter(slug="research").update(
        hold="refused",
        error="Anthropic refused the key (401 authentication_error: invalid x-api-key).",
        error_at=timezone.now(),
        request_id=REQUEST_ID,
    )


def lose_the_api() -> None:
    all_well()
    Workspace.objects.update(
        last_synced_at=NOW - FOUR_MINUTES,
        error="Anthropic’s API could not be reached (timed out).",
        error_at=NOW,
    )


def stop_the_worker() -> None:
    all_well()
    Workspace.objects.update(last_synced_at=NOW - FOUR_MINUTES)
    WorkerProcess.objects.update(seen_at=NOW - FOUR_MINUTES)


def add_workspaces() -> None:
    all_well()
    members = list(Workspace.objects.get(slug="research").members.all())
    for number in range(58):
        made = Workspace.objects.create(
            name=f"Team {number:02d}",
            slug=f"team-{number}",
            last_synced_at=NOW,
            backfilled_at=NOW,
        )
        made.members.add(*members)


def shown(name: str, path: str, role: str = "lead") -> tuple[Shot, ...]:
    """The page in the sizes and ways that break layouts."""
    return (
        Shot(f"{name}-small", path, role, sizes=(SMALL, LAPTOP)),
        Shot(f"{name}-reflow", path, role, is_whole=False, sizes=(REFLOW,)),
        Shot(f"{name}-text", path, role, way="text", sizes=(SIZES[0], SIZES[2])),
        Shot(f"{name}-forced", path, role, way="forced", sizes=(SIZES[2],)),
        Shot(f"{name}-print", path, role, way="print", sizes=(PAPER,)),
    )


def batches(*names: str) -> Iterator[Shot]:
    for name in names:
        yield Shot(f"batch-{name}", f"/batches/msgbatch_{name}/", "operator")


SHOTS = {
    "list": (
        Shot("list", "/", is_whole=False),
        Shot("list-whole", "/"),
        Shot("list-active", "/?status=active", "operator", is_whole=False),
        Shot("list-viewer", "/", "viewer", is_whole=False),
        Shot("list-none", "/?q=nothing-like-it&label=nightly"),
        Shot("list-empty-tab", "/?status=expired&label=nightly"),
        Shot("list-filters", "/?label=nightly", on_page=unfold_filters),
        Shot("list-id", f"/?q=msgbatch_{'0' * 24}"),
        Shot("list-ignored", "/?status=odd&since=x"),
        Shot("list-largest", "/?sort=largest", is_whole=False),
        *shown("list", "/", "operator"),
    ),
    "cancel": (
        Shot("dialog", "/?status=active", "operator", on_page=press_cancel, is_whole=False),
        Shot("dialog-large", "/?sort=largest", "operator", on_page=press_cancel, is_whole=False),
        Shot(
            "dialog-small", "/?sort=largest", "operator",
            on_page=press_cancel, is_whole=False, sizes=(SMALL, REFLOW),
        ),
        Shot("confirm", "/batches/msgbatch_running/cancel/", "operator"),
        Shot("confirm-large", "/batches/msgbatch_large/cancel/", "operator"),
        Shot("shortcuts", "/", on_page=lambda page: page.keyboard.press("?"), is_whole=False),
        Shot("paused", "/", on_page=lambda page: page.keyboard.press("p"), is_whole=False),
        Shot("menu", "/", on_page=lambda page: page.click("#menu-button"), is_whole=False),
    ),
    "batch": (
        *batches("running", "large", "moving", "late", "canceling", "waiting", "refused"),
        *batches("succeeded", "failed", "allfailed", "canceled", "expired", "unread", "unpriced"),
        *batches("kinds"),
        Shot("batch-viewer", "/batches/msgbatch_failed/", "viewer"),
        Shot("requests", "/batches/msgbatch_failed/requests/"),
        Shot("requests-kinds", "/batches/msgbatch_kinds/requests/"),
        Shot("labels", "/batches/msgbatch_large/label/", "operator"),
        Shot("labels-new", "/batches/msgbatch_expired/label/", "operator"),
        *shown("batch-failed", "/batches/msgbatch_failed/", "operator"),
        *shown("batch-large", "/batches/msgbatch_large/", "operator"),
    ),
    "spend": (
        Shot("spend", "/spend/"),
        Shot("spend-by-label", "/spend/?group=label&stack=workspace"),
        Shot("spend-by-model", "/spend/?group=model&month=2026-02"),
        Shot("spend-none", "/spend/?since=2020-01-01&until=2020-01-31"),
        Shot("spend-day", "/spend/", on_page=show_a_day, is_whole=False),
        *shown("spend", "/spend/"),
    ),
    "audit": (
        Shot("audit", "/audit/"),
        Shot("audit-none", "/audit/?q=nothing-like-it"),
        Shot(
            "audit-steps", "/audit/",
            on_page=lambda page: page.locator(".audit-outcome summary").first.click(),
        ),
        *shown("audit", "/audit/"),
    ),
    "people": (
        Shot("account", "/account/"),
        Shot("password", "/accounts/password_change/"),
        Shot("workspaces", "/workspaces/", "admin"),
        Shot("workspace-add", "/workspaces/add/", "admin"),
        Shot("people", "/people/", "admin"),
        Shot("person-add", "/people/add/", "admin"),
        *shown("workspaces", "/workspaces/", "admin"),
        *shown("people", "/people/", "admin"),
        Shot("sign-in", "/accounts/login/", ""),
        Shot("sign-in-failed", "/accounts/login/", "", on_page=fail_to_sign_in),
        Shot("not-found", "/nowhere/"),
        Shot("no-batch", "/batches/msgbatch_nowhere/"),
        Shot("forbidden", "/spend/", "viewer"),
        Shot("no-workspace", "/", "admin-without"),
    ),
    # Each of these changes the database for those after it.
    "notices": (
        Shot("list-refused", "/", before=refuse_the_key, is_whole=False),
        Shot("list-refused-admin", "/", "admin", is_whole=False),
        Shot("workspaces-refused", "/workspaces/", "admin"),
        Shot("batch-refused-key", "/batches/msgbatch_running/", "operator", is_whole=False),
        Shot("list-api-away", "/", before=lose_the_api, is_whole=False),
        Shot("list-no-worker", "/", before=stop_the_worker, is_whole=False),
        Shot("spend-no-worker", "/spend/", is_whole=False),
        Shot("list-many", "/", before=add_workspaces, is_whole=False),
        Shot("list-many-filters", "/", on_page=unfold_filters, is_whole=False, sizes=SIZES[:1]),
        Shot("spend-many", "/spend/"),
        Shot("workspaces-many", "/workspaces/", "admin", sizes=SIZES[:1]),
        Shot("people-many", "/people/", "admin", sizes=SIZES[:1]),
        Shot("list-many-away", "/", before=lose_the_api, is_whole=False),
    ),
}  # fmt: skip


@pytest.fixture
def still() -> Iterator[None]:
    """Time stands still on the server."""
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.mark.parametrize("group", SHOTS)
def test_pictures(group, still, world, page: Page, context: BrowserContext, live_server, sign_in):
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.clock.set_fixed_time(NOW)
    all_well()
    for shot in SHOTS[group]:
        # A poll without a session would lead to the sign-in page.
        page.goto("about:blank")
        shot.before()
        context.clear_cookies()
        if shot.role:
            sign_in(context, world[shot.role])
        page.goto(live_server.url + shot.path)
        if shot.way == "text":
            page.evaluate("document.documentElement.style.fontSize = '200%'")
        shot.on_page(page)
        for size in shot.sizes:
            for scheme in SCHEMES if shot.way == "screen" else SCHEMES[:1]:
                take(page, shot, size, scheme)


def take(page: Page, shot: Shot, size: tuple[int, int], scheme: str) -> None:
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(
        media="print" if shot.way == "print" else "screen",
        color_scheme=scheme,
        forced_colors="active" if shot.way == "forced" else "none",
        reduced_motion="reduce",
    )
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    name = f"{shot.name}-{width}-{scheme}"
    print(f"{name}: scrolls sideways by {over} px" if over > 0 else name)
    page.screenshot(path=FOLDER / f"{name}.png", full_page=shot.is_whole)
