"""What a browser receives from the real web server for a first view, over a network that counts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import sync_playwright

from tests import chromium
from tests.processes.crew import Crew, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.browser, pytest.mark.timeout(240)]
CARDS = 50
MOST_BYTES = 60_000


@pytest.fixture
def crew(tmp_path) -> Iterator[Crew]:
    crew = Crew(tmp_path)
    crew.commands["sandbox"] += ["--batches", str(CARDS + 10)]
    crew.start_all()
    yield crew
    crew.stop_all()


def test_the_first_view_of_the_list_is_small(crew):
    wait_until(
        lambda: crew.one("SELECT COUNT(*) FROM batches_batch") >= CARDS, seconds=60, what="batches"
    )
    session = crew.sign_in().cookies["batchboard"]
    received: dict[str, float] = {}

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.executable(), args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context()
        context.add_cookies([{"name": "batchboard", "value": session, "url": crew.web_url}])
        page = context.new_page()
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on(
            "Network.loadingFinished",
            lambda each: received.update({each["requestId"]: each["encodedDataLength"]}),
        )
        page.goto(crew.web_url, wait_until="networkidle")
        cards = page.locator(".card").count()
        browser.close()

    assert cards == CARDS
    assert len(received) > 10
    assert sum(received.values()) <= MOST_BYTES
