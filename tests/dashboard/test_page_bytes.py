"""How many bytes a page is, before it is compressed."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from batches.models import Workspace
from tests.spend_world import PRICES, spent, used

CARDS = 50
MOST_BYTES = 60_000


def fill(row, workspace, status: str, count: int, **columns) -> None:
    """Batches as the demo has them: every other one labeled, with an owner."""
    for number in range(count):
        label = {"label": "nightly eval, part 7", "owner": "ada@example.com"} if number % 2 else {}
        api_id = f"msgbatch_01HkcTjaV5uDC8jWR4Zs{len(status)}{number:03d}"
        row(api_id, workspace=workspace, processing_status=status, **label | columns)


@pytest.mark.parametrize("tab", ["active", "all"])
def test_a_list_of_fifty_cards_is_a_small_page(
    sign_in, row, workspace, other_workspace, settings, tab
):
    settings.BATCHBOARD_PRICE_TABLE = PRICES
    long_ago = timezone.now() - timedelta(days=2)
    for number in range(5):
        spent(workspace, long_ago, used(input=2 * number + 2), api_id=f"msgbatch_old{number}")
    Workspace.objects.update(usual_durations={"5": [10, 1980, 17160]})
    fill(row, workspace, "in_progress", CARDS if tab == "active" else 20, processing=100_000)
    if tab == "all":
        fill(row, workspace, "ended", 20, succeeded=99_000, errored=1_000)
        asked = timezone.now() - timedelta(minutes=1)
        fill(row, workspace, "canceling", 10, processing=100_000, cancel_initiated_at=asked)
    browser = sign_in("lead", workspace, other_workspace)

    page = browser.get(f"/?status={tab}").content

    assert page.count(b"<article ") == CARDS
    assert page.count(b"est. $") == page.count(b'data-status="in_progress"')
    __import__("pathlib").Path(f"/tmp/w1-{tab}.html").write_bytes(page)
    assert len(page) <= MOST_BYTES
