"""What a browser receives for a first view from the real web server."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser

from tests.processes.crew import Crew, wait_until

pytestmark = pytest.mark.processes
CARDS = 50
MOST_BYTES = 60_000


@pytest.fixture
def crew(tmp_path) -> Iterator[Crew]:
    crew = Crew(tmp_path)
    # They are of two workspaces, of which the crew has one.
    crew.commands["sandbox"] += ["--batches", str(4 * CARDS)]
    crew.start_all()
    yield crew
    crew.stop_all()


def test_the_first_view_of_the_list_is_small(browser: Browser, crew):
    wait_until(
        lambda: crew.one("SELECT COUNT(*) FROM batches_batch") >= CARDS, seconds=60, what="batches"
    )
    with closing(crew.sign_in()) as client:
        session = client.cookies["batchboard"]
    context = browser.new_context()
    context.add_cookies([{"name": "batchboard", "value": session, "url": crew.web_url}])
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    received: dict[str, float] = {}
    network.on(
        "Network.loadingFinished",
        lambda each: received.update({each["requestId"]: each["encodedDataLength"]}),
    )

    page.goto(crew.web_url, wait_until="networkidle")

    assert page.locator(".card").count() == CARDS
    assert len(received) > 10
    assert sum(received.values()) <= MOST_BYTES
    context.close()
