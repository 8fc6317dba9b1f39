"""What the API answers about spend."""

from datetime import date
from typing import Annotated, Self

from msgspec import Meta, Struct

from batches.spend.figures import ClassFigure, Figure
from dashboard.api.shapes import Money
from dashboard.spend.not_included import MISSING_WORDS


class SpendFigure(Struct, frozen=True, kw_only=True):
    """What some batches cost, and what is missing from that."""

    cost: Money
    saving: Annotated[Money, Meta(description="Compared with standard prices.")]
    billed_requests: Annotated[
        int, Meta(description="Of the batches whose results have been read.")
    ]
    not_included: Annotated[
        dict[str, int],
        Meta(
            description="Batches that are not included, or only in part, by reason: `running`, "
            "`unread`, `unreadable`, `lost`, `incomplete` or `unpriced`."
        ),
    ]

    @classmethod
    def of(cls, figure: Figure, **more: object) -> Self:
        missing = dict(figure.missing_by_kind)
        words = [f"{count:,} {MISSING_WORDS[kind]}" for kind, count in missing.items()]
        reason = f"Batches not included: {', '.join(words)}" if words else "Some have no price"
        return cls(
            cost=Money.of(figure.cost, is_whole=figure.is_whole, reason=reason),
            saving=Money.of(figure.saving, is_whole=figure.is_whole, reason=reason),
            billed_requests=figure.requests,
            not_included=missing,
            **more,
        )


class SpendTotal(SpendFigure, frozen=True, kw_only=True):
    batches: int


class SpendDay(SpendFigure, frozen=True, kw_only=True):
    day: Annotated[date, Meta(description="UTC, on which the batches were created.")]


class SpendGroup(SpendTotal, frozen=True, kw_only=True):
    key: Annotated[
        str | None,
        Meta(
            description="The workspace's slug, the model, label or owner (empty for batches "
            "without one), or `yes` or `no` for canceled. Null for batches whose model is not "
            "known yet."
        ),
    ]


class TokenClass(Struct, frozen=True):
    """One class of tokens, or web searches."""

    name: str
    quantity: int
    cost: Money

    @classmethod
    def of(cls, figure: ClassFigure) -> Self:
        reason = f"{figure.unpriced:,} have no price" if figure.unpriced else ""
        return cls(
            figure.name,
            figure.quantity,
            Money.of(figure.cost, is_whole=not figure.unpriced, reason=reason),
        )


class Spend(Struct, frozen=True):
    """What the batches of a period cost, with the figures of the spend page, unrounded."""

    since: Annotated[date, Meta(description="The first day, in UTC.")]
    until: Annotated[date, Meta(description="The last day. Today's figures are not final.")]
    group: str
    total: SpendTotal
    days: Annotated[list[SpendDay], Meta(description="Every day of the period, in order.")]
    groups: Annotated[list[SpendGroup], Meta(description="The most expensive first.")]
    token_classes: list[TokenClass]
    notes: Annotated[list[str], Meta(description="What to know about the period.")]
