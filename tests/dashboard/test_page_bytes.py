"""How many bytes the list is, before it is compressed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import PurePosixPath

import pytest
from django.utils import timezone

from batches.models import Workspace
from dashboard.bundles import BundlingStorage
from dashboard.templatetags.batchboard import icon
from tests.spend_world import PRICES, spent, used

CARDS = 50
MOST_BYTES = 60_000


class CollectedNames(BundlingStorage):
    """The addresses that collected files have: with a hash in their names."""

    def url(self, name: str, **options: bool) -> str:
        path = PurePosixPath(name)
        return f"/static/{path.with_suffix(f'.0123456789ab{path.suffix}')}"


@pytest.fixture
def _collected(settings) -> Iterator[None]:
    backend = {"BACKEND": f"{__name__}.{CollectedNames.__name__}"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": backend}
    icon.cache_clear()
    yield
    icon.cache_clear()


def fill(row, status: str, count: int, **columns) -> None:
    """Batches as the demo has them: with real IDs, and four in five with a label and an owner."""
    for number in range(count):
        label = {"label": "nightly eval, part 7", "owner": "ada@example.com"} if number % 5 else {}
        api_id = f"msgbatch_01HkcTjaV5uDC8j{len(status):04d}{number:05d}"
        row(api_id, processing_status=status, **label | columns)


@pytest.mark.usefixtures("_collected")
@pytest.mark.parametrize("tab", ["active", "all"])
def test_a_list_of_fifty_cards_is_a_small_page(
    sign_in, row, workspace, other_workspace, settings, tab
):
    settings.BATCHBOARD_PRICE_TABLE = PRICES
    now = timezone.now()
    for number in range(5):
        spent(
            workspace, now - timedelta(days=2), used(input=number + 1), api_id=f"msgbatch_{number}"
        )
    Workspace.objects.update(usual_durations={"5": [10, 1980, 17160]}, last_synced_at=now)
    fill(row, "in_progress", CARDS if tab == "active" else 20, processing=100_000)
    if tab == "all":
        fill(row, "ended", 20, succeeded=99_000, errored=1_000)
        asked = now - timedelta(minutes=1)
        fill(row, "canceling", 10, processing=100_000, cancel_initiated_at=asked)

    page = sign_in("lead", workspace, other_workspace).get(f"/?status={tab}").text

    assert page.count("<article ") == CARDS
    assert page.count("est. $") == page.count('data-status="in_progress"')
    assert "/static/bundles/list.0123456789ab.css" in page
    assert len(page.encode()) <= MOST_BYTES
