"""The sandbox's imitation of Anthropic's cost report: rows, filters, order, pages, refusals."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.sandbox.conftest import error

COST = "/v1/organizations/analytics/cost"
BETA = {"anthropic-beta": "analytics-usage-cost-2026-08-24"}
WEEK = {
    "starting_at": "2026-11-18T00:00:00Z",
    "ending_at": "2026-11-25T00:00:00Z",
    "time_bucket_width": "1d",
}


@pytest.fixture
def report(api, ask):
    """A function that gets the last week's report, with changes to the default query."""
    http = ask(api, api.admin_key)

    def get(**changes):
        query = {name.replace("__", "[]"): value for name, value in (WEEK | changes).items()}
        params = {name: value for name, value in query.items() if value is not None}
        return http.get(COST, params=params, headers=BETA)

    return get


@pytest.fixture
def ended(api):
    """A function that adds an ended batch, created this many days ago."""

    def add(days_ago, model="claude-sonnet-5-5", **details):
        created_at = api.now() - timedelta(days=days_ago)
        return api.add_batch(status="ended", created_at=created_at, models=[model], **details)

    return add


def rows(response):
    assert response.status_code == 200, response.text
    return response.json()["data"]


def dollars(row):
    return Decimal(row["cost"]["amount"]) / 100


def test_a_day_costs_the_bills_of_its_batches(api, report, ended):
    monday = [ended(1, requests=20), ended(1, requests=30, key=api.other_key)]
    tuesday = ended(0.2, requests=10)

    newest, oldest = rows(report(order_by="time"))

    assert newest["starting_at"] == "2026-11-24T00:00:00Z"
    assert newest["ending_at"] == "2026-11-25T00:00:00Z"
    assert dollars(newest) == api.billed(tuesday)
    assert dollars(oldest) == sum(api.billed(each) for each in monday)
    assert oldest["cost"]["requests"] == 50
    assert oldest["cost"]["currency"] == "USD"


def test_the_envelope_says_when_the_figures_were_refreshed(report):
    body = report().json()

    assert body == {
        "data": [],
        "has_more": False,
        "next_page": None,
        "data_refreshed_at": "2026-11-24T12:00:00Z",
    }


def test_the_list_price_of_tokens_is_twice_what_a_batch_costs(report, ended):
    ended(1, requests=400)

    cost = rows(report())[0]["cost"]

    searches = 2 * Decimal(cost["amount"]) - Decimal(cost["list_amount"])
    assert searches >= 0
    # A search costs a cent, in and outside of batches.
    assert searches == searches.to_integral_value()


def test_a_group_names_every_dimension_and_fills_the_requested_ones(api, report, ended):
    ended(1, "claude-haiku-4-5")

    group = rows(report(group_by__=["workspace_id", "model", "product", "service_tier"]))[0][
        "group"
    ]

    filled = {name: value for name, value in group.items() if value is not None}
    assert len(group) == 22
    assert filled == {
        "workspace_id": api.keys[api.key],
        "model": "claude-haiku-4-5-20251001",
        "product": "message_batches_api",
        "service_tier": "batch",
    }


def test_there_is_one_row_for_each_day_and_group(api, report, ended):
    ids = {
        ("2026-11-23", api.key, "claude-sonnet-5"): ended(1, "claude-sonnet-5"),
        ("2026-11-23", api.key, "claude-opus-5"): ended(1, "claude-opus-5"),
        ("2026-11-22", api.key, "claude-opus-5"): ended(2, "claude-opus-5"),
        ("2026-11-22", api.other_key, "claude-opus-5"): ended(
            2, "claude-opus-5", key=api.other_key
        ),
    }

    costs = {
        (row["starting_at"][:10], row["group"]["workspace_id"], row["group"]["model"]): dollars(row)
        for row in rows(report(group_by__=["workspace_id", "model"]))
    }

    assert costs == {
        (day, api.keys[key], model): api.billed(batch_id)
        for (day, key, model), batch_id in ids.items()
    }


