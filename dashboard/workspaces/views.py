"""The pages that list, add, edit and delete workspaces."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batches import clock
from batches.mirror.workspaces import deletion_of
from batches.models import Workspace
from batches.try_key import Outcome, Trial, try_key
from dashboard.access import allow, visible_workspaces
from dashboard.health import health_of
from dashboard.workspaces import questions, saving
from dashboard.workspaces.conflict import merged
from dashboard.workspaces.form import WorkspaceForm
from dashboard.workspaces.listing import State, environment_variable, listed
from dashboard.workspaces.snapshot import Snapshot

# Fields that the form of a question doesn't repeat, or sends with another value.
NOT_REPEATED = {"csrfmiddlewaretoken", "new_key", "new_headers", "held", "confirm"}


@allow("manage")
@require_safe
def workspace_list(request: HttpRequest) -> HttpResponse:
    context = {"rows": listed(request.user), "variable": environment_variable()}
    return render(request, "workspaces/workspace_list.html", context)


@allow("manage")
@never_cache
@sensitive_post_parameters("new_key", "new_headers", "held")
@require_http_methods(["GET", "HEAD", "POST"])
def workspace_add(request: HttpRequest) -> HttpResponse:
    return form_answer(request, Workspace())


@allow("manage")
@never_cache
@sensitive_post_parameters("new_key", "new_headers", "held")
@require_http_methods(["GET", "HEAD", "POST"])
def workspace_edit(request: HttpRequest, pk: int) -> HttpResponse:
    return form_answer(request, workspace_or_404(request, pk))


@allow("manage")
@require_POST
def workspace_accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept the list of a key that seems to belong to another Anthropic workspace."""
    workspace = workspace_or_404(request, pk)
    if workspace.hold == Workspace.Hold.FOREIGN:
        saving.accept(request, workspace)
        messages.success(
            request,
            f"The list of {workspace.name} is accepted. Batches that it lacks count as deleted "
            "upstream after three checks.",
        )
    else:
        messages.info(request, f"Nothing to accept: the key of {workspace.name} is not on hold.")
    return redirect("workspace-edit", pk)


class DeleteForm(forms.Form):
    name = forms.CharField(strip=False, required=False, max_length=200)


@allow("manage")
@require_http_methods(["GET", "HEAD", "POST"])
def workspace_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """GET says what is deleted and what is kept. POST deletes if the name is typed exactly."""
    workspace = workspace_or_404(request, pk)
    form = DeleteForm(request.POST or None)
    if form.is_valid() and form.cleaned_data["name"] == workspace.name:
        saving.delete(request, workspace)
        messages.success(request, f"{workspace.name} is deleted from Batchboard.")
        return redirect("workspace-list")
    context = {
        "workspace": workspace,
        "deletion": deletion_of(workspace),
        "is_wrong": request.method == "POST",
        "variable": environment_variable(),
    }
    return render(request, "workspaces/workspace_delete.html", context)


def workspace_or_404(request: HttpRequest, pk: int) -> Workspace:
    workspace: Workspace = get_object_or_404(visible_workspaces(request.user).for_admins(), pk=pk)
    return workspace


def form_answer(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The form, a question before it is saved, or a redirect after it was saved."""
    if request.method != "POST":
        return page(request, WorkspaceForm(request.user, workspace))
    form = WorkspaceForm(request.user, workspace, request.POST)
    if not form.is_valid():
        return page(request, form)
    if question := unanswered(request, questions.before_sending(form)):
        return page(request, form, question=question)
    trial = None
    if form.is_test or form.changes_sending:
        try:
            trial = try_key(form.candidate())
        except ValueError as error:
            form.add_error("new_key" if form.typed.key else None, str(error))
            return page(request, form)
    if form.is_test or (trial and trial.outcome == Outcome.BUSY):
        return page(request, form, trial=trial)
    if question := unanswered(request, questions.before_saving(form, trial)):
        return page(request, form, trial=trial, question=question)
    return saved(request, form, trial)


def saved(request: HttpRequest, form: WorkspaceForm, trial: Trial | None) -> HttpResponse:
    """Save and redirect to the list; if someone else was quicker, the form again."""
    name = form.cleaned_data["workspace_name"]
    try:
        if form.is_new:
            saving.add(request, form, trial)
            is_changed = True
        else:
            is_changed = saving.save_workspace(request, form, trial)
    except saving.ChangedMeanwhile as conflict:
        return page_of_conflict(request, form, conflict.current)
    except IntegrityError:
        return page(request, checked_again(request, form))
    report(request, name, trial, is_changed=is_changed)
    return redirect("workspace-list")


def checked_again(request: HttpRequest, form: WorkspaceForm) -> WorkspaceForm:
    """The form with its errors as of now, such as a name that has been taken since."""
    again = WorkspaceForm(request.user, form.workspace, request.POST)
    if again.is_valid():
        again.add_error(None, "Something changed while this was being saved. Save again.")
    return again


def page_of_conflict(request: HttpRequest, form: WorkspaceForm, current: Snapshot) -> HttpResponse:
    """The form with what was typed and what someone else has changed since it was shown."""
    workspace = workspace_or_404(request, form.workspace.pk)
    again = WorkspaceForm(request.user, workspace, merged(form, current))
    again.full_clean()
    changes = form.seen.all_changes(current) if form.seen else []
    return page(request, again, is_conflict=True, changes=changes)


def report(request: HttpRequest, name: str, trial: Trial | None, *, is_changed: bool) -> None:
    """Add a message about what was saved and how the test ended."""
    if not is_changed:
        messages.info(request, "No changes to save.")
    elif trial is None:
        messages.success(request, f"{name} is saved.")
    elif trial.error:
        messages.warning(request, f"{name} is saved, although its key failed the test.")
    else:
        messages.success(request, f"{name} is saved. {accepted(trial)}")


def accepted(trial: Trial) -> str:
    if not trial.workspace_id:
        return "Anthropic accepted the key, but didn’t say which workspace it is for."
    return f"Anthropic accepted the key. It is for the Anthropic workspace {trial.workspace_id}."


def unanswered(
    request: HttpRequest, asked: Iterator[questions.SaveQuestion]
) -> questions.SaveQuestion | None:
    """The first question that the form doesn't confirm."""
    answered = request.POST.get("confirm", "").split()
    return next((question for question in asked if question.name not in answered), None)


def page(
    request: HttpRequest,
    form: WorkspaceForm,
    *,
    trial: Trial | None = None,
    question: questions.SaveQuestion | None = None,
    is_conflict: bool = False,
    changes: Any = (),
) -> HttpResponse:
    workspace = form.workspace
    context = {
        "form": form,
        "workspace": workspace,
        "state": State(health_of(workspace, clock.now())) if workspace.pk else None,
        "variable": environment_variable(),
        "trial": trial,
        "accepted": accepted(trial) if trial and not trial.error else "",
        "question": question,
        "repeated": repeated(request.POST, question) if question else [],
        "is_conflict": is_conflict,
        "changes": changes,
    }
    return render(request, "workspaces/workspace_form.html", context)


def repeated(data: QueryDict, question: questions.SaveQuestion) -> list[tuple[str, str]]:
    """The hidden fields of the question's form: what was typed, except secrets, and the answers."""
    fields = [
        (name, str(value))
        for name, values in data.lists()
        if name not in NOT_REPEATED
        for value in values
    ]
    answers = dict.fromkeys([*data.get("confirm", "").split(), question.name])
    return [*fields, ("confirm", " ".join(answers))]
