"""A client for the organization's cost report and its workspaces. It needs an Admin key."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation, Overflow
from typing import Annotated, Any

from msgspec import Meta, Struct

from batches.client.answers import Answer
from batches.client.caller import ApiClient, read_answer
from batches.client.errors import printable
from batches.client.exchange import not_the_api
from batches.client.retries import Deadline
from batches.client.types import Count, decode, moment

COST = "v1/organizations/analytics/cost"
WORKSPACES = "v1/organizations/workspaces"
COST_BETA = "analytics-usage-cost-2026-08-24"
# Anthropic's limits: the longest range of one call, and the most rows per page.
LONGEST_RANGE = timedelta(days=31)
ROWS_PER_PAGE = 1000
# Per range: enough for 6,000 workspaces that run batches every day.
MOST_PAGES = 200

DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
CENTS = Decimal(100)
# Exact for every price, as the smallest fraction of a price is 0.000 000 000 5 cents.
PLACES = Decimal("1e-12")
LARGEST_AMOUNT = Decimal(10) ** 12
PRECISE = Context(prec=60, traps=[InvalidOperation, Overflow])

WorkspaceId = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{0,100}\Z")]
Cursor = Annotated[str, Meta(max_length=4000)]


class ReportedDay(Struct, frozen=True, kw_only=True):
    """What one workspace's batches cost on one UTC day, in US dollars; credits are negative.

    `workspace_id` is empty for the organization's default workspace. `requests` is None if the
    report does not include it.
    """

    day: date
    workspace_id: str
    amount: Decimal
    requests: int | None


class CostPage(Struct, frozen=True, kw_only=True):
    """One page of the report. `refreshed_at` is when its figures were last updated."""

    days: tuple[ReportedDay, ...]
    refreshed_at: datetime | None
    request_id: str


class ReportClient(ApiClient):
    """Reads the organization's reports. One client can be used by any number of threads.

        with ReportClient("https://api.anthropic.com", admin_key) as client:
            for page in client.iter_costs(date(2026, 11, 1), date(2026, 11, 30)): ...

    Raises ValueError as ApiClient does, and every method raises ApiError. Any deviation from the
    documentation raises NotTheApi, since a partial report would be wrong.
    """

    def iter_costs(
        self, since: date, until: date, *, within: float | None = None
    ) -> Iterator[CostPage]:
        """What batches cost from one UTC day to another, both included, page by page.

        The range can have any length, and reading all of it takes at most `within` seconds. Days
        without cost have no row. A day and workspace can have several rows.
        """
        deadline = self._deadline(within)
        begin, end = _midnight(since), _midnight(until + timedelta(days=1))
        while begin < end:
            until_edge = min(begin + LONGEST_RANGE, end)
            yield from self._pages_of_one_range(begin, until_edge, deadline)
            begin = until_edge

    def workspaces(self, *, within: float | None = None) -> list[tuple[str, str]]:
        """The ID and name of every workspace, including archived ones but not the default one."""
        params = {"limit": ROWS_PER_PAGE, "include_archived": "true"}
        answers = self._follow(
            WORKSPACES, params, cursor="after_id", kind=_Workspaces, deadline=self._deadline(within)
        )
        return [
            (each.id, printable(each.name)[:100]) for _, listed in answers for each in listed.data
        ]

    def _deadline(self, within: float | None) -> Deadline:
        return Deadline(self._total_seconds if within is None else within)

    def _pages_of_one_range(
        self, since: datetime, until: datetime, deadline: Deadline
    ) -> Iterator[CostPage]:
        params = {
            "starting_at": _stamp(since),
            "ending_at": _stamp(until),
            "time_bucket_width": "1d",
            "products[]": "message_batches_api",
            "group_by[]": "workspace_id",
            # Oldest days first, as they no longer change: rows must not move to another page while
            # pages are being read (cost_list_params in the official SDK).
            "order_by": "time",
            "order": "asc",
            "limit": ROWS_PER_PAGE,
        }
        answers = self._follow(COST, params, cursor="page", kind=_Report, deadline=deadline)
        for answer, report in answers:
            try:
                page = _page(report, answer, since, until)
            except ValueError as error:
                raise not_the_api(answer, f"{error}.") from None
            yield page

    def _follow[T: _Report | _Workspaces](
        self, path: str, params: dict[str, Any], *, cursor: str, kind: type[T], deadline: Deadline
    ) -> Iterator[tuple[Answer, T]]:
        """Each page with its answer, from the first to the last."""
        seen: set[str] = set()
        while True:
            answer = self._read_only(path, params, deadline)
            page = read_answer(answer, lambda body: decode(body, kind))
            yield answer, page
            if not page.has_more:
                return
            if not page.following or page.following in seen or len(seen) >= MOST_PAGES:
                raise not_the_api(answer, "its pages never end, or do not name the next page.")
            seen.add(page.following)
            params = params | {cursor: page.following}

    def _read_only(self, path: str, params: dict[str, Any], deadline: Deadline) -> Answer:
        deadline.check()
        headers = {"anthropic-beta": COST_BETA} if path == COST else {}
        return self._ask("GET", path, params=params, headers=headers, within=deadline.left())


class _Group(Struct):
    workspace_id: WorkspaceId | None = None


class _Cost(Struct):
    amount: str
    currency: str = "USD"
    requests: Count | None = None


class _Row(Struct):
    starting_at: str
    cost: _Cost
    ending_at: str | None = None
    group: _Group | None = None


class _Workspace(Struct):
    id: WorkspaceId
    name: str


class _Report(Struct):
    has_more: bool
    data: list[_Row]
    next_page: Cursor | None = None
    data_refreshed_at: str | None = None

    @property
    def following(self) -> str | None:
        """The next page's cursor."""
        return self.next_page


class _Workspaces(Struct):
    has_more: bool
    data: list[_Workspace]
    last_id: Cursor | None = None

    @property
    def following(self) -> str | None:
        """The next page's cursor."""
        return self.last_id


def _page(report: _Report, answer: Answer, since: datetime, until: datetime) -> CostPage:
    return CostPage(
        days=tuple(_read_row(row, since, until) for row in report.data),
        refreshed_at=moment(report.data_refreshed_at) if report.data_refreshed_at else None,
        request_id=answer.request_id,
    )


def _read_row(row: _Row, since: datetime, until: datetime) -> ReportedDay:
    starting_at = moment(row.starting_at)
    if not since <= starting_at < until:
        raise ValueError("it reports a day that was not requested")
    if row.ending_at and moment(row.ending_at) - starting_at > timedelta(days=1):
        raise ValueError("its figures are not per day")
    # The currency is not repeated, as it could be any text.
    if row.cost.currency.upper() != "USD":
        raise ValueError("its amounts are not in US dollars")
    return ReportedDay(
        day=starting_at.date(),
        workspace_id=(row.group.workspace_id if row.group else None) or "",
        amount=read_amount(row.cost.amount),
        requests=row.cost.requests,
    )


def read_amount(text: str) -> Decimal:
    """US dollars from the API's decimal string of fractional cents, to twelve decimal places.

    Raises ValueError for text that is not an amount of money.
    """
    if not DECIMAL.fullmatch(text):
        raise ValueError("an amount is not a decimal number")
    amount = PRECISE.divide(PRECISE.create_decimal(text), CENTS)
    if abs(amount) > LARGEST_AMOUNT:
        raise ValueError("an amount is too large for a cost")
    return PRECISE.quantize(amount, PLACES)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
