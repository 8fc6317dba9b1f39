"""The form of one workspace: what may be typed, and when the key must be typed again."""

import copy
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.validators import RegexValidator
from django.db.models import Q

from batches import clock
from batches.client import parse_headers
from batches.connect import address_problem
from batches.fields import is_undecryptable
from batches.models import Workspace
from batches.models.workspace import AUTHS
from dashboard.access import visible_people
from dashboard.environment import ADMIN_KEY, AN_ADMIN_KEY, CREDENTIAL, NOT_ALONE
from dashboard.views.labels import OneLine, printable, unix_lines
from dashboard.workspaces.held import Binding, Secrets, seal, unseal
from dashboard.workspaces.snapshot import TITLES, Snapshot

# Where the key goes, and how: whoever changes these must have the key.
SENDING = ("base_url", "auth", "anthropic_workspace_id")
# The field of a column, where it differs: a field called "name" is taken for a user's.
FIELDS = {"name": "workspace_name"}
# Of the environment's workspace, the environment decides these.
OF_ENVIRONMENT = (*SENDING, "new_key", "new_headers")
# More people than this are folded away, but for the members.
MOST_SHOWN = 24


class WriteOnlyTextarea(forms.Textarea):
    """Never repeats what was typed, or what is stored."""

    def format_value(self, value: Any) -> str:
        return ""


class PeopleField(forms.ModelMultipleChoiceField):
    """Checkboxes of people, by user name and, where there is one, by name."""

    def label_from_instance(self, person: Any) -> str:
        notes = [person.get_full_name(), "" if person.is_active else "deactivated"]
        noted = ", ".join(note for note in notes if note)
        return f"{person.get_username()} ({noted})" if noted else str(person.get_username())


class WorkspaceForm(forms.Form):
    """Key and headers can be written and never read back: not even their length is shown."""

    new_key = forms.CharField(
        label="API key",
        required=False,
        help_text="Stored encrypted, and never shown again.",
        max_length=1000,
        validators=[RegexValidator(rf"\A{CREDENTIAL.pattern}\Z", f"The key {NOT_ALONE}")],
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
    )
    base_url = forms.CharField(
        label="Address",
        max_length=300,
        initial="https://api.anthropic.com",
        help_text="https://api.anthropic.com, or the address of your gateway, without /v1.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "inputmode": "url", "spellcheck": "false"}
        ),
    )
    auth = forms.ChoiceField(
        label="Kind of key",
        choices=AUTHS,
        initial="x-api-key",
        help_text="How the key is sent. Anthropic’s API keys are sent as x-api-key.",
        widget=forms.RadioSelect,
    )
    new_headers = forms.CharField(
        label="Extra headers",
        required=False,
        help_text="One “Name: value” a line. Stored encrypted, and never shown again.",
        max_length=10_000,
        widget=WriteOnlyTextarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
    )
    without_headers = forms.BooleanField(label="Remove the stored extra headers", required=False)
    anthropic_workspace_id = forms.CharField(
        label="Anthropic workspace ID",
        required=False,
        max_length=100,
        validators=[
            RegexValidator(r"\A[A-Za-z0-9_.-]*\Z", "An ID of Anthropic’s looks like wrkspc_….")
        ],
        help_text="Only for a credential that spans workspaces: the wrkspc_… to act in.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    workspace_name = OneLine(
        label="Name",
        max_length=100,
        validators=[printable],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    slug = forms.SlugField(
        label="Short name",
        required=False,
        help_text="Part of addresses.",
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    is_enabled = forms.BooleanField(label="Enabled", required=False, initial=True)
    members = PeopleField(
        User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": "Someone on this list can’t be added any more. Reload the page.",
            "invalid_pk_value": "Someone on this list can’t be added any more. Reload the page.",
        },
    )

    def __init__(self, user: Any, workspace: Workspace, data: Any = None) -> None:
        self.user = user
        self.workspace = workspace
        self.loaded = None if self.is_new else Snapshot.of(workspace, user)
        super().__init__(data, initial=self._stored())
        self.fields["members"].queryset = self._people()  # type: ignore[attr-defined]
        # A key can be tested before the workspace has a name.
        self.fields["workspace_name"].required = not self.is_test
        if workspace.from_environment:
            for name in OF_ENVIRONMENT:
                del self.fields[name]
        self.typed = Secrets()
        # For the page that asks about them.
        self.held = ""

    def _stored(self) -> dict[str, Any]:
        if self.loaded is None:
            return {"members": [self.user.pk]}
        columns = {FIELDS.get(name, name): getattr(self.loaded, name) for name in TITLES}
        return columns | {"members": list(self.loaded.members)}

    def _people(self) -> Any:
        """Who can be a member: the active people, and members who are deactivated."""
        members = self.loaded.members if self.loaded else ()
        can_be = Q(is_active=True) | Q(pk__in=members)
        known = User.objects.filter(can_be, pk__in=visible_people(self.user).values("pk"))
        return known.order_by("username")

    @property
    def first_people(self) -> list[Any]:
        """The checkboxes of the members, and of other people as long as they are few."""
        return self._boxes()[0]

    @property
    def other_people(self) -> list[Any]:
        """The checkboxes that a page folds away."""
        return self._boxes()[1]

    def _boxes(self) -> tuple[list[Any], list[Any]]:
        boxes = list(self["members"])
        if len(boxes) <= MOST_SHOWN:
            return boxes, []
        chosen = [box for box in boxes if box.data["selected"]]
        return chosen, [box for box in boxes if not box.data["selected"]]

    @property
    def is_new(self) -> bool:
        return self.workspace._state.adding

    @property
    def is_test(self) -> bool:
        """The person wants the answer, and nothing saved."""
        return "test" in self.data

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

    def clean_base_url(self) -> str:
        address = str(self.cleaned_data["base_url"])
        if problem := address_problem(address):
            raise forms.ValidationError(problem)
        return address

    def clean_new_key(self) -> str:
        key = str(self.cleaned_data["new_key"])
        if key.startswith(ADMIN_KEY):
            raise forms.ValidationError(f"This is {AN_ADMIN_KEY}")
        return key

    def clean_new_headers(self) -> str:
        text = unix_lines(self.cleaned_data["new_headers"]).strip()
        try:
            parse_headers(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
        return text

    def clean_workspace_name(self) -> str:
        name = str(self.cleaned_data["workspace_name"])
        if self._others().filter(name__iexact=name).exists():
            raise forms.ValidationError("Another workspace has this name. Choose another one.")
        return name

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"])
        if not slug and not self.is_new:
            return self.workspace.slug
        if slug and self._others().filter(slug=slug).exists():
            raise forms.ValidationError(
                "Another workspace has this short name. Choose another one."
            )
        return slug

    def _others(self) -> Any:
        return Workspace.objects.exclude(pk=self.workspace.pk)

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
