"""Links a batch to the one whose requests it sends again, from either batch's page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Case, Q, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from batches.models import Batch
from batches.resubmit import CannotLink, find, link, unlink
from dashboard.access import allow, client_address, visible_batch_or_404
from dashboard.cards import Card

# The batch's page shows the newest of those that retry it.
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Linked:
    """The other batch of a link, and its state or outcome in words."""

    batch: Batch
    state: str

    @property
    def name(self) -> str:
        return self.batch.label or self.batch.api_id


@dataclass(frozen=True, slots=True)
class Links:
    """The batch that this one retries, and those that retry it."""

    retries: Linked | None
    retried_by: list[Linked]
    has_more: bool

    @property
    def is_any(self) -> bool:
        return bool(self.retries or self.retried_by)

    @classmethod
    def of(cls, batch: Batch, now: datetime) -> "Links":
        """Takes one query."""
        both = Batch.objects.filter(
            Q(resubmits=batch.pk) | Q(pk=batch.resubmits_id), workspace=batch.workspace_id
        )
        earlier_first = Case(When(pk=batch.resubmits_id, then=0), default=1)
        ordered = both.defer("raw").order_by(earlier_first, "-created_at", "-id")
        found = list(ordered[: MOST_SHOWN + 2])
        for other in found:
            # Links stay within a workspace, whose slug an address needs if the batch's own does.
            other.workspace, other.is_second = batch.workspace, batch.is_second
        linked = [Linked(each, Card(each, now, may_cancel=False).headline) for each in found]
        retries = [each for each in linked if each.batch.pk == batch.resubmits_id]
        retried_by = [each for each in linked if each.batch.pk != batch.resubmits_id]
        return cls(
            retries=retries[0] if retries else None,
            retried_by=retried_by[:MOST_SHOWN],
            has_more=len(retried_by) > MOST_SHOWN,
        )


@allow("label")
@require_POST
def batch_resubmits(request: HttpRequest, api_id: str) -> HttpResponse:
    """`retries` names the batch that this one retries, `retried_by` one that retries this one.

    `undo` removes the link of this batch. Names are IDs, addresses or labels.
    """
    batch = visible_batch_or_404(request.user, api_id)
    by: dict[str, Any] = {"actor": request.user, "address": client_address(request)}
    try:
        if "undo" in request.POST:
            done = unlink(batch, **by)
            sentence = "The link was removed." if done else "There was no link to remove."
        elif "retried_by" in request.POST:
            newer = find(request.POST["retried_by"], batch.workspace_id)
            link(newer, batch, **by)
            sentence = f"Linked: {newer.api_id} retries this batch."
        else:
            older = find(request.POST.get("retries", ""), batch.workspace_id)
            link(batch, older, **by)
            sentence = f"Linked: this batch retries {older.api_id}."
    except CannotLink as error:
        messages.error(request, f"Nothing was linked. {error}")
    else:
        messages.success(request, sentence)
    return redirect(batch)
