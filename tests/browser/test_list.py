"""The list under a mouse and a finger: nothing moves, and the page says when it is not live."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Page, expect

from batches.client import KeyRefused
from batches.models import Batch, Workspace
from tests.browser.test_live import PAST_A_POLL, card

TOO_SOON = 400


@pytest.fixture(autouse=True)
def _clock(page: Page) -> None:
    """The page's clock still runs, but tests can move it instead of waiting for a poll."""
    page.clock.install()


def tops(page: Page) -> dict[str, float]:
    return page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#cards .card')]"
        ".map(card => [card.dataset.batch, card.getBoundingClientRect().top]))"
    )


def rest_on_cancel(page: Page, batch: Batch) -> tuple[float, float]:
    """Move the mouse onto a batch's Cancel button; returns where it is."""
    box = card(page, batch).locator("form[data-cancel] button").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    return x, y


def poll(page: Page) -> None:
    with page.expect_response("**/live/**"):
        page.clock.run_for(PAST_A_POLL)
    page.clock.run_for(100)


@pytest.fixture
def refuse_the_key(workspace):
    def refuse() -> None:
        Workspace.objects.filter(pk=workspace.pk).update(
            hold="refused", error=str(KeyRefused("No.", status=401)), error_at=timezone.now()
        )

    return refuse


@pytest.mark.parametrize("path", ["/", "/?status=active"])
def test_nothing_moves_under_the_mouse_when_batches_and_notices_come(
    board, mirrored, refuse_the_key, path
):
    first, second = mirrored(), mirrored()
    page = board(path)
    x, y = rest_on_cancel(page, first)
    before = tops(page)

    mirrored()
    mirrored()
    refuse_the_key()
    poll(page)

    expect(page.locator("#reload")).to_have_text("2 new batches: show")
    expect(page.locator("#health .notice")).to_be_in_viewport()
    assert tops(page) == before
    page.mouse.click(x, y)
    expect(page.locator("#cancel-dialog")).to_be_visible()
    expect(page.locator("#cancel-dialog")).to_contain_text(first.api_id)
    page.keyboard.press("Escape")
    page.locator("#reload").click()
    expect(page.locator("#cards .card")).to_have_count(4)
    assert second.api_id in before


def test_a_card_that_grows_waits_until_the_mouse_leaves_the_list(board, mirrored, operator):
    below, growing = mirrored(), mirrored()
    page = board()
    rest_on_cancel(page, below)
    before = tops(page)

    refused = growing.cancellations.create(
        state="refused", requested_by_name="ada", requested_at=timezone.now(), error="No.",
        **{f"{name}_at_request": 0 for name in (
            "processing", "succeeded", "errored", "canceled", "expired")},
    )  # fmt: skip
    Batch.objects.filter(pk=growing.pk).update(latest_cancellation=refused)
    with transaction.atomic():
        growing.touch()
    poll(page)

    expect(card(page, growing)).to_contain_text("The API refused to cancel this batch")
    assert tops(page) == before
    page.mouse.move(5, 5)
    expect(card(page, growing).locator("[role=alert]")).to_be_visible()
    page.wait_for_function(f"{before[below.api_id]} + 10 < document.getElementById("
                           f"'batch-{below.api_id}').getBoundingClientRect().top")  # fmt: skip


def test_a_press_right_after_the_card_moved_does_nothing(board, mirrored):
    batch = mirrored()
    page = board()
    dialog = page.locator("#cancel-dialog")
    _, y = rest_on_cancel(page, batch)
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)

    page.evaluate(
        "document.getElementById('cards').insertAdjacentHTML('beforebegin', '<p>Pushed</p>')"
    )
    moved = rest_on_cancel(page, batch)
    page.mouse.click(*moved)
    expect(dialog).to_be_hidden()
    page.keyboard.press("Tab")
    card(page, batch).locator("form[data-cancel] button").press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    page.clock.run_for(TOO_SOON)
    page.mouse.click(*moved)

    expect(dialog).to_be_visible()
    assert moved[1] > y


def test_selected_text_survives_a_poll_and_is_updated_when_let_go(board, mirrored, finish):
    batch, other = mirrored(), mirrored()
    page = board()
    page.locator(f"#batch-{batch.api_id} header p bdi").first.evaluate(
        "name => getSelection().selectAllChildren(name)"
    )

    finish(batch)
    finish(other)
    poll(page)

    expect(card(page, other)).to_have_attribute("data-status", "ended")
    expect(card(page, batch)).to_have_attribute("data-status", "in_progress")
    assert page.evaluate("getSelection().toString()") == "Research"
    page.evaluate("getSelection().removeAllRanges()")
    expect(card(page, batch)).to_have_attribute("data-status", "ended")


def test_a_paused_page_says_so_and_does_not_stay_fresh(board, mirrored, context):
    mirrored()
    page = board()
    pause = page.locator("#pause")
    expect(pause).to_have_accessible_name("Pause live updates")

    pause.click()
    page.clock.run_for(180_000)

    expect(page.locator("#live-state")).to_contain_text("Updates paused 3 min ago")
    expect(pause).to_have_accessible_name("Resume live updates")
    expect(page.locator("[data-as-of]")).to_have_attribute("data-health", "stale")
    other_tab = context.new_page()
    other_tab.goto(page.url)
    expect(other_tab.locator("#pause")).to_have_accessible_name("Pause live updates")
    other_tab.close()
    page.locator("#live-state button").click()
    expect(page.locator("#live-state")).to_be_hidden()


def test_a_field_that_holds_the_updates_back_is_named(board, mirrored, finish):
    batch = mirrored()
    page = board()
    page.locator("#search").focus()

    finish(batch)
    page.clock.run_for(PAST_A_POLL)

    expect(page.locator("#live-state")).to_have_text("Updates wait while you choose filters.")
    expect(card(page, batch)).to_have_attribute("data-status", "in_progress")
    page.locator("#search").blur()
    expect(card(page, batch)).to_have_attribute("data-status", "ended")
    expect(page.locator("#live-state")).to_be_hidden()


