"""The sandbox's imitation of Anthropic's cost report: parses queries, makes rows from bills."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from batches.sandbox.calls import read_limit, read_query
from batches.sandbox.refusals import RefusalError
from batches.sandbox.store import EPOCH, Bill

HOUR = timedelta(hours=1)
WIDTHS = {"1d": timedelta(days=1), "1h": HOUR, "1m": timedelta(minutes=1)}
LONGEST_RANGE = timedelta(days=31)
LONGEST_RANGE_BY_MINUTES = timedelta(days=1)
OLDEST = timedelta(days=365)
MOST_DIMENSIONS = 5

# The sandbox bills one product, and keeps these dimensions.
PRODUCT = "message_batches_api"
KEPT = ("workspace_id", "model", "product", "service_tier")
FILTERS = {
    "workspace_ids[]": "workspace_id",
    "models[]": "model",
    "products[]": "product",
    "service_tiers[]": "service_tier",
}
ORDERS = ("amount", "list_amount", "time")
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)


class CostQuery(NamedTuple):
    """A query of the cost report: bills in [since, until), by `width` and by `group_by`.

    Without a width, the whole range is one bucket.
    """

    since: datetime
    until: datetime
    width: timedelta | None
    group_by: tuple[str, ...]
    filters: dict[str, frozenset[str]]
    order_by: str
    descending: bool
    limit: int
    page: str

    def bucket(self, moment: datetime) -> tuple[datetime, datetime]:
        """The start and end of the bucket that contains the moment."""
        if self.width is None:
            return self.since, self.until
        start = _floor(moment, self.width)
        return start, start + self.width


class CostRow(NamedTuple):
    """One bucket's cost of one group, in picodollars; `group` is in the order of `group_by`."""

    starting_at: datetime
    ending_at: datetime
    group: tuple[str, ...]
    amount: int
    list_amount: int
    requests: int


