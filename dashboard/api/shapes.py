"""What the API answers and takes. The OpenAPI description and docs/api.md have the same fields."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from batches import models
from batches.models.batch import COUNTS
from batches.spend.costs import BatchCost, cost_of
from dashboard.cost_words import cost_cells
from dashboard.csv_cells import decimal_text
from dashboard.health import Health


class Money(Struct, frozen=True):
    """US dollars, exact, as text. Unknown is null, with a reason, and never 0."""

    usd: Annotated[str | None, Meta(description="The whole amount; null if a part is unknown.")]
    known: Annotated[bool, Meta(description="Whether the whole amount is known.")]
    known_usd: Annotated[str | None, Meta(description="The known part; null if there is none.")]
    reason: Annotated[str | None, Meta(description="Why the amount or a part is unknown.")]

    @classmethod
    def of(cls, known: Decimal | None, *, is_whole: bool, reason: str) -> Self:
        text = None if known is None else decimal_text(known)
        is_known = is_whole and text is not None
        return cls(text if is_known else None, is_known, text, None if is_known else reason)


class Workspace(Struct, frozen=True):
    """A workspace, and how up to date what is known of it is."""

    slug: Annotated[str, Meta(description="Its name in addresses and filters.")]
    name: str
    synced_at: Annotated[
        datetime | None, Meta(description="The last sync; null if there was none.")
    ]
    health: Annotated[
        str,
        Meta(
            description="`fresh`; `waiting` for the first sync; or what is shown may be out of "
            "date: `stale`, `refused` (Anthropic refuses the key), `foreign` (the key belongs to "
            "another Anthropic workspace) or `off`."
        ),
    ]

    @classmethod
    def of(cls, health: Health) -> Self:
        return cls(health.workspace.slug, health.workspace.name, health.synced_at, health.word)


class Counts(Struct, frozen=True):
    """Requests, as the API counts them."""

    processing: int
    succeeded: int
    errored: int
    canceled: int
    expired: int


class Cancellation(Struct, frozen=True):
    """The last cancellation that was requested in Batchboard."""

    state: Annotated[
        str,
        Meta(
            description="`requested` (not confirmed yet; Batchboard keeps trying), `accepted`, "
            "`refused` or `overtaken` (the batch finished first)."
        ),
    ]
    requested_by: str
    requested_at: datetime
    reason: str
    accepted_at: datetime | None
    settled_at: Annotated[
        datetime | None, Meta(description="When its result was final; null until then.")
    ]
    error: Annotated[str | None, Meta(description="The API's last error.")]
    anthropic_request_id: Annotated[
        str | None, Meta(description="The API's request ID, for Anthropic's support.")
    ]

    @classmethod
    def of(cls, row: models.Cancellation) -> Self:
        return cls(
            row.state,
            row.requested_by_name,
            row.requested_at,
            row.reason,
            row.accepted_at,
            row.settled_at,
            row.error or None,
            row.request_id or None,
        )


class Cost(Money, frozen=True):
    """What a batch cost, by today's prices."""

    state: Annotated[
        str,
        Meta(
            description="`computed`, `pending`, `unpriced`, `incomplete`, `unreadable` or `lost`."
        ),
    ]
    billed_requests: Annotated[
        int | None, Meta(description="Null until the results have been read.")
    ]
    known_requests: Annotated[
        int | None, Meta(description="The billed requests whose whole cost is known.")
    ]

    @classmethod
    def of_batch(cls, batch: models.Batch, cost: BatchCost) -> Self:
        state, known, known_requests, billed, reason = cost_cells(batch, cost)
        money = Money.of(known, is_whole=cost.total is not None, reason=reason)
        return cls(
            money.usd, money.known, money.known_usd, money.reason, state, billed, known_requests
        )


