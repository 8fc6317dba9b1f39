"""The cost report: all its pages, and errors for anything undocumented."""

import logging
import traceback
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.client import ApiError, ApiRefused, KeyRefused, NotTheApi, ReportClient
from batches.client.reports import CostPage, ReportedDay, read_amount
from tests.client.test_secrets import BAD_KEYS
from tests.client.upstream import Upstream, refusal, reply

KEY = "sk-ant-admin01-0123456789"
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 24)


def row_json(amount="150.5", day="2026-11-03", workspace="wrkspc_1", **changes):
    return {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{day}T23:59:59Z",
        "group": {"workspace_id": workspace, "model": None},
        "cost": {"amount": amount, "list_amount": "301", "currency": "USD", "requests": 12},
    } | changes


def cost_json(amount="150.5", **changes):
    return row_json(cost={"amount": amount} | changes)


def report_json(*rows, next_page=None, **changes):
    return {
        "data": list(rows),
        "has_more": next_page is not None,
        "next_page": next_page,
        "data_refreshed_at": "2026-11-24T08:00:00Z",
    } | changes


def client_of(upstream: Upstream) -> ReportClient:
    return ReportClient("https://api.test", KEY, transport=upstream.transport())


def pages_of(*replies) -> list[CostPage]:
    return list(client_of(Upstream(*replies)).iter_costs(FIRST, LAST))


def days_of(*rows) -> tuple[ReportedDay, ...]:
    (page,) = pages_of(reply(json=report_json(*rows)))
    return page.days


def test_a_row_of_fractional_cents_is_read_as_dollars():
    (page,) = pages_of(reply(json=report_json(row_json()), headers={"request-id": "req_9"}))

    assert page.days == (
        ReportedDay(
            day=date(2026, 11, 3),
            workspace_id="wrkspc_1",
            amount=Decimal("1.505"),
            requests=12,
        ),
    )
    assert page.refreshed_at == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert page.request_id == "req_9"


def test_the_report_is_requested_by_day_and_workspace():
    upstream = Upstream(reply(json=report_json()))

    list(client_of(upstream).iter_costs(FIRST, LAST))

    (request,) = upstream.requests
    assert request.url.path == "/v1/organizations/analytics/cost"
    assert dict(request.url.params) == {
        "starting_at": "2026-11-01T00:00:00Z",
        "ending_at": "2026-11-25T00:00:00Z",
        "time_bucket_width": "1d",
        "products[]": "message_batches_api",
        "group_by[]": "workspace_id",
        "order_by": "time",
        "order": "asc",
        "limit": "1000",
    }
    assert request.headers["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
    assert request.headers["x-api-key"] == KEY


def test_pages_are_followed_to_the_end():
    upstream = Upstream(
        reply(json=report_json(row_json("1"), next_page="next&=?")),
        reply(json=report_json(row_json("2"))),
    )

    pages = list(client_of(upstream).iter_costs(FIRST, LAST))

    assert [row.amount for page in pages for row in page.days] == [Decimal("0.01"), Decimal("0.02")]
    assert upstream.requests[1].url.params["page"] == "next&=?"


def test_a_long_range_is_requested_in_parts_of_at_most_31_days():
    upstream = Upstream(reply(json=report_json()))
    client = client_of(upstream)

    list(client.iter_costs(date(2026, 9, 1), date(2026, 11, 24)))

    queries = [request.url.params for request in upstream.requests]
    bounds = [(params["starting_at"][:10], params["ending_at"][:10]) for params in queries]
    assert bounds == [
        ("2026-09-01", "2026-10-02"),
        ("2026-10-02", "2026-11-02"),
        ("2026-11-02", "2026-11-25"),
    ]


@pytest.mark.parametrize(
    "group", [None, {}, {"workspace_id": None}], ids=["null", "empty", "null workspace"]
)
def test_rows_without_a_workspace_belong_to_the_default_one(group):
    (row,) = days_of(row_json(group=group))

    assert row.workspace_id == ""


def test_a_missing_group_or_number_of_requests_is_not_an_error():
    bare = {"starting_at": "2026-11-03T00:00:00+00:00", "cost": {"amount": "7"}}

    (row,) = days_of(bare)

    assert (row.workspace_id, row.requests) == ("", None)


def test_all_rows_of_one_day_and_workspace_are_returned():
    assert [row.amount for row in days_of(row_json("1"), row_json("2"))] == [
        Decimal("0.01"),
        Decimal("0.02"),
    ]


def test_unknown_fields_and_a_missing_refresh_are_not_errors():
    body = report_json(row_json(new={"a": 1}), also_new=True, data_refreshed_at=None)

    (page,) = pages_of(reply(json=body))

    assert len(page.days) == 1
    assert page.refreshed_at is None


@pytest.mark.parametrize(
    ("text", "dollars"),
    [
        ("0", "0"),
        ("12345", "123.45"),
        ("-250.5", "-2.505"),
        ("0.0000000005", "0.000000000005"),
        ("1.5e-7", "0.0000000015"),
        ("2E+3", "20"),
        ("0.00000000004999", "0"),
    ],
)
def test_an_amount_is_exact_to_twelve_decimal_places(text, dollars):
    assert read_amount(text) == Decimal(dollars)


@pytest.mark.parametrize(
    "amount",
    ["", " 1", "1,5", "1 000", "NaN", "sNaN", "Infinity", "-inf", "0x1", "١", "1e", "1e9999",
     "1e99", "9" * 41, "9" * 16, "1.", ".5", "+1", "1_0", 1.5, 150, True, None, ["1"]],
    ids=repr,
)  # fmt: skip
def test_an_invalid_amount_is_not_the_api(amount):
    with pytest.raises(NotTheApi):
        days_of(cost_json(amount))


@given(st.text(alphabet="0123456789.-+eE naif", max_size=60))
def test_any_text_is_an_amount_with_twelve_places_or_a_value_error(text):
    try:
        amount = read_amount(text)
    except ValueError:
        return
    assert abs(amount) <= 10**12
    assert amount.as_tuple().exponent == -12


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"data": [], "has_more": "no"},
        report_json(next_page=7),
        report_json(has_more=True),
        report_json(data_refreshed_at="soon"),
        report_json({}),
        report_json(row_json(day="2026-10-31")),
        report_json(row_json(day="2026-11-25")),
        report_json(row_json(day="soon")),
        report_json(row_json(ending_at="2026-11-30T00:00:00Z")),
        report_json(row_json(workspace="../../etc")),
        report_json(row_json(workspace="x" * 101)),
        report_json(cost_json(currency="EUR")),
        report_json(cost_json(requests=-1)),
        report_json(cost_json(requests=2**63)),
        report_json(cost_json(requests="12")),
    ],
    ids=lambda body: str(body)[:60],
)
def test_a_report_that_is_not_as_documented_is_refused_as_a_whole(body):
    with pytest.raises(NotTheApi) as caught:
        pages_of(reply(json=body))

    assert len(str(caught.value)) < 300


