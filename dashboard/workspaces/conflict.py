"""Resubmitting a form after someone else saved the same workspace."""

from typing import Any

from django.http import QueryDict

from dashboard.workspaces.fields import FIELDS
from dashboard.workspaces.form import WorkspaceForm
from dashboard.workspaces.snapshot import Snapshot


def merged(form: WorkspaceForm, current: Snapshot) -> QueryDict:
    """What the person typed, merged into what is stored now.

    A field that the person didn't change gets the stored value. If the form doesn't say what it
    showed, every field counts as changed.
    """
    data, seen = QueryDict(mutable=True), form.seen
    for column, typed in form.columns.items():
        is_untouched = seen is not None and typed == getattr(seen, column)
        _put(data, FIELDS.get(column, column), getattr(current, column) if is_untouched else typed)
    _put(data, "without_headers", form.cleaned_data.get("without_headers"))
    data.setlist("members", [str(number) for number in _members(form, current)])
    data["seen"] = current.sealed(form.workspace)
    data["held"] = form.held
    return data


def _members(form: WorkspaceForm, current: Snapshot) -> list[int]:
    typed = {person.pk for person in form.cleaned_data["members"]}
    shown = set(form.seen.members) if form.seen else typed
    return sorted((set(current.members) | (typed - shown)) - (shown - typed))


def _put(data: QueryDict, name: str, value: Any) -> None:
    """Set the field as a browser would send the value of a column."""
    if value:
        data[name] = "on" if value is True else value
