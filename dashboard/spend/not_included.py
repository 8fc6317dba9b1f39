"""The batches that a figure of spend does not include, or only in part, with links to them."""

from dataclasses import dataclass
from typing import Any

from batches.spend.figures import Figure
from batches.spend.totals import Spend
from dashboard.query_form import NO_VALUE
from dashboard.spend.address import Selection

MISSING_WORDS = {
    "running": "running",
    "unread": "not read yet",
    "unreadable": "unreadable",
    "lost": "lost",
    "incomplete": "read in part",
    "unpriced": "with an unpriced model",
}


@dataclass(frozen=True, slots=True)
class NotIncluded:
    """How many batches are missing for one reason, and the address of their list, if it has one."""

    kind: str
    count: int
    words: str
    href: str


def not_included(
    selection: Selection, spend: Spend, figure: Figure, **narrowed: Any
) -> tuple[NotIncluded, ...]:
    """One for each reason. `narrowed` are the filters that lead from the page to the figure."""
    return tuple(
        NotIncluded(
            kind, count, _kind_words(spend, kind), _kind_href(selection, spend, kind, narrowed)
        )
        for kind, count in figure.missing_by_kind
    )


def _kind_words(spend: Spend, kind: str) -> str:
    if kind == "unpriced" and spend.unpriced_requests:
        return "with unpriced requests"
    return MISSING_WORDS[kind]


def _kind_href(selection: Selection, spend: Spend, kind: str, narrowed: dict[str, Any]) -> str:
    if kind == "unpriced":
        if len(spend.unpriced_models) == 1 and "model" not in narrowed:
            narrowed = narrowed | {"model": spend.unpriced_models[0] or NO_VALUE}
        return selection.batches(**narrowed) if "model" in narrowed else ""
    # A batch's models are unknown until its results are read.
    narrowed = narrowed | {"model": None}
    if kind == "running":
        return selection.batches(status="active", **narrowed)
    return selection.batches(results={"unread": "pending"}.get(kind, kind), **narrowed)
