"""Canceling a batch: the page that asks first, and the cancellation."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from batches import cancel, clock
from batches.models import Batch, Cancellation
from dashboard.access import allow, client_address, visible_batch_or_404
from dashboard.batch.header import header_context, is_on_page
from dashboard.cards import Card


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
        card = Card(batch, clock.now(), may_cancel=True)
        return render(request, "batch/batch_cancel.html", {"batch": batch, "card": card})
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


def cancel_answer(
    request: Any, batch: Batch, *, cancellation: Cancellation | None = None, problem: str = ""
) -> HttpResponse:
    """The batch as it is now: its card for htmx, otherwise a redirect to its page."""
    fresh = Batch.objects.select_related("latest_cancellation").defer("raw").get(pk=batch.pk)
    fresh.workspace, fresh.is_second = batch.workspace, batch.is_second
    if request.htmx:
        card = Card(fresh, clock.now(), may_cancel=True, problem=problem)
        if is_on_page(request, fresh):
            return render(request, "batch/_header.html", header_context(card))
        return render(request, "list/batch_list.html#card", {"card": card})
    if problem:
        messages.error(request, problem)
    elif cancellation:
        state = Cancellation.State(cancellation.state)
        is_good = state == Cancellation.State.ACCEPTED
        level = messages.SUCCESS if is_good else messages.WARNING
        messages.add_message(request, level, SENTENCES[state])
    return redirect(fresh)
