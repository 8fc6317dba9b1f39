"""What the filters for label, owner and model suggest, from the batches that a person can see."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from django.db.models import BooleanField, Count
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batches.models import Batch, BatchUsage, Workspace
from batches.search import known_models
from dashboard.access import allow, visible_workspaces
from dashboard.list.listing import TITLES, Listing
from dashboard.query_form import LONGEST_TEXT, exact_text, exactly

FIELDS = ("label", "owner", "model")
MOST = 20
# A mistyped text is compared with this many of the most used ones.
MOST_COMPARED = 500
MOST_MEANT = 3


class Suggestion(NamedTuple):
    """A text in use, and how many batches have it."""

    text: str
    batches: int


class Meant(NamedTuple):
    """A text that a filter without a match may have meant, and the address for it."""

    title: str
    text: str
    batches: int
    query: str


@allow("see")
@require_safe
def suggestions(request: HttpRequest) -> HttpResponse:
    """Options for a `<datalist>`: texts in use for a field, those in most batches first.

    `field` is label, owner or model; others have none. The parameter with the field's name is a
    part of the text.
    """
    name = request.GET.get("field", "")
    part = request.GET.get(name, "").replace("\0", "")[:LONGEST_TEXT]
    workspaces = list(visible_workspaces(request.user))
    found = in_use(workspaces, name, part, MOST) if name in FIELDS else []
    return render(request, "list/_suggestions.html", {"suggestions": found})


def in_use(workspaces: Sequence[Workspace], name: str, part: str, most: int) -> list[Suggestion]:
    """Texts of a field that contain the part, whatever its case; the most used first."""
    keys = [workspace.pk for workspace in workspaces]
    if name == "model":
        models = [each for each in known_models() if part.casefold() in each.casefold()]
        usage = BatchUsage.objects.filter(workspace__in=keys, model__in=models)
        if any(workspace.has_twins for workspace in workspaces):
            usage = usage.exclude(batch__twin_of__in=keys)
        counted = usage.values("model").annotate(batches=Count("batch", distinct=True))
    else:
        # SQLite uses an index with a condition only for a query that contains it.
        is_set = RawSQL(f"NOT ({name} = '')", (), output_field=BooleanField())  # noqa: S611
        batches = Batch.objects.walking_in_order(keys).filter(is_set)
        batches = batches.without_twins(workspaces).filter(**{f"{name}__icontains": part})
        counted = batches.values(name).annotate(batches=Count("pk"))
    rows = counted.order_by("-batches", name).values_list(name, "batches")[:most]
    return [Suggestion(*row) for row in rows]


def meant(listing: Listing) -> list[Meant]:
    """For a list without a batch: filters with a similar text in use, and what they would find."""
    found: list[Meant] = []
    for name in FIELDS:
        if name not in listing.chosen:
            continue
        given = str(listing.chosen[name])
        text = given if (exact := exact_text(given)) is None else exact
        known = {each.text.casefold(): each.text for each in _compared(listing, name)}
        for similar in get_close_matches(text.casefold(), known, n=MOST_MEANT):
            changed = {name: exactly(known[similar])}
            other = Listing(listing.workspaces, dict(listing.chosen) | changed)
            if count := other.matching().count():
                found.append(Meant(TITLES[name], known[similar], count, listing.query(**changed)))
    return found


def _compared(listing: Listing, name: str) -> list[Suggestion]:
    return in_use(listing.selected_workspaces, name, "", MOST_COMPARED)
