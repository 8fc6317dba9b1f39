"""The demo's month of batches: varied, quick to read, and the same each time."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from batches.sandbox import SandboxApi

PROCFILE = Path(__file__).parents[2] / "Procfile"
DAY = timedelta(days=1)


def batches_of_the_demo():
    words = PROCFILE.read_text().split()
    return int(words[words.index("--batches") + 1])


# Tuesday noon, Sunday midnight and Friday evening.
@pytest.fixture(scope="module", params=["2026-11-24T12:00", "2026-11-22T00:00", "2026-11-27T21:30"])
def month(request):
    """The demo's batches, generated once for all tests, which only read them."""
    now = datetime.fromisoformat(request.param).replace(tzinfo=UTC)
    api = SandboxApi(clock=lambda: now, batches=batches_of_the_demo())
    yield api
    api.close()


def ended(api):
    return [batch for batch in api.batches.values() if batch["processing_status"] == "ended"]


def requests(batches):
    return sum(sum(batch["request_counts"].values()) for batch in batches)


def age(api, batch):
    return api.now() - datetime.fromisoformat(batch["created_at"])


def test_the_demo_has_a_month_of_batches_that_are_read_quickly(month):
    readable = [batch for batch in ended(month) if not batch["archived_at"]]

    assert 140 <= len(month.batches) <= 180
    assert len(readable) >= 120
    assert 60_000 < requests(readable) < 90_000


def test_few_results_are_lost_and_few_are_about_to_expire(month):
    ages = [age(month, batch) / DAY for batch in ended(month)]

    assert sum(days >= 29 for days in ages) == 6
    assert sum(27 <= days < 29 for days in ages) == 4
    assert max(ages) < 46


def test_weekdays_are_busier_than_weekends(month):
    # Batches of the last two days come from the demo's cast more than from its history.
    days = Counter(
        datetime.fromisoformat(batch["created_at"]).weekday() >= 5
        for batch in ended(month)
        if 2 <= age(month, batch) / DAY < 26
    )

    weekday, weekend = days[False] / 5, days[True] / 2
    assert weekday > 2 * weekend > 0


def test_work_and_spend_grow_from_one_fortnight_to_the_next(month):
    work, spend = Counter(), Counter()
    for batch_id, batch in month.batches.items():
        fortnights_ago = int(age(month, batch) / DAY) // 14
        work[fortnights_ago] += 1
        spend[fortnights_ago] += month.billed(batch_id)

    assert work[0] > 1.3 * work[1]
    assert spend[0] > Decimal("1.3") * spend[1]


def test_several_models_are_used_and_newer_ones_replace_older_ones(month):
    first, later = Counter(), Counter()
    for batch_id, batch in month.batches.items():
        half = first if age(month, batch) > 14 * DAY else later
        if batch["processing_status"] == "ended":
            half.update(model for model, _, _ in month.usage(batch_id))

    assert len(first | later) >= 8
    for before, after in (
        ("claude-sonnet-5", "claude-sonnet-5-5"),
        ("claude-opus-5", "claude-opus-5-5"),
        ("claude-haiku-4-5-20251001", "claude-haiku-5-5"),
    ):
        assert later[after] / (later[before] + later[after]) > first[after] / (
            first[before] + first[after]
        )


def test_a_few_batches_were_canceled_and_a_few_failed(month):
    past = [batch["request_counts"] for batch in ended(month)]

    assert 5 <= sum(counts["canceled"] > 0 for counts in past) <= 15
    assert 3 <= sum(counts["errored"] == sum(counts.values()) for counts in past) <= 10


def test_no_ended_batch_ends_in_the_future(month):
    ends = [datetime.fromisoformat(batch["ended_at"]) for batch in ended(month)]

    assert max(ends) <= month.now()


def test_the_batches_of_a_day_do_not_dwarf_the_month(make_api, ask, clock):
    api = make_api(drip=timedelta(minutes=3))

    # As with an open page: the sandbox catches up at every call.
    for _ in range(24):
        clock.forward(hours=1)
        ask(api).get("/v1/messages/batches")
    clock.forward(hours=24)

    assert len(api.batches) == 480
    assert requests(api.batches.values()) < 60_000