class Batch(Struct, frozen=True):
    """A batch as the mirror has it."""

    id: Annotated[str, Meta(description="Anthropic's ID.")]
    workspace: Annotated[str, Meta(description="The slug of its workspace.")]
    url: Annotated[str, Meta(description="Its page in Batchboard.")]
    processing_status: Annotated[
        str, Meta(description="The API's word: `in_progress`, `canceling` or `ended`.")
    ]
    outcome: Annotated[
        str | None,
        Meta(
            description="How it ended: `all_succeeded`, `some_failed`, `all_failed`, `canceled`, "
            "`canceled_too_late`, `expired` or `unknown`; null before."
        ),
    ]
    request_counts: Counts
    counts_known: Annotated[
        bool,
        Meta(
            description="False while the API has counted nothing yet: then all requests are "
            "`processing`, whatever they are."
        ),
    ]
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    cancel_initiated_at: datetime | None
    archived_at: datetime | None
    results_expire_at: Annotated[datetime, Meta(description="When Anthropic deletes the results.")]
    deleted_at: Annotated[
        datetime | None, Meta(description="When Batchboard found that Anthropic has it no more.")
    ]
    first_seen_at: Annotated[datetime, Meta(description="When Batchboard first listed it.")]
    label: Annotated[str, Meta(description="Empty if no one set it.")]
    owner: str
    note: str
    results: Annotated[
        str,
        Meta(
            description="Whether the results were read: `pending`, `read`, `outdated` (by an "
            "older version), `unreadable` or `lost`."
        ),
    ]
    cost: Cost
    cancellation: Cancellation | None

    @classmethod
    def of(cls, batch: models.Batch, url: str) -> Self:
        last = batch.latest_cancellation
        return cls(
            id=batch.api_id,
            workspace=batch.workspace.slug,
            url=url,
            processing_status=batch.processing_status,
            outcome=batch.outcome or None,
            request_counts=Counts(*(getattr(batch, name) for name in COUNTS)),
            counts_known=batch.has_ended or batch.is_tallied,
            created_at=batch.created_at,
            expires_at=batch.expires_at,
            ended_at=batch.ended_at,
            cancel_initiated_at=batch.cancel_initiated_at,
            archived_at=batch.archived_at,
            results_expire_at=batch.results_expire_at,
            deleted_at=batch.deleted_upstream_at,
            first_seen_at=batch.first_seen_at,
            label=batch.label,
            owner=batch.owner,
            note=batch.note,
            results=batch.results_state,
            cost=Cost.of_batch(batch, cost_of(batch)),
            cancellation=Cancellation.of(last) if last else None,
        )


class BatchPage(Struct, frozen=True):
    """One page of the list."""

    batches: list[Batch]
    next: Annotated[str | None, Meta(description="The next page; null on the last.")]
    workspaces: Annotated[
        list[Workspace], Meta(description="Those that the list covers, and how up to date it is.")
    ]


class BatchDetail(Struct, frozen=True):
    """One batch and its workspace."""

    batch: Batch
    workspace: Workspace


class LabelChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What to set. A field that is left out stays as it is; an empty text removes it."""

    label: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    owner: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    note: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET
    workspace: (
        Annotated[
            str,
            Meta(
                description="A slug. Needed for a batch that is not mirrored yet, if the token is "
                "for several workspaces."
            ),
        ]
        | UnsetType
    ) = UNSET


class PendingLabels(Struct, frozen=True):
    """Labels that wait until the batch is seen."""

    id: str
    workspace: str
    label: Annotated[str | None, Meta(description="Null if it was not given.")]
    owner: str | None
    note: str | None
    kept_until: Annotated[
        datetime, Meta(description="After this, they are forgotten if the batch was not seen.")
    ]

    @classmethod
    def of(cls, row: models.PendingLabels, workspace: str) -> Self:
        return cls(row.api_id, workspace, row.label, row.owner, row.note, row.expires_at)


class CancelRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """May be left out."""

    reason: Annotated[str, Meta(max_length=500, description="For the receipt and the audit.")] = ""


class FailedRequest(Struct, frozen=True):
    """A request that did not succeed, as the results file describes it."""

    custom_id: str
    outcome: Annotated[str, Meta(description="`errored`, `canceled`, `expired`, or a newer word.")]
    error_type: Annotated[str | None, Meta(description="Null if none was given.")]
    message: str | None
    request_id: str | None

    @classmethod
    def of(cls, row: models.FailedRequest) -> Self:
        return cls(
            row.custom_id,
            row.outcome,
            row.error_type or None,
            row.message or None,
            row.request_id or None,
        )


class FailurePage(Struct, frozen=True):
    """One page of a batch's unsuccessful requests."""

    failures: Annotated[
        list[FailedRequest] | None,
        Meta(description="Null while they are unknown, which `reason` explains."),
    ]
    total: Annotated[int | None, Meta(description="How many match, on all pages.")]
    reason: str | None
    next: Annotated[str | None, Meta(description="The next page; null on the last.")]


class Person(Struct, frozen=True):
    username: str
    role: Annotated[str, Meta(description="`viewer`, `operator`, `lead`, `admin`, or `superuser`.")]


class Token(Struct, frozen=True):
    name: str
    scopes: Annotated[list[str], Meta(description="What it was made for.")]
    may: Annotated[
        list[str], Meta(description="The scopes that its owner's role allows at the moment.")
    ]
    created_at: datetime
    expires_at: datetime
    calls_a_minute: int


class Me(Struct, frozen=True):
    """The token that made the call, its owner, and what it can see."""

    person: Person
    token: Token
    workspaces: Annotated[
        list[Workspace],
        Meta(description="Those of the token of which its owner is a member at the moment."),
    ]


class Problem(Struct, frozen=True, rename={"kind": "type"}):
    """An error (RFC 9457). Some have further members."""

    kind: Annotated[str, Meta(description="Such as `urn:batchboard:missing-scope`.")]
    title: str
    status: int
    detail: Annotated[str, Meta(description="A sentence for people, which may change.")]
    request_id: Annotated[str | None, Meta(description="Names the call in Batchboard's log.")] = (
        None
    )