def test_another_currency_is_named_as_the_reason():
    with pytest.raises(NotTheApi, match="not in US dollars"):
        days_of(cost_json(currency="EUR"))


def test_a_report_whose_pages_repeat_is_an_error():
    upstream = Upstream(*[reply(json=report_json(next_page=name)) for name in ("a", "b", "a")])
    client = client_of(upstream)

    with pytest.raises(NotTheApi, match="never end"):
        list(client.iter_costs(FIRST, LAST))

    assert len(upstream.requests) == 3


def test_a_report_with_endless_pages_is_an_error(monkeypatch):
    monkeypatch.setattr("batches.client.reports.MOST_PAGES", 5)
    endless = Upstream(*[reply(json=report_json(next_page=f"p{n}")) for n in range(20)])
    client = client_of(endless)

    with pytest.raises(NotTheApi, match="never end"):
        list(client.iter_costs(FIRST, LAST))

    assert len(endless.requests) == 6


def test_a_refused_key_raises_the_apis_message_with_the_request_id():
    answer = refusal(403, "permission_error", "This endpoint requires an Admin API key.")

    with pytest.raises(KeyRefused, match=r"requires an Admin API key\. \(request ID req_1\)"):
        pages_of(answer)


def test_a_missing_endpoint_is_not_reported_as_a_missing_batch():
    with pytest.raises(ApiRefused, match="404 not_found_error") as caught:
        pages_of(refusal(404, "not_found_error", "Not found."))

    assert "batch" not in str(caught.value)


@pytest.mark.usefixtures("no_waits")
def test_calls_are_retried():
    overloaded = refusal(529, "overloaded_error")

    (page,) = pages_of(overloaded, overloaded, reply(json=report_json(row_json())))

    assert len(page.days) == 1


def test_workspaces_are_listed_by_id_and_name():
    first = {"data": [{"id": "wrkspc_1", "name": "One", "tags": {}}], "has_more": True}
    last = {"data": [{"id": "wrkspc_2", "name": "Two\n"}], "has_more": False, "last_id": "wrkspc_2"}
    upstream = Upstream(reply(json=first | {"last_id": "wrkspc_1"}), reply(json=last))

    found = client_of(upstream).workspaces()

    assert found == [("wrkspc_1", "One"), ("wrkspc_2", "Two")]
    assert upstream.requests[1].url.params["after_id"] == "wrkspc_1"
    assert upstream.requests[0].url.path == "/v1/organizations/workspaces"


ECHOES = {
    "in the message": refusal(401, message=f"{KEY} is not a key."),
    "in the request id": reply(403, json={}, headers={"request-id": KEY}),
    "in a plain body": reply(503, text=f"no route for {KEY}"),
    "in a page": reply(200, text=f"<html>{KEY}"),
    "as an amount": reply(json=report_json(cost_json(KEY))),
    "as a currency": reply(json=report_json(cost_json(currency=KEY))),
    "as a workspace": reply(json=report_json(row_json(workspace=f"{KEY} "))),
    "as a day": reply(json=report_json(row_json(starting_at=KEY))),
    "as the refresh": reply(json=report_json(data_refreshed_at=KEY)),
    "as the cursor": reply(json=report_json(next_page=KEY)),
    "in garbage": reply(content=f'{{"data": {KEY}'.encode()),
}


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_an_echoed_admin_key_is_in_no_error_log_or_output(echo, caplog, capsys):
    caplog.set_level(logging.DEBUG)

    with pytest.raises(ApiError) as caught:
        pages_of(echo)

    error = caught.value
    shown = [str(error), repr(error), repr(vars(error)), caplog.text]
    shown += [*traceback.format_exception(error), *capsys.readouterr()]
    assert not [text for text in shown if KEY in text]


def test_the_admin_key_is_in_no_repr():
    assert repr(client_of(Upstream(reply()))) == "ReportClient('https://api.test')"


@pytest.mark.parametrize("key", BAD_KEYS)
def test_an_admin_key_that_cannot_be_sent_is_refused_without_repeating_it(key):
    with pytest.raises(ValueError, match="The API key is empty or contains") as caught:
        ReportClient("https://api.test", key)

    assert not key.strip() or key not in str(caught.value)
