"""The form of a workspace: when the key must be typed again, and what would be saved."""

import copy
from typing import Any

from batches import clock
from batches.fields import is_undecryptable
from batches.models import Workspace
from dashboard.workspaces.fields import FIELDS, SENDING, WorkspaceFields
from dashboard.workspaces.held import Binding, Secrets, seal, unseal
from dashboard.workspaces.snapshot import TITLES, Snapshot


class WorkspaceForm(WorkspaceFields):
    """Stored secrets are only sent where they were sent before. To change that, type them again."""

    def __init__(self, user: Any, workspace: Workspace, data: Any = None) -> None:
        super().__init__(user, workspace, data)
        self.typed = Secrets()
        # The typed secrets, sealed, for the page's hidden field.
        self.held = ""

    @property
    def seen(self) -> Snapshot | None:
        """The workspace as the page showed it; None if the form doesn't say."""
        return Snapshot.read(str(self.data.get("seen", "")), self.workspace)

    @property
    def seen_token(self) -> str:
        """The page's hidden field that says what it showed."""
        if self.is_bound:
            return str(self.data.get("seen", ""))
        return self.loaded.sealed(self.workspace) if self.loaded else ""

    @property
    def columns(self) -> dict[str, Any]:
        """The typed values by the model's column names. Needs a valid form."""
        cleaned = self.cleaned_data
        names = {name: FIELDS.get(name, name) for name in TITLES}
        return {name: cleaned[field] for name, field in names.items() if field in cleaned}

    @property
    def changes_sending(self) -> bool:
        """Where, how or with which secrets the API is called would change. Needs `clean`."""
        if self.workspace.from_environment:
            return self.changes_headers
        return self.is_new or bool(self.typed.key) or self._changes_route()

    def _changes_route(self) -> bool:
        """The address, the kind of key, the workspace ID or the headers would change."""
        typed = {name: self.cleaned_data.get(name) for name in SENDING}
        return self.changes_headers or any(
            value != getattr(self.workspace, name) for name, value in typed.items()
        )

    @property
    def changes_headers(self) -> bool:
        """Headers were typed or would be removed. Needs `clean`."""
        return bool(self.typed.headers or self.cleaned_data.get("without_headers"))

    def candidate(self) -> Workspace:
        """The workspace as it would be saved, to test its key. Needs a valid form."""
        candidate = copy.copy(self.workspace)
        for name, value in self.columns.items():
            setattr(candidate, name, value)
        self.put_secrets(candidate)
        return candidate

    def put_secrets(self, workspace: Workspace) -> list[str]:
        """Set the typed secrets on the workspace. Return the names of the changed columns."""
        now, written = clock.now(), []
        if self.typed.key:
            workspace.set_key(self.typed.key, now)
            written += ["api_key", "key_hint", "key_set_at"]
        if self.changes_headers:
            workspace.extra_headers = self.typed.headers
            workspace.headers_set_at = now
            written += ["extra_headers", "headers_set_at"]
        return written

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.workspace.from_environment:
            if self.is_test and not self.workspace.key:
                self.add_error(None, "ANTHROPIC_API_KEY is not set for the web process.")
            return cleaned
        self._take_secrets(cleaned)
        if cleaned.get("new_headers") and cleaned.get("without_headers"):
            self.add_error("without_headers", "Either type new headers or remove the stored ones.")
        # A field with an error of its own needs no second one.
        if "new_key" in cleaned and (problem := self._key_problem()):
            self.add_error("new_key", problem)
        if "new_headers" in cleaned and (problem := self._headers_problem()):
            self.add_error("new_headers", problem)
        return cleaned

    def _take_secrets(self, cleaned: dict[str, Any]) -> None:
        """Take the secrets that were typed now, or typed before and held by the page."""
        key, headers = cleaned.get("new_key", ""), cleaned.get("new_headers", "")
        token = str(self.data.get("held", ""))
        if not {"base_url", "auth"} <= cleaned.keys():
            self.typed = Secrets(key, headers)
            return
        binding = Binding(
            self.user.pk, self.workspace.pk or 0, cleaned["base_url"], cleaned["auth"]
        )
        before = unseal(token, binding) if token else Secrets()
        if before is None:
            before = Secrets()
            if not key:
                self.add_error(
                    "new_key",
                    "Paste the key again: Batchboard keeps it for ten minutes, and only for the "
                    "same address and kind of key.",
                )
        if cleaned.get("without_headers"):
            before = Secrets(before.key)
        self.typed = Secrets(key or before.key, headers or before.headers)
        self.held = seal(self.typed, binding)

    def _key_problem(self) -> str:
        """A sentence that says why the key must be typed; empty if it needn't be."""
        if self.typed.key:
            return ""
        if self.is_new:
            return "A workspace needs the API key whose batches it shows."
        if not (self.changes_sending or self.is_test):
            return ""
        if is_undecryptable(self.workspace.api_key):
            return "The stored key can’t be decrypted. Type it again."
        if not self.workspace.api_key:
            return "No key is stored yet. Type it."
        if self.changes_sending:
            return "Type the key again: this change would send the stored one elsewhere."
        return ""

    def _headers_problem(self) -> str:
        """A sentence that says why the headers must be typed again or removed, or an empty one."""
        if self.changes_headers or self.is_new:
            return ""
        if not (self.changes_sending or self.is_test) or not self.workspace.has_headers:
            return ""
        if is_undecryptable(self.workspace.extra_headers):
            return "The stored headers can’t be decrypted. Type them again, or remove them."
        if self.cleaned_data.get("base_url") != self.workspace.base_url:
            return (
                "Type the headers again, or remove them: this address would send the stored ones "
                "elsewhere."
            )
        return ""
