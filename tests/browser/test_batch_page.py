import re

import pytest
from playwright.sync_api import expect

from batches.labels import Labels, label_batch
from batches.models import Batch
from tests.working import read_now


@pytest.fixture
def read(mirrored) -> Batch:
    """A batch whose results have been read, with failures among them."""
    batch = mirrored(status="ended", requests=200, succeeded=150, errored=50)
    assert read_now(batch)
    return batch


def test_the_arithmetic_opens_by_keyboard_and_stays_open_when_the_page_updates(board, read):
    page = board(read.get_absolute_url())
    expect(page.locator("#usage table tbody tr").first).to_contain_text("claude")
    expect(page.locator("#arithmetic table").first).to_be_hidden()

    page.locator("#show-arithmetic").focus()
    page.keyboard.press("Enter")

    expect(page.locator("#arithmetic table").first).to_be_visible()
    expect(page.locator("#arithmetic")).to_contain_text("× 0.5 (batch)")

    before = page.locator("#live").get_attribute("data-version")
    Batch.objects.filter(pk=read.pk).update(results_state="pending")
    assert read_now(read)
    page.evaluate("htmx.trigger('#live', 'poll')")

    expect(page.locator("#live")).not_to_have_attribute("data-version", before)
    expect(page.locator("#arithmetic table").first).to_be_visible()


def test_a_pending_cost_appears_by_itself_when_the_results_are_read(board, mirrored, finish):
    batch = mirrored(requests=12)
    finish(batch)
    batch.refresh_from_db()
    page = board(batch.get_absolute_url())
    page.evaluate("window.untouched = true")
    card = page.locator(f"#batch-{batch.api_id}")
    expect(page.locator("#usage")).to_contain_text("Cost pending")
    expect(card).to_have_attribute("data-cost", "pending")
    expect(page.locator("#show-arithmetic")).to_be_hidden()

    assert read_now(batch)

    expect(page.locator("#cost-total")).to_contain_text("$")
    expect(card).not_to_have_attribute("data-cost", "pending")
    expect(page.locator("#show-arithmetic")).to_be_visible()
    assert page.evaluate("window.untouched") is True


def test_links_and_buttons_are_big_targets_on_a_phone(page, board, read):
    page.set_viewport_size({"width": 360, "height": 800})
    board(read.get_absolute_url())

    targets = page.locator("#outcomes a, #show-arithmetic")

    heights = [target.bounding_box()["height"] for target in targets.all()]
    assert len(heights) > 8
    assert min(heights) >= 44


def test_what_is_selected_or_unfolded_survives_polls_that_bring_news(board, mirrored, finish):
    batch = mirrored(requests=12)
    page = board(batch.get_absolute_url())
    page.locator("#details > summary").click()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#raw'))")
    selected = page.evaluate("getSelection().toString()")
    assert '"in_progress"' in selected

    finish(batch)
    page.evaluate("htmx.trigger('#live', 'poll')")
    page.evaluate("document.dispatchEvent(new Event('batchboard:idle'))")
    assert page.evaluate("getSelection().toString()") == selected

    page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator(f"#batch-{batch.api_id}")).to_have_attribute("data-status", "ended")
    expect(page.locator("#raw")).to_contain_text('"ended"')
    expect(page.locator("#raw")).to_be_visible()
    expect(page).to_have_title(re.compile("^✓ 12/12 "))


def test_a_region_that_has_not_changed_is_left_alone(board, read):
    page = board(read.get_absolute_url())
    page.evaluate("document.querySelector('#unsuccessful').kept = true")
    before = page.locator("#live").get_attribute("data-version")
    label_batch(read, Labels("new name"), actor=None, address="")

    page.evaluate("htmx.trigger('#live', 'poll')")

    expect(page.locator("h1")).to_have_text("new name")
    expect(page.locator("#live")).not_to_have_attribute("data-version", before)
    assert page.evaluate("document.querySelector('#unsuccessful').kept") is True


def test_the_snippet_is_copied_with_a_word(page, context, board, read):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    board(read.get_absolute_url())

    page.locator("#copy-snippet").click()

    expect(page.locator("#copy-snippet")).to_contain_text("Copied")
    expect(page.locator("#copy-snippet .is-copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("import json\n")


def test_a_cancel_on_the_page_shows_its_head_at_once(board, mirrored):
    batch = mirrored(requests=9)
    page = board(batch.get_absolute_url())

    page.locator(f"#cancel-{batch.api_id}").click()
    page.locator("#cancel-confirm").click()

    expect(page.locator(".batch-head")).to_have_attribute("data-status", "canceling")
    expect(page.locator("#receipt-title")).to_be_visible()


def test_nothing_is_cut_or_broken_on_a_phone(page, board, read):
    page.set_viewport_size({"width": 360, "height": 740})
    board(read.get_absolute_url())
    page.locator("#details > summary").click()

    lines = page.evaluate(
        """() => [...document.querySelectorAll(".head-id, .head-figures dd, #usage td, #usage dd")]
            .map((each) => {
                const range = document.createRange();
                range.selectNodeContents(each);
                const rects = [...range.getClientRects()].filter((rect) => rect.width > 1);
                return {
                    text: each.textContent.trim(),
                    lines: each.closest("#usage") ? 1 : new Set(rects.map((r) => r.top)).size,
                    right: Math.max(0, ...rects.map((rect) => rect.right)),
                };
            })"""
    )

    assert [each for each in lines if each["lines"] != 1 or each["right"] > 360] == []
    assert any("msgbatch_" in each["text"] for each in lines)
    small = [
        target.get_attribute("id") or target.inner_text()
        for target in page.locator(".kit-files a, .link-field > *, summary:not(.clamp *)").all()
        if target.is_visible() and target.bounding_box()["height"] < 44
    ]
    assert small == []