class Mark(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A row's place in a report's order. A cursor is the mark of a page's last row."""

    first: int
    second: int
    group: tuple[str, ...]


def parse_cost_query(query: str, now: datetime) -> CostQuery:
    """The query, read as Anthropic's documentation describes it.

    Raises RefusalError (400) for what the documentation forbids, and for dimensions that the
    sandbox does not keep: ignoring them would answer with the wrong figures.
    """
    fields = read_query(query)
    values = dict(fields)
    width_name = values.get("time_bucket_width")
    if width_name is not None and width_name not in WIDTHS:
        raise RefusalError(400, f"time_bucket_width: Input should be {_choice(WIDTHS)}")
    width = WIDTHS[width_name] if width_name else None
    since, until = _range(values, width, now)
    order_by, order = values.get("order_by", "amount"), values.get("order", "desc")
    if order_by not in ORDERS:
        raise RefusalError(400, f"order_by: Input should be {_choice(ORDERS)}")
    if order not in ("asc", "desc"):
        raise RefusalError(400, "order: Input should be 'asc' or 'desc'")
    return CostQuery(
        since=since,
        until=until,
        width=width,
        group_by=_group_by(fields),
        filters=_filters(fields),
        # Without buckets all rows have the same time.
        order_by=order_by if width else order_by.replace("time", "amount"),
        descending=order == "desc",
        limit=read_limit(values.get("limit")),
        page=values.get("page", ""),
    )


def cost_rows(bills: Iterable[Bill], wanted: CostQuery) -> list[CostRow]:
    """One row for each bucket and group that has any bills.

    A bill counts on the day its batch was created. Which day Anthropic's cost report uses for a
    batch that ran past midnight is not documented.
    """
    sums: dict[tuple[datetime, datetime, tuple[str, ...]], tuple[int, int, int]] = {}
    for bill in bills:
        bounds = wanted.bucket(bill.created_at)
        for charge in bill.charges:
            dimensions = dict(
                zip(KEPT, (bill.workspace, charge.model, PRODUCT, charge.tier), strict=True)
            )
            if any(dimensions[name] not in wanted.filters[name] for name in wanted.filters):
                continue
            key = (*bounds, tuple(dimensions[name] for name in wanted.group_by))
            amount, list_amount, requests = sums.get(key, (0, 0, 0))
            sums[key] = (
                amount + charge.amount,
                list_amount + charge.list_amount,
                requests + charge.requests,
            )
    return [CostRow(*key, *figures) for key, figures in sums.items()]


def page_of(rows: Iterable[CostRow], wanted: CostQuery) -> tuple[list[CostRow], str | None]:
    """The requested page, in order, and the cursor of the next one (None for the last page).

    A cursor is a place in the order, so new rows don't shift the pages. Raises RefusalError
    (400) for an invalid cursor.
    """
    marked = sorted((_mark(row, wanted), row) for row in rows)
    if wanted.page:
        last_shown = _read_cursor(wanted.page, len(wanted.group_by))
        marked = [(mark, row) for mark, row in marked if mark > last_shown]
    shown = marked[: wanted.limit]
    cursor = _cursor(shown[-1][0]) if len(marked) > len(shown) else None
    return [row for _, row in shown], cursor


def _range(
    values: dict[str, str], width: timedelta | None, now: datetime
) -> tuple[datetime, datetime]:
    """The range, widened to whole buckets or, without buckets, narrowed to whole hours.

    How Anthropic's cost report treats a bucket that is partly in the range is not documented.
    """
    if "starting_at" not in values:
        raise RefusalError(400, "starting_at: Field required")
    since = _moment("starting_at", values["starting_at"])
    if "ending_at" in values:
        until = _moment("ending_at", values["ending_at"])
    elif width:
        raise RefusalError(400, "ending_at: Field required when time_bucket_width is set")
    else:
        until = min(now, since + LONGEST_RANGE)
    if since >= until:
        raise RefusalError(400, "ending_at: Must be later than starting_at")
    longest = LONGEST_RANGE_BY_MINUTES if width == WIDTHS["1m"] else LONGEST_RANGE
    if until - since > longest:
        raise RefusalError(400, f"ending_at: The range may span at most {longest.days} days")
    if since < now - OLDEST:
        raise RefusalError(400, "starting_at: Must be within the last 365 days")
    if width:
        return _floor(since, width), until + (EPOCH - until) % width
    return _floor(since, HOUR), _floor(until, HOUR)


def _moment(name: str, text: str) -> datetime:
    try:
        if MOMENT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise RefusalError(400, f"{name}: Input should be a valid RFC 3339 datetime with an offset")


def _floor(moment: datetime, width: timedelta) -> datetime:
    return moment - (moment - EPOCH) % width


def _group_by(fields: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(value for name, value in fields if name == "group_by[]"))
    if len(names) > MOST_DIMENSIONS:
        raise RefusalError(400, f"group_by: At most {MOST_DIMENSIONS} dimensions")
    for name in names:
        if name not in KEPT:
            raise RefusalError(400, f"group_by: The sandbox breaks out {_choice(KEPT)}")
    return names


def _filters(fields: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    given: dict[str, frozenset[str]] = {}
    for name, value in fields:
        if not name.endswith("[]") or name == "group_by[]":
            continue
        if name not in FILTERS:
            raise RefusalError(400, f"{name[:60]}: The sandbox filters by {_choice(FILTERS)}")
        dimension = FILTERS[name]
        given[dimension] = given.get(dimension, frozenset()) | {value}
    return given


def _mark(row: CostRow, wanted: CostQuery) -> Mark:
    sign = -1 if wanted.descending else 1
    time = int(row.starting_at.timestamp())
    if wanted.order_by == "time":
        return Mark(sign * time, -row.amount, row.group)
    figure = row.amount if wanted.order_by == "amount" else row.list_amount
    return Mark(sign * figure, time, row.group)


def _cursor(mark: Mark) -> str:
    return urlsafe_b64encode(msgspec.json.encode(mark)).decode().rstrip("=")


def _read_cursor(text: str, dimensions: int) -> Mark:
    try:
        padded = text + "=" * (-len(text) % 4)
        mark = msgspec.json.decode(urlsafe_b64decode(padded), type=Mark)
    except (ValueError, msgspec.DecodeError):
        mark = None
    if mark is None or len(mark.group) != dimensions:
        raise RefusalError(400, "page: Not a cursor of this report")
    return mark


def _choice(words: Iterable[str]) -> str:
    return " or ".join(f"'{word}'" for word in words)
