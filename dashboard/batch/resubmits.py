"""Links a batch to the one whose requests it sends again, from either batch's page."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from batches.models import Batch
from batches.resubmit import CannotLink, find, link, unlink
from dashboard.access import allow, client_address, visible_batch_or_404

# The batch's page shows the newest of those that retry it.
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Links:
    """The batch that this one retries, and those that retry it."""

    retries: Batch | None
    retried_by: list[Batch]
    has_more: bool

    @classmethod
    def of(cls, batch: Batch) -> "Links":
        """Takes one query, and another if the batch retries one."""
        later = batch.resubmissions.with_workspace().defer("raw")
        shown = list(later.order_by("-created_at", "-id")[: MOST_SHOWN + 1])
        retries = None
        if batch.resubmits_id:
            earlier = Batch.objects.with_workspace().defer("raw")
            retries = earlier.filter(pk=batch.resubmits_id).first()
        # Links stay within a workspace, whose slug an address needs if the batch's own does.
        for other in (*shown, *([retries] if retries else [])):
            other.is_second = batch.is_second
        return cls(retries, shown[:MOST_SHOWN], len(shown) > MOST_SHOWN)


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
