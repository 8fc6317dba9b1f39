"""The audit's rows. A row is an event, or a cancellation with its steps."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from batches.models import AuditEvent, Batch
from batches.models.audit import AuditQuerySet
from dashboard.access import visible_batches
from dashboard.audit.filters import AuditQuery

ROWS_AT_ONCE = 500
# The longest outcome that fits on a line of the table.
SHORT = 40
HIDDEN_ACTOR = "another admin"
REQUESTED = AuditEvent.Action.CANCEL_REQUESTED
REPEATED = AuditEvent.Action.CANCEL_REPEATED
CSV_HEADER = (
    "at (UTC)", "actor", "actor kind", "API token", "address", "action", "person", "workspace",
    "batch ID", "batch label", "cancellation", "reason", "outcome", "request ID",
)  # fmt: skip


@dataclass
class AuditRow:
    """One event as the person may see it. `steps` are those of its cancellation, oldest first."""

    event: AuditEvent
    # None if the mirror no longer has the batch, or the person may not see it.
    batch: Batch | None = None
    steps: list["AuditRow"] = field(default_factory=list)

    @property
    def actor(self) -> str:
        return HIDDEN_ACTOR if self.event.is_actor_hidden else self.event.actor

    @property
    def address(self) -> str:
        return "" if self.event.is_actor_hidden else self.event.address

    @property
    def token(self) -> str:
        """The name of the API token that the actor used; empty for none."""
        return "" if self.event.is_actor_hidden else self.event.token or ""

    @property
    def action(self) -> str:
        return str(self.event.action_words)

    @property
    def label(self) -> str:
        return self.batch.label if self.batch else ""

    @property
    def has_place(self) -> bool:
        """The event is about something in a workspace, not about the workspace itself."""
        event = self.event
        return bool(event.workspace and (event.batch_api_id or event.person))

    @property
    def result(self) -> str:
        """The last outcome of a cancellation, or the event's own outcome."""
        answers = [step for step in self.steps if step.event.action != REPEATED]
        if answers:
            return answers[-1].event.outcome
        return self.event.outcome

    @property
    def is_unanswered(self) -> bool:
        """The API has neither accepted nor refused this cancellation.

        False if the person may not see the batch, because then they don't see the answers either.
        """
        return self.batch is not None and self.event.action == REQUESTED and not self.result

    @property
    def has_details(self) -> bool:
        """The event has more than a line of the table shows."""
        event = self.event
        more = (
            self.steps,
            self.address,
            self.token,
            event.reason,
            event.request_id,
            event.batch_api_id,
        )
        return any(more) or len(event.outcome) > SHORT

    @property
    def cells(self) -> tuple[object, ...]:
        """The CSV's row, in the order of CSV_HEADER. Steps are rows of their own."""
        event = self.event
        return (
            event.at, self.actor, event.get_actor_kind_display(), self.token, self.address,
            self.action, event.person, event.workspace, event.batch_api_id, self.label,
            event.cancellation_id, event.reason, event.outcome, event.request_id,
        )  # fmt: skip


def shown_events(query: AuditQuery) -> AuditQuerySet:
    """The events after the cursor, newest first."""
    events = query.matching
    return events.filter(pk__lt=query.after) if query.after else events


def page_of(query: AuditQuery, size: int) -> tuple[list[AuditRow], int | None]:
    """At most `size` rows after the cursor, and the next page's cursor; None on the last."""
    found = list(shown_events(query)[: size + 1])
    following = found[size - 1].pk if len(found) > size else None
    return rows_of(query, found[:size]), following


def csv_rows(query: AuditQuery) -> Iterator[tuple[object, ...]]:
    """Every row after the cursor, a request followed by its steps. Reads ROWS_AT_ONCE at a time."""
    while True:
        rows, following = page_of(query, ROWS_AT_ONCE)
        for row in rows:
            yield row.cells
            yield from (step.cells for step in row.steps)
        if following is None:
            return
        query.after = following


def count_of(query: AuditQuery) -> int:
    """The number of rows of the CSV."""
    events = shown_events(query).order_by()
    steps = query.steps.filter(
        cancellation_id__in=events.exclude(cancellation_id=None).values("cancellation_id")
    )
    return events.count() + steps.order_by().count()


def rows_of(query: AuditQuery, events: Sequence[AuditEvent]) -> list[AuditRow]:
    """The events with their steps and batches, in two queries."""
    cancellations = [event.cancellation_id for event in events if event.cancellation_id]
    batches = _batches(query, {event.batch_api_id for event in events if event.batch_api_id})

    def row(event: AuditEvent) -> AuditRow:
        return AuditRow(event, batches.get((event.workspace_id, event.batch_api_id)))

    steps = defaultdict(list)
    for step in query.steps.filter(cancellation_id__in=cancellations) if cancellations else ():
        steps[step.cancellation_id].append(row(step))
    rows = [row(event) for event in events]
    for each in rows:
        if each.event.cancellation_id:
            each.steps = steps[each.event.cancellation_id]
    return rows


def _batches(query: AuditQuery, ids: set[str]) -> dict[tuple[int | None, str], Batch]:
    """The visible batches with these API IDs, by workspace and API ID."""
    if not ids:
        return {}
    batches = visible_batches(query.user).filter(api_id__in=ids).with_workspace()
    lean = batches.defer("raw").with_shared_ids_marked(query.workspaces)
    return {(batch.workspace_id, batch.api_id): batch for batch in lean}
