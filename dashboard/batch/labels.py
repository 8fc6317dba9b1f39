"""The form for a batch's label, owner and note: in place, or as a page without scripts."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from batches.labels import Labels, LabelsChanged, in_use, label_batch, labels_of
from batches.models import Batch
from dashboard.access import allow, client_address, visible_batch_or_404, visible_workspaces
from dashboard.batch.header import card_of, header_context, is_on_page
from dashboard.fields import OneLine, unix_lines, validate_printable

LONGEST_NOTE = 2_000


class LabelForm(forms.Form):
    label = OneLine(required=False, max_length=200, validators=[validate_printable])
    owner = OneLine(required=False, max_length=200, validators=[validate_printable])
    note = forms.CharField(required=False, max_length=LONGEST_NOTE, validators=[validate_printable])
    # The values when the form was made.
    was_label = forms.CharField(required=False, strip=False)
    was_owner = forms.CharField(required=False, strip=False)
    was_note = forms.CharField(required=False, strip=False)

    def clean_note(self) -> str:
        return unix_lines(self.cleaned_data["note"])

    @property
    def new(self) -> Labels:
        return Labels(*(self.cleaned_data[name] for name in Labels._fields))

    @property
    def seen(self) -> Labels | None:
        """The values when the form was made; None if the request doesn't include them."""
        if not any(f"was_{name}" in self.data for name in Labels._fields):
            return None
        return Labels(*(unix_lines(self.cleaned_data[f"was_{name}"]) for name in Labels._fields))


@allow("label")
@require_http_methods(["GET", "HEAD", "POST"])
def batch_label(request: Any, api_id: str) -> HttpResponse:
    """GET shows the form. POST saves: htmx gets the panel, others a redirect."""
    batch = visible_batch_or_404(request.user, api_id)
    if request.method != "POST":
        if request.htmx and "keep" in request.GET:
            return panel(request, batch)
        return form_answer(request, batch, labels_of(batch), labels_of(batch))
    form = LabelForm(request.POST)
    if not form.is_valid():
        typed = Labels(*(request.POST.get(name, "") for name in Labels._fields))
        return form_answer(request, batch, typed, labels_of(batch), form=form)
    try:
        changed = label_batch(
            batch,
            form.new,
            actor=request.user,
            address=client_address(request),
            seen=form.seen,
        )
    except LabelsChanged as conflict:
        return form_answer(request, batch, form.new, conflict.current, is_conflict=True)
    if request.htmx:
        return panel(request, batch)
    messages.success(request, "Saved." if changed else "No changes to save.")
    return redirect(batch)


def panel(request: Any, batch: Batch) -> HttpResponse:
    """The panel with the note and, on the batch's page, the head with label and owner."""
    context: dict[str, Any] = {"batch": batch, "is_back": True}
    if is_on_page(request, batch):
        context |= {"is_on_page": True, **header_context(card_of(request, batch))}
    return render(request, "batch/_labels.html", context)


def form_answer(
    request: Any,
    batch: Batch,
    typed: Labels,
    current: Labels,
    *,
    form: LabelForm | None = None,
    is_conflict: bool = False,
) -> HttpResponse:
    """The form with what was typed, and hidden fields with what is stored now."""
    labels, owners = in_use(list(visible_workspaces(request.user).values_list("pk", flat=True)))
    context = {
        "batch": batch,
        "typed": typed,
        "current": current,
        "is_conflict": is_conflict,
        "problems": form.errors if form else {},
        "labels": labels,
        "owners": owners,
        "longest_note": LONGEST_NOTE,
    }
    template = "batch/batch_label.html"
    return render(request, f"{template}#label-form" if request.htmx else template, context)
