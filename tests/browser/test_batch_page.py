import pytest
from playwright.sync_api import expect

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
