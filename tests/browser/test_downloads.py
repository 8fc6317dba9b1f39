import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from batches.models import Batch
from tests.working import read_now


@pytest.fixture
def read(mirrored) -> Batch:
    """A canceled batch whose results have been read: 12 succeeded, 5 errored, 3 canceled."""
    batch = mirrored(status="ended", succeeded=12, errored=5, canceled=3)
    assert read_now(batch)
    return Batch.objects.get(pk=batch.pk)


def downloaded(page: Page, link: str) -> tuple[str, bytes]:
    with page.expect_download() as coming:
        page.get_by_role("link", name=link, exact=True).click()
    return coming.value.suggested_filename, Path(coming.value.path()).read_bytes()


def test_the_results_are_a_file_with_a_name(board, read):
    page = board(read.get_absolute_url())

    name, content = downloaded(page, "JSONL of all requests")

    assert name == f"{read.api_id}-results.jsonl"
    assert len(content.splitlines()) == 20


def test_requests_to_send_again_are_one_press_away(board, read):
    page = board(read.get_absolute_url())

    name, content = downloaded(page, "IDs of canceled requests")

    canceled = read.failed_requests.filter(outcome="canceled").order_by("pk")
    assert name == f"{read.api_id}-canceled-ids.txt"
    assert content.decode().split() == [request.custom_id for request in canceled]


def test_the_requests_of_a_kind_of_failure_are_one_press_away(board, read):
    page = board(read.get_absolute_url())
    kind = page.locator(".failures li:has(a[href*='outcome=errored'])").first
    count = int(kind.locator(".count").inner_text())

    kind.get_by_role("link").click()

    expect(page).to_have_url(re.compile(r"/requests/\?outcome=errored"))
    assert page.locator(".requests tbody tr").count() >= count


def test_unreadable_results_are_read_again_at_a_press(board, read):
    Batch.objects.filter(pk=read.pk).update(results_state="unreadable")
    page = board(read.get_absolute_url())
    expect(page.locator("#unreadable")).to_contain_text("Results unreadable")

    page.get_by_role("button", name="Read again").click()

    expect(page.locator(".messages")).to_contain_text("read again within about a minute")
    expect(page.locator("#usage")).to_contain_text("Cost pending")
