"""The form of one workspace: when its key must be typed again, and what of it would be saved."""

import copy
from typing import Any

from batches import clock
from batches.fields import is_undecryptable
from batches.models import Workspace
from dashboard.workspaces.fields import FIELDS, SENDING, WorkspaceFields
from dashboard.workspaces.held import Binding, Secrets, seal, unseal
from dashboard.workspaces.snapshot import TITLES, Snapshot


class WorkspaceForm(WorkspaceFields):
    """A stored secret goes nowhere but where it went before; to change that, it is typed again."""

    def __init__(self, user: Any, workspace: Workspace, data: Any = None) -> None:
        super().__init__(user, workspace, data)
        self.typed = Secrets()
        # For the page that asks about them.
        self.held = ""

    @property
    def seen(self) -> Snapshot | None:
        """The workspace as the person saw it; None when the page did not say."""
        return Snapshot.read(str(self.data.get("seen", "")), self.workspace)

    @property
    def seen_token(self) -> str:
        """For the page: what it shows as stored."""
        if self.is_bound:
            return str(self.data.get("seen", ""))
        return self.loaded.sealed(self.workspace) if self.loaded else ""

    @property
    def columns(self) -> dict[str, Any]:
        """The columns as they were typed, by the model's names. Needs a valid form."""
        cleaned = self.cleaned_data
        names = {name: FIELDS.get(name, name) for name in TITLES}
        return {name: cleaned[field] for name, field in names.items() if field in cleaned}

    @property
    def changes_sending(self) -> bool:
        """Where, how or with which secrets the API is called would differ. Needs `clean`."""
        if self.workspace.from_environment:
            return self.changes_headers
        return self.is_new or bool(self.typed.key) or self._changes_the_way()

    def _changes_the_way(self) -> bool:
        """Anything about the sending but the key itself would differ."""
        typed = {name: self.cleaned_data.get(name) for name in SENDING}
        return self.changes_headers or any(
            value != getattr(self.workspace, name) for name, value in typed.items()
        )

    @property
    def changes_headers(self) -> bool:
        """Headers were typed, or are to be removed. Needs `clean`."""
        return bool(self.typed.headers or self.cleaned_data.get("without_headers"))

    def candidate(self) -> Workspace:
        """The workspace as it would be saved, to try its key. Needs a valid form."""
        made = copy.copy(self.workspace)
        for name, value in self.columns.items():
            setattr(made, name, value)
        self.put_secrets(made)
        return made

    def put_secrets(self, workspace: Workspace) -> list[str]:
        """Give the workspace the secrets that were typed; the columns to save."""
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
        # A field that has an error of its own says enough.
        if "new_key" in cleaned and (problem := self._key_problem()):
            self.add_error("new_key", problem)
        if "new_headers" in cleaned and (problem := self._headers_problem()):
            self.add_error("new_headers", problem)
        return cleaned

    def _take_secrets(self, cleaned: dict[str, Any]) -> None:
        """Take what was typed now, and what was typed before and is held by the page."""
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
                    "Paste the key again: it was kept for ten minutes, and only for the same "
                    "address and kind of key.",
                )
        if cleaned.get("without_headers"):
            before = Secrets(before.key)
        self.typed = Secrets(key or before.key, headers or before.headers)
        self.held = seal(self.typed, binding)

    def _key_problem(self) -> str:
        """Why the key must be typed, in a sentence; empty when it need not be."""
        if self.typed.key:
            return ""
        if self.is_new:
            return "A workspace needs the API key whose batches it shows."
        if not (self.changes_sending or self.is_test):
            return ""
        if is_undecryptable(self.workspace.api_key):
            return "The stored key can’t be decrypted: type it again."
        if not self.workspace.api_key:
            return "No key is stored yet: type it."
        if self.changes_sending:
            return "Type the key again: with this change the stored one would be sent elsewhere."
        return ""

    def _headers_problem(self) -> str:
        """Why the headers must be typed again or removed; empty when they need not be."""
        if self.changes_headers or self.is_new:
            return ""
        if not (self.changes_sending or self.is_test) or not self.workspace.has_headers:
            return ""
        if is_undecryptable(self.workspace.extra_headers):
            return "The stored headers can’t be decrypted: type them again, or remove them."
        if self.cleaned_data.get("base_url") != self.workspace.base_url:
            return (
                "Type the headers again, or remove them: with this address the stored ones would "
                "be sent elsewhere."
            )
        return ""
