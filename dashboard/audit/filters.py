"""The filters in the audit's address, and the events that match them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils.text import capfirst

from batches.models import AuditEvent, Workspace
from batches.models.audit import AuditQuerySet
from batches.period import end_of, start_of
from batches.search import with_id
from dashboard.access import visible_batches, visible_workspaces
from dashboard.audit.visible import known_people, visible_events
from dashboard.query_form import NO_SUCH_PAGE, WorkspaceQueryForm, day_field, row_key, text_field

PAGE_SIZE = 50
Action = AuditEvent.Action
ACTIONS: dict[str, tuple[Action, ...]] = {
    "Batches": (
        Action.CANCEL_REQUESTED,
        Action.CANCEL_REPEATED,
        Action.CANCEL_ACCEPTED,
        Action.CANCEL_REFUSED,
        Action.CANCEL_OVERTAKEN,
        Action.BATCH_ENDED,
        Action.BATCH_GONE,
        Action.BATCH_LABELED,
        Action.RETRY_LINKED,
        Action.RETRY_UNLINKED,
        Action.RESULTS_REREAD,
    ),
    "Downloads": (Action.RESULTS_DOWNLOADED, Action.EXPORTED),
    "Workspaces": (
        Action.WORKSPACE_ADDED,
        Action.WORKSPACE_CHANGED,
        Action.WORKSPACE_LIST_ACCEPTED,
        Action.WORKSPACE_DELETED,
        Action.MEMBER_ADDED,
        Action.MEMBER_REMOVED,
    ),
    "People": (
        Action.PERSON_ADDED,
        Action.PERSON_CHANGED,
        Action.PERSON_DEACTIVATED,
        Action.PERSON_REACTIVATED,
        Action.TOKEN_MADE,
        Action.TOKEN_REVOKED,
        Action.LINK_MADE,
        Action.PASSWORD_SET,
        Action.PASSWORD_CHANGED,
    ),
    "Sign-in": (
        Action.SIGNED_IN,
        Action.SIGNED_OUT,
        Action.SESSIONS_ENDED,
        Action.SIGN_IN_FAILED,
        Action.SIGN_IN_LOCKED,
        Action.ACTION_REFUSED,
    ),
}
TITLES = {
    "batch": "Batch",
    "person": "Person",
    "action": "Action",
    "workspace": "Workspace",
    "since": "From",
    "until": "Until",
}


class AuditForm(WorkspaceQueryForm):
    titles: ClassVar = TITLES

    # In the groups of the page's select.
    actions: ClassVar = [
        (group, [(action.value, capfirst(action.label)) for action in of_group])
        for group, of_group in ACTIONS.items()
    ]

    batch = text_field()
    person = text_field()
    action = forms.ChoiceField(choices=actions, required=False)
    since = day_field()
    until = day_field()


@dataclass
class AuditQuery:
    """The values of the audit's address, for one person."""

    user: Any
    workspaces: list[Workspace]
    form: AuditForm
    chosen: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)
    # The last event of the previous page.
    after: int | None = None

    @property
    def given(self) -> dict[str, str]:
        """Every field's value as text; empty if there is none."""
        return {name: str(self.chosen.get(name, "")) for name in TITLES}

    @property
    def visible(self) -> AuditQuerySet:
        return visible_events(self.user, self.workspaces)

    @property
    def steps(self) -> AuditQuerySet:
        """Events that are shown with the cancellation they belong to, oldest first."""
        return self.visible.filter(is_step=True).order_by("pk")

    @cached_property
    def matching(self) -> AuditQuerySet:
        """Events with a row of their own that match every filter, newest first.

        The request for a cancellation also matches a filter if one of its steps does.
        """
        events = self.visible.filter(*self._shared(), is_step=False).order_by("-pk")
        for condition in self._conditions():
            of_steps = self.steps.filter(condition).order_by().values("cancellation_id")
            events = events.filter(condition | Q(cancellation_id__in=of_steps))
        return events

    def _shared(self) -> Iterator[Q]:
        """Conditions that the steps of a cancellation meet if its request does."""
        chosen = self.chosen
        if "workspace" in chosen:
            [workspace] = [each for each in self.workspaces if each.slug == chosen["workspace"]]
            yield Q(workspace_id=workspace.pk)
        if "batch" in chosen:
            yield self._of_batch(chosen["batch"])

    def _conditions(self) -> Iterator[Q]:
        """Conditions that any one event of a cancellation can meet for all of them."""
        chosen = self.chosen
        if "action" in chosen:
            yield Q(action=chosen["action"])
        if "person" in chosen:
            yield self._of_person(chosen["person"])
        days = Q()
        if "since" in chosen:
            days &= Q(at__gte=start_of(chosen["since"]))
        if "until" in chosen:
            days &= Q(at__lt=end_of(chosen["until"]))
        if days:
            yield days

    def _of_batch(self, text: str) -> Q:
        labeled = visible_batches(self.user).filter(label__icontains=text).order_by()
        return with_id("batch_api_id", text) | Q(batch_api_id__in=labeled.values("api_id"))

    def _of_person(self, name: str) -> Q:
        """Events by or about the people who have or had this username, under all of their names."""
        seen = self.visible.order_by()
        people = known_people(self.user, self.workspaces)
        ids = {
            *people.filter(username__iexact=name).values_list("pk", flat=True),
            *seen.filter(Q(is_actor_hidden=False), actor=name).values_list("actor_id", flat=True),
            *seen.filter(person=name).values_list("person_id", flat=True),
        } - {None}
        actor = Q(actor__iexact=name) | Q(actor_id__in=ids)
        return (actor & Q(is_actor_hidden=False)) | Q(person__iexact=name) | Q(person_id__in=ids)


def read_audit(values: QueryDict, user: Any) -> AuditQuery:
    """The query in the address's values. Ignores invalid ones, and names them in `problems`."""
    workspaces = list(visible_workspaces(user))
    form = AuditForm(values, workspaces)
    chosen = form.chosen()
    query = AuditQuery(user, workspaces, form, chosen, form.sentences())
    if "since" in chosen and "until" in chosen and chosen["since"] > chosen["until"]:
        query.problems.append("From: this day comes after “until”, so no event can match.")
    after = str(values.get("after", ""))
    query.after = row_key(after)
    if after and query.after is None:
        query.problems.append(NO_SUCH_PAGE)
    return query
