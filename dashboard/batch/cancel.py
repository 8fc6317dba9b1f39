"""Canceling a batch: the page that asks first, and the cancellation."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from batches import cancel, clock
from batches.models import Batch, Cancellation
from batches.spend.estimates import cost_estimate
from dashboard.access import allow, client_address, visible_batch_or_404
from dashboard.batch.header import header_context, is_on_page
from dashboard.cards import Card
from dashboard.words import duration, plural, usd


class ReasonForm(forms.Form):
    reason = forms.CharField(required=False, max_length=500)


SENTENCES = {
    Cancellation.State.ACCEPTED: "The API accepted the cancellation: the batch is canceling.",
    Cancellation.State.REQUESTED: (
        "Your cancel request is saved. The API hasn’t confirmed it yet; Batchboard keeps retrying."
    ),
    Cancellation.State.REFUSED: (
        "The API refused to cancel this batch. Its error message is shown below."
    ),
    Cancellation.State.OVERTAKEN: "The batch finished before the cancel took effect.",
}


@allow("cancel")
@require_http_methods(["GET", "HEAD", "POST"])
def batch_cancel(request: Any, api_id: str) -> HttpResponse:
    """GET asks first, for browsers without scripts. POST cancels: htmx gets the card."""
    batch = visible_batch_or_404(request.user, api_id)
    if request.method != "POST":
        now = clock.now()
        card = Card(batch, now, may_cancel=True)
        context = {"batch": batch, "card": card, "subject": list(subject(batch, now))}
        return render(request, "batch/batch_cancel.html", context)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        problem = f"Nothing was canceled. Reason: {form.errors['reason'][0]}"
        return cancel_answer(request, batch, problem=problem)
    try:
        cancellation = cancel.cancel_batch(
            batch,
            actor=request.user,
            address=client_address(request),
            reason=form.cleaned_data["reason"],
        )
    except cancel.AlreadyEnded as error:
        return cancel_answer(request, batch, problem=f"There was nothing left to cancel. {error}")
    return cancel_answer(request, batch, cancellation=cancellation)


def subject(batch: Batch, now: datetime) -> Iterator[str]:
    """What the batch is, in the words of the dialog, which takes them from the batch's card."""
    yield batch.workspace.name
    if batch.owner:
        yield batch.owner
    yield f"{batch.total:,} {plural(batch.total, 'request')}"
    yield f"running {duration(batch.elapsed_seconds(now))}"
    if estimate := cost_estimate(batch):
        low, high = usd(estimate.low), usd(estimate.high)
        yield f"est. {low if low == high else f'{low}–{high}'}"


def cancel_answer(
    request: Any, batch: Batch, *, cancellation: Cancellation | None = None, problem: str = ""
) -> HttpResponse:
    """The batch as it is now: its card for htmx, otherwise a redirect to its page."""
    fresh = Batch.objects.select_related("latest_cancellation").defer("raw").get(pk=batch.pk)
    fresh.workspace, fresh.is_second = batch.workspace, batch.is_second
    earlier = earlier_request(cancellation, request.user) if cancellation else ""
    if request.htmx:
        card = Card(fresh, clock.now(), may_cancel=True)
        context = header_context(card) if is_on_page(request, fresh) else {"card": card}
        context |= {
            "message": problem or earlier,
            "level": "error" if problem else "info",
        }
        return render(request, "batch/batch_cancel.html#answer", context)
    if problem:
        messages.error(request, problem)
    elif cancellation:
        state = Cancellation.State(cancellation.state)
        is_good = state == Cancellation.State.ACCEPTED
        level = messages.SUCCESS if is_good else messages.WARNING
        messages.add_message(request, level, f"{earlier} {SENTENCES[state]}".strip())
    return redirect(fresh)


def earlier_request(cancellation: Cancellation, user: Any) -> str:
    """Who had requested this cancel before the person pressed; empty if no one else had."""
    pressed_at = cancellation.repeated_at
    if pressed_at is None or cancellation.requested_by_id == user.pk:
        return ""
    seconds = (pressed_at - cancellation.requested_at).total_seconds()
    before = f"{duration(seconds)} before you" if seconds >= 1 else "just before you"
    added = "; your reason was added as a note" if cancellation.is_reason_kept else ""
    return f"{cancellation.requested_by_name} requested this cancel {before}{added}."