def test_the_title_and_the_icon_tell_what_ended_until_someone_looks(board, mirrored, finish):
    batch = mirrored()
    Batch.objects.filter(pk=batch.pk).update(label="nightly eval")
    mirrored()
    page = board("/?status=active")
    expect(page).to_have_title("(2) Batches · Batchboard")
    page.evaluate("document.hasFocus = () => false")

    finish(batch)
    poll(page)

    expect(page).to_have_title("✓ nightly eval ended · (1) Batches · Batchboard")
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/static/img/mark-news.svg")
    expect(card(page, batch)).to_contain_text("ended just now")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page).to_have_title("(1) Batches · Batchboard")
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/static/img/mark.svg")


@pytest.fixture
def many(mirrored, sandbox, sync, workspace):
    """Twenty active batches; some with long, right-to-left or huge content."""
    for _ in range(19):
        sandbox.add_batch(requests=1200)
    mirrored(requests=1200)
    keys = list(Batch.objects.values_list("pk", flat=True))
    Batch.objects.filter(pk=keys[0]).update(label="x" * 200, owner="y" * 200)
    Batch.objects.filter(pk=keys[1]).update(label="עברית 🙂 " * 20, processing=1_009_945_953)
    Workspace.objects.update(usual_durations={"3": [10, 1980, 17160]})


FULLY_SEEN = (
    "found => [...document.querySelectorAll(found)].filter(each => {"
    "const box = each.getBoundingClientRect();"
    "return box.height && box.top >= 0 && box.bottom <= innerHeight }).length"
)


def test_the_first_screen_has_twelve_rows_and_on_a_phone_three_buttons(
    page, board, many, context, sign_in, person, workspace, refuse_the_key
):
    sign_in(context, person("lead", workspace))
    refuse_the_key()
    page.set_viewport_size({"width": 1440, "height": 900})
    board()
    assert page.evaluate(FULLY_SEEN, "#cards .card") >= 12
    # Rows with nothing more to say.
    heights = page.locator("#cards .card").evaluate_all("all => all.map(c => c.offsetHeight)")
    assert heights.count(min(heights)) >= 18
    assert min(heights) <= 44

    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate(FULLY_SEEN, "form[data-cancel] button") >= 3
    page.set_viewport_size({"width": 320, "height": 256})
    for name in ("[data-field=requests] b", ".times time:first-child"):
        lines = page.locator(f".card > {name}").evaluate_all(
            "all => all.map(figure => figure.getClientRects().length)"
        )
        assert set(lines) == {1}
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    tallest = page.locator("#cards .card").evaluate_all("all => all.map(c => c.offsetHeight)")
    assert max(tallest) < 200


def test_sixty_workspaces_take_one_line(page, board, mirrored, operator):
    batch = mirrored()
    now = timezone.now()
    for number in range(60):
        team = Workspace.objects.create(
            name=f"Team {number:02}", slug=f"team-{number}", last_synced_at=now, backfilled_at=now,
            interval_seconds=600,
        )  # fmt: skip
        team.members.add(operator)
    late = now - timedelta(hours=2)
    Workspace.objects.filter(slug="team-7").update(last_synced_at=late)
    page.set_viewport_size({"width": 360, "height": 740})

    board()

    expect(page.locator("#freshness summary")).to_contain_text("60 workspaces, synced")
    expect(page.locator("[data-as-of]")).to_have_count(61)
    expect(page.locator(".tile-fresh > dd > ul [data-as-of]")).to_have_count(1)
    expect(page.locator(".tile-fresh > dd > ul")).to_contain_text("Team 07")
    assert page.evaluate(FULLY_SEEN, f"#batch-{batch.api_id}") == 1


def test_no_bar_moves(page, board, many):
    page.emulate_media(reduced_motion="no-preference")
    board()
    expect(page.locator("[role=progressbar], [data-usual] svg").first).to_be_visible()

    assert page.evaluate("document.getAnimations().length") == 0


def test_the_scale_marks_now_between_zero_and_beyond_the_usual(page, board, mirrored, workspace):
    batch = mirrored(requests=1200)
    created = timezone.now() - timedelta(minutes=33)
    Batch.objects.filter(pk=batch.pk).update(created_at=created)
    Workspace.objects.update(usual_durations={"3": [10, 1980, 3960]})

    board()

    scale = card(page, batch).locator("[data-usual] svg")
    at = {part: float(scale.locator(f".{part}").get_attribute("x").rstrip("%"))
          for part in ("band", "now")}  # fmt: skip
    # The scale ends at 1.25 times the p90, so the p50 of 1,980 s is at 40%.
    assert at["band"] == pytest.approx(40, abs=0.1)
    assert at["now"] == pytest.approx(40, abs=0.5)


def test_a_bar_shows_the_share_of_each_outcome(board, mirrored):
    failed = mirrored(status="ended", requests=40, succeeded=30, errored=10)
    running = mirrored(requests=20)
    page = board()

    def bar(batch: Batch) -> list[tuple[str, float, float]]:
        rects = card(page, batch).locator(".bar rect").all()
        shares = [[rect.get_attribute(name) for name in ("x", "width")] for rect in rects]
        return [
            (rect.get_attribute("fill"), *(float(share.removesuffix("%")) for share in pair))
            for rect, pair in zip(rects, shares, strict=True)
        ]

    assert bar(failed) == [
        ("url(#pattern-succeeded)", 0, 75),
        ("url(#pattern-errored)", 75, 25),
    ]
    assert bar(running) == []
