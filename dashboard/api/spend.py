"""Spend: the spend page's figures, exact."""

from datetime import UTC
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict

from batches import clock
from batches.spend.totals import compute_spend
from dashboard.access import visible_workspaces
from dashboard.api import spend_shapes as shapes
from dashboard.api.operations import Operation, answer
from dashboard.api.parameters import form_parameters, refuse_problems
from dashboard.query_form import IGNORED
from dashboard.spend.address import Selection, SpendForm, read_selection

FILTERS = {
    "since": "The first day (UTC); by default the first of the month of the last day.",
    "until": "The last day (UTC); today by default.",
    "month": "A whole month, such as 2026-10, instead of the two days.",
    "group": "What to group by; `workspace` by default.",
    "workspace": "A slug.",
    "model": "A model. Batches that have not been read count, as their models are not known.",
    "label": "The whole label, or `(none)`.",
    "owner": "The whole owner, or `(none)`.",
    "canceled": "Whether requests were canceled.",
}


def get_spend(request: HttpRequest) -> HttpResponse:
    today = clock.now().astimezone(UTC).date()
    selection = read_selection(request.GET, list(visible_workspaces(request.user)), today)
    refuse_problems(selection.problems, IGNORED)
    spend = compute_spend(selection.question)
    groups = [
        shapes.SpendGroup.of(figure, batches=figure.batches, key=key_of(selection, key))
        for key, figure in sorted(
            spend.groups.items(), key=lambda item: (-item[1].known, -item[1].batches, str(item[0]))
        )
    ]
    period = selection.period
    return answer(
        shapes.Spend(
            since=period.since,
            until=period.until,
            group=selection.group,
            total=shapes.SpendTotal.of(spend.total, batches=spend.total.batches),
            days=[shapes.SpendDay.of(spend.days[day], day=day) for day in period.days],
            groups=groups,
            token_classes=[shapes.TokenClass.of(figure) for figure in spend.classes],
            notes=selection.notes,
        )
    )


def key_of(selection: Selection, key: Any) -> str | None:
    """The key of a group as filters write it; None for a model that is not known yet."""
    match selection.group:
        case "workspace":
            return next(each.slug for each in selection.workspaces if each.pk == key)
        case "canceled":
            return "yes" if key else "no"
    return None if key is None else str(key)


SPEND = Operation(
    get_spend,
    "What batches cost",
    scope="spend",
    answers={200: (shapes.Spend, "The figures of the spend page")},
    parameters=form_parameters(SpendForm(QueryDict(), []).fields, FILTERS),
)