def test_archived_and_deleted_batches_are_included(api, report, ended):
    archived, removed = ended(1), ended(1)
    api.archive(archived)
    expected = api.billed(archived) + api.billed(removed)
    api.remove(removed)

    assert dollars(rows(report())[0]) == expected


def test_a_batch_that_has_not_ended_is_not_included(api, report, clock):
    batch_id = api.add_batch(duration=timedelta(hours=1))
    before = rows(report())

    clock.forward(hours=1)

    assert before == []
    assert dollars(rows(report())[0]) == api.billed(batch_id)


def test_a_batch_counts_on_the_day_of_its_creation(api, report):
    api.add_batch(
        status="ended",
        created_at=api.now() - timedelta(hours=12, minutes=5),
        duration=timedelta(hours=2),
    )

    assert [row["starting_at"] for row in rows(report())] == ["2026-11-23T00:00:00Z"]


@pytest.mark.parametrize(
    ("filters", "models"),
    [
        ({"models__": "claude-opus-5"}, ["claude-opus-5"]),
        ({"models__": ["claude-opus-5", "claude-sonnet-5"]}, ["claude-opus-5", "claude-sonnet-5"]),
        ({"workspace_ids__": "wrkspc_01production0000000000"}, ["claude-haiku-5-5"]),
        ({"products__": "message_batches_api", "models__": "claude-opus-5"}, ["claude-opus-5"]),
        ({"products__": "messages_api"}, []),
        ({"service_tiers__": "standard"}, []),
    ],
)
def test_filters_exclude_the_rest(api, report, ended, filters, models):
    ended(1, "claude-opus-5")
    ended(1, "claude-sonnet-5")
    ended(1, "claude-haiku-5-5", key=api.other_key)

    found = rows(report(group_by__="model", **filters))

    assert sorted(row["group"]["model"] for row in found) == models


def test_rows_are_ordered_by_amount_by_default(report, ended):
    for days_ago, requests in ((3, 5), (2, 500), (1, 50)):
        ended(days_ago, requests=requests, prompt_tokens=1000)

    def days(**order):
        return [row["starting_at"][8:10] for row in rows(report(**order))]

    assert days() == ["22", "23", "21"]
    assert days(order="asc") == ["21", "23", "22"]
    assert days(order_by="time") == ["23", "22", "21"]
    assert days(order_by="time", order="asc") == ["21", "22", "23"]


@pytest.mark.parametrize("order", [{}, {"order_by": "time"}, {"order_by": "list_amount"}])
def test_pages_contain_every_row_once(report, ended, order):
    for days_ago in range(1, 6):
        for model in ("claude-opus-5", "claude-sonnet-5"):
            ended(days_ago, model, requests=days_ago)
    everything = rows(report(group_by__="model", **order))

    paged, page, has_more = [], None, True
    while has_more:
        body = report(group_by__="model", limit=3, page=page, **order).json()
        paged += body["data"]
        page, has_more = body["next_page"], body["has_more"]

    assert len(paged) == 10
    assert paged == everything
    assert page is None


def test_a_new_row_does_not_shift_the_pages(report, ended):
    for days_ago in (1, 2, 3):
        ended(days_ago)
    first = report(limit=1, order_by="time").json()

    ended(0.1)
    second = report(limit=1, order_by="time", page=first["next_page"]).json()

    assert second["data"][0]["starting_at"] == "2026-11-22T00:00:00Z"


def test_a_page_has_twenty_rows_by_default(report, ended):
    for at in range(21):
        ended(1, f"claude-model-{at}")

    body = report(group_by__="model").json()

    assert len(body["data"]) == 20
    assert body["has_more"]


def test_buckets_can_be_hours(report, ended):
    ended(0.25)

    found = rows(report(time_bucket_width="1h"))

    assert [(row["starting_at"], row["ending_at"]) for row in found] == [
        ("2026-11-24T06:00:00Z", "2026-11-24T07:00:00Z")
    ]


