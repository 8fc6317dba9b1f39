"""Saves a workspace with an audit event, and never overwrites another admin's change unseen."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest

from batches.client import parse_headers
from batches.fields import is_undecryptable
from batches.mirror.workspaces import Deletion, accept_list, delete_workspace, free_slug
from batches.models import AuditEvent, Workspace
from batches.try_key import Trial
from dashboard.recording import record
from dashboard.workspaces.form import WorkspaceForm
from dashboard.workspaces.questions import is_foreign
from dashboard.workspaces.snapshot import TITLES, Snapshot

# Takes the claim from a round that is running with the old key, so that it stores nothing more.
NO_CLAIM = {"claim": "", "claimed_until": None}
Action = AuditEvent.Action


class ChangedMeanwhile(Exception):
    """Someone else saved the workspace after the form was shown. `current` is what is stored."""

    def __init__(self, current: Snapshot) -> None:
        super().__init__("Someone else saved this workspace in the meantime.")
        self.current = current


def add(request: HttpRequest, form: WorkspaceForm, trial: Trial | None) -> Workspace:
    """Store a new workspace. The person who adds it becomes a member.

    Raises IntegrityError if its name is taken or a member is deleted at the same time.
    """
    columns = form.columns
    columns["slug"] = columns["slug"] or free_slug(columns["name"])
    with transaction.atomic():
        workspace = Workspace(**columns)
        form.put_secrets(workspace)
        workspace.save()
        nothing = Snapshot(**dict.fromkeys(TITLES, ""), members=())  # type: ignore[arg-type]
        changes = nothing.changes(Snapshot.of(workspace, form.user))
        sentences = [*map(str, changes), f"API key: none → {key_words(workspace)}"]
        sentences += header_changes({}, _headers(workspace) or {})
        _record(request, Action.WORKSPACE_ADDED, workspace, sentences, trial)
        _add_members(request, workspace, {form.user, *form.cleaned_data["members"]})
    return workspace


def save_workspace(request: HttpRequest, form: WorkspaceForm, trial: Trial | None) -> bool:
    """Store only what the form changes. Return whether it changed anything.

    Raises ChangedMeanwhile, Http404 if the workspace was deleted, and IntegrityError as `add` does.
    """
    with transaction.atomic():
        row = _locked(form.workspace.pk)
        before = Snapshot.of(row, form.user)
        # The form decided by what it loaded whether the key must be typed, so that must hold too.
        if not form.seen == form.loaded == before:
            raise ChangedMeanwhile(before)
        sentences = _write(row, form, before)
        if sentences:
            _record(request, Action.WORKSPACE_CHANGED, row, sentences, trial)
        if trial and is_foreign(form, trial):
            accept(request, row)
        return _change_members(request, row, form) or bool(sentences)


def accept(request: HttpRequest, workspace: Workspace) -> None:
    """Accept the batches that the API lists for the workspace's key, and audit it."""
    with transaction.atomic():
        accept_list(workspace)
        record(
            request,
            Action.WORKSPACE_LIST_ACCEPTED,
            workspace=workspace,
            outcome="Batches that the API no longer lists count as deleted.",
        )


def delete(request: HttpRequest, workspace: Workspace) -> Deletion:
    """Delete the workspace and everything mirrored of it, and audit it."""
    pk = workspace.pk
    with transaction.atomic():
        done = delete_workspace(workspace)
        # Django clears the primary key of a deleted row, but the event needs it.
        workspace.pk = pk
        record(request, Action.WORKSPACE_DELETED, workspace=workspace, outcome=str(done))
    return done


def key_words(workspace: Workspace) -> str:
    """How the audit names the stored key: by its last characters."""
    return f"…{workspace.key_hint}" if workspace.key_hint else "one that is not shown"


def header_changes(before: Mapping[str, str] | None, after: Mapping[str, str]) -> list[str]:
    """The names of the added, removed and changed headers, as at most one sentence.

    `before` is None if the old headers can't be decrypted.
    """
    if before is None:
        return [f"Extra headers: replaced, now {', '.join(after) or 'none'}"]
    parts = [f"{name} added" for name in after if name not in before]
    parts += [f"{name} removed" for name in before if name not in after]
    parts += [f"{name} changed" for name in after if before.get(name, after[name]) != after[name]]
    return [f"Extra headers: {', '.join(parts)}"] if parts else []


def _locked(pk: int) -> Workspace:
    """The current row. No one else can change it until the transaction ends."""
    rows = Workspace.objects.select_for_update().defer("api_key", "extra_headers")
    workspace = rows.filter(pk=pk).first()
    if workspace is None:
        raise Http404
    return workspace


def _write(row: Workspace, form: WorkspaceForm, before: Snapshot) -> list[str]:
    """Write the columns that the form changes, and none that the worker writes.

    Returns the changes in words.
    """
    old_key = key_words(row) if row.key_set_at or form.workspace.has_key else "none"
    old_headers = _headers(row) if form.changes_headers else {}
    columns = {name: new for name, new in form.columns.items() if new != getattr(row, name)}
    if form.changes_sending:
        columns |= NO_CLAIM
    # Sync now, even without a change: the person wants to see whether it works.
    columns["next_attempt_at"] = None
    for name, value in columns.items():
        setattr(row, name, value)
    row.save(update_fields=[*columns, *form.put_secrets(row)])
    sentences = [str(each) for each in before.changes(Snapshot.of(row, form.user))]
    if form.typed.key:
        sentences.append(f"API key: {old_key} → {key_words(row)}")
    if form.changes_headers:
        sentences += header_changes(old_headers, _headers(row) or {})
    return sentences


def _headers(workspace: Workspace) -> dict[str, str] | None:
    """The stored headers; None if they can't be decrypted."""
    if is_undecryptable(workspace.extra_headers):
        return None
    return parse_headers(workspace.extra_headers)


def _record(
    request: HttpRequest,
    action: AuditEvent.Action,
    workspace: Workspace,
    sentences: Iterable[str],
    trial: Trial | None,
) -> None:
    parts = list(sentences)
    if trial and trial.error:
        parts.append(f"Saved although the test failed: {trial.error}")
    elif trial:
        parts.append(f"Anthropic accepted the key for {trial.workspace_id or 'a workspace'}")
    record(request, action, workspace=workspace, outcome="; ".join(parts))


def _change_members(request: HttpRequest, workspace: Workspace, form: WorkspaceForm) -> bool:
    """Add and remove the people that the admin added and removed. Members they can't see stay.

    Returns whether there were any.
    """
    chosen = set(form.cleaned_data["members"])
    shown = set(form.loaded.members) if form.loaded else set()
    added = {person for person in chosen if person.pk not in shown}
    removed = shown - {person.pk for person in chosen}
    _add_members(request, workspace, added)
    for person in User.objects.filter(pk__in=removed).order_by("username"):
        workspace.members.remove(person)
        record(request, Action.MEMBER_REMOVED, workspace=workspace, person=person,
               outcome="member → not a member")  # fmt: skip
    return bool(added or removed)


def _add_members(request: HttpRequest, workspace: Workspace, people: Iterable[Any]) -> None:
    for person in sorted(people, key=lambda each: each.get_username()):
        workspace.members.add(person)
        record(request, Action.MEMBER_ADDED, workspace=workspace, person=person,
               outcome="not a member → member")  # fmt: skip
