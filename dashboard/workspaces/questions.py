"""Questions that an admin must answer before a workspace is saved.

The admin answers with a second press, whose `confirm` field names the question. If its facts have
changed in the meantime, the question is asked again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from batches.client import checked_base_url
from batches.try_key import Outcome, Trial
from dashboard.access import visible_workspaces
from dashboard.workspaces.form import WorkspaceForm

ANTHROPIC = "api.anthropic.com"
# Anthropic's keys have over 100 characters, and other services' at least this many.
SHORTEST_KEY = 20
FOREIGN = "foreign"

UNKNOWN_KEY = (
    "The key could not be tested. If Anthropic or your network is down right now, save it: the "
    "worker retries, and the workspace shows whether it works. Otherwise check the address."
)
MEANINGS = {
    Outcome.REFUSED: (
        "If you save it, this workspace doesn’t sync, and its cancels wait, until Anthropic "
        "accepts the key. Batchboard tries again every 5 minutes."
    ),
    Outcome.SILENT: UNKNOWN_KEY,
    Outcome.NOT_THE_API: UNKNOWN_KEY,
}


@dataclass(frozen=True, slots=True)
class SaveQuestion:
    """`name` identifies the question and its facts, without spaces."""

    name: str
    title: str
    meaning: str
    button: str


def before_sending(form: WorkspaceForm) -> Iterator[SaveQuestion]:
    """The questions to answer before the key is sent anywhere. Needs a valid form."""
    if form.typed.key and not looks_like_key(form):
        yield SaveQuestion(
            "odd-key",
            "This doesn’t look like an API key.",
            "Anthropic’s keys begin with sk-ant-api. If your browser filled in a password, replace "
            "it with the key, or discard the changes: the password would be sent to "
            f"{_host(form)}. Nothing has been sent yet.",
            "It is a key. Continue",
        )


def before_saving(form: WorkspaceForm, trial: Trial | None) -> Iterator[SaveQuestion]:
    """The questions to answer before the workspace is saved. Needs a valid form."""
    if trial and trial.error:
        yield SaveQuestion(
            f"failed:{trial.outcome.name}", trial.error, MEANINGS[trial.outcome], "Save anyway"
        )
    if trial and is_foreign(form, trial):
        yield _foreign(form, trial)
    elif trial and (twins := _twins(form, trial)):
        yield SaveQuestion(
            "twin",
            f"{twins} already shows this Anthropic workspace ({trial.workspace_id}).",
            "Both would list the same batches. For a person who sees both, each batch is shown and "
            "counted once.",
            "Save anyway",
        )
    if _leaves(form):
        yield SaveQuestion(
            "leaving",
            f"You would no longer be a member of {form.workspace.name}.",
            "You couldn’t see its batches or manage it any more. Another member who is an admin, "
            "or a superuser, could add you again.",
            "Remove me and save",
        )


def looks_like_key(form: WorkspaceForm) -> bool:
    """Whether the typed text can be a key for this address, rather than a password."""
    key, cleaned = form.typed.key, form.cleaned_data
    if len(key) < SHORTEST_KEY or "@" in key:
        return False
    if _host(form) == ANTHROPIC and cleaned["auth"] == "x-api-key":
        return key.startswith("sk-ant-api")
    return True


def _host(form: WorkspaceForm) -> str:
    return checked_base_url(form.cleaned_data["base_url"]).host.rstrip(".")


def is_foreign(form: WorkspaceForm, trial: Trial) -> bool:
    """Whether the key is for another Anthropic workspace than the one the batches belong to."""
    known = form.workspace.api_workspace_id
    return bool(known and trial.workspace_id and known != trial.workspace_id)


def _foreign(form: WorkspaceForm, trial: Trial) -> SaveQuestion:
    workspace = form.workspace
    return SaveQuestion(
        f"{FOREIGN}:{trial.workspace_id}",
        "This key is for another Anthropic workspace.",
        f"Anthropic’s answer is for {trial.workspace_id}. The batches of {workspace.name} belong "
        f"to {workspace.api_workspace_id}. If you save, those that the new key doesn’t list "
        "count as deleted upstream after three checks; their costs and history stay. To see "
        "both, leave this workspace as it is and add another one.",
        f"Save and switch to {trial.workspace_id}",
    )


def _twins(form: WorkspaceForm, trial: Trial) -> str:
    """The visible, enabled workspaces with the same Anthropic workspace, by name."""
    if not trial.workspace_id or trial.workspace_id == form.workspace.api_workspace_id:
        return ""
    same = visible_workspaces(form.user).exclude(pk=form.workspace.pk)
    same = same.filter(api_workspace_id=trial.workspace_id, is_enabled=True)
    return ", ".join(same.values_list("name", flat=True)[:3])


def _leaves(form: WorkspaceForm) -> bool:
    if form.loaded is None or form.user.is_superuser:
        return False
    return form.user.pk in form.loaded.members and form.user not in form.cleaned_data["members"]