def test_without_buckets_one_row_covers_the_range_in_whole_hours(api, report, ended):
    both = [ended(1), ended(3)]

    found = rows(
        report(
            starting_at="2026-11-20T10:20:00Z",
            ending_at="2026-11-24T09:40:00Z",
            time_bucket_width=None,
        )
    )

    assert [(row["starting_at"], row["ending_at"]) for row in found] == [
        ("2026-11-20T10:00:00Z", "2026-11-24T09:00:00Z")
    ]
    assert dollars(found[0]) == sum(api.billed(each) for each in both)


def test_days_are_utc_for_any_offset(report, ended):
    ended(1)

    found = rows(
        report(starting_at="2026-11-23T05:00:00+05:00", ending_at="2026-11-24T05:00:00+05:00")
    )

    assert [row["starting_at"] for row in found] == ["2026-11-23T00:00:00Z"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"starting_at": None}, "starting_at: Field required"),
        ({"ending_at": None}, "ending_at: Field required"),
        ({"starting_at": "yesterday"}, "starting_at: Input should be a valid RFC 3339"),
        ({"starting_at": "2026-11-20"}, "starting_at: Input should be a valid RFC 3339"),
        ({"starting_at": "2026-11-20T00:00:00"}, "starting_at: Input should be a valid RFC 3339"),
        ({"starting_at": "2026-13-20T00:00:00Z"}, "starting_at: Input should be a valid RFC 3339"),
        ({"starting_at": "0001-01-01T00:00:00+09:00"}, "starting_at: Input should be"),
        ({"ending_at": "2026-11-18T00:00:00Z"}, "ending_at: Must be later"),
        ({"starting_at": "2026-10-24T23:59:59Z"}, "ending_at: The range may span at most 31 days"),
        ({"time_bucket_width": "1m"}, "ending_at: The range may span at most 1 days"),
        (
            {"starting_at": "2025-11-01T00:00:00Z", "ending_at": "2025-11-02T00:00:00Z"},
            "starting_at: Must be within the last 365 days",
        ),
        ({"time_bucket_width": "1w"}, "time_bucket_width: "),
        ({"time_bucket_width": ""}, "time_bucket_width: "),
        ({"group_by__": "batch_id"}, "group_by: "),
        ({"group_by__": "token_type"}, "group_by: "),
        ({"api_key_ids__": "apikey_01"}, "api_key_ids[]: "),
        ({"order_by": "requests"}, "order_by: "),
        ({"order": "up"}, "order: "),
        ({"limit": "0"}, "limit: "),
        ({"limit": "1001"}, "limit: "),
        ({"page": "garbage"}, "page: "),
        ({"page": "W10"}, "page: "),
        ({"page": "é"}, "page: "),
        ({"page": "WzEsMixbIm1vZGVsIl1d"}, "page: "),
    ],
)
def test_an_invalid_query_is_refused(report, changes, problem):
    response = report(**changes)

    status, kind, message = error(response)
    assert (status, kind) == (400, "invalid_request_error")
    assert message.startswith(problem)


def test_31_days_are_accepted(report):
    assert report(starting_at="2026-10-25T00:00:00Z").status_code == 200


def test_the_report_requires_its_beta_header(api, ask):
    http = ask(api, api.admin_key)

    refused = http.get(COST, params=WEEK, headers={"anthropic-beta": "another-2026-01-01"})
    among_others = http.get(
        COST, params=WEEK, headers={"anthropic-beta": f"one, {BETA['anthropic-beta']}"}
    )

    assert error(refused)[:2] == (400, "invalid_request_error")
    assert among_others.status_code == 200


def test_the_demos_report_adds_up_to_its_bills(make_api, ask):
    api = make_api(batches=60)
    day = {"starting_at": "2026-10-25T00:00:00Z", "group_by[]": "workspace_id", "limit": 1000}

    response = ask(api, api.admin_key).get(COST, params=WEEK | day, headers=BETA)

    reported = defaultdict(Decimal)
    for row in rows(response):
        reported[row["group"]["workspace_id"]] += dollars(row)
    expected = defaultdict(Decimal)
    for batch_id, batch in api.batches.items():
        if batch["processing_status"] == "ended" and batch["created_at"] >= "2026-10-25":
            expected[api.world.store.get(batch_id).workspace] += api.billed(batch_id)
    assert reported == expected
