"""The fields of a workspace's form, and which values each accepts."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.validators import RegexValidator
from django.db.models import Q

from batches.client import parse_headers
from batches.connect import address_problem
from batches.models import Workspace
from batches.models.workspace import AUTHS
from dashboard.access import visible_people
from dashboard.environment import ADMIN_KEY, AN_ADMIN_KEY, CREDENTIAL, NOT_ALONE
from dashboard.fields import OneLine, unix_lines, validate_printable
from dashboard.workspaces.snapshot import TITLES, Snapshot

# Where and how the key is sent. To change these, a person must type the key again.
SENDING = ("base_url", "auth", "anthropic_workspace_id")
# The field of a column, if its name differs: browsers fill in a person's name in a field "name".
FIELDS = {"name": "workspace_name"}
# Fields that the environment decides for its own workspace.
OF_ENVIRONMENT = (*SENDING, "new_key", "new_headers")
# If there are more people than this, those who aren't members are collapsed.
MOST_SHOWN = 24
NOT_A_CHOICE = "Someone on this list can’t be added any more. Reload the page."


class WriteOnlyTextarea(forms.Textarea):
    """Never shows what was typed or what is stored."""

    def format_value(self, value: Any) -> str:
        return ""


class PeopleField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Checkboxes of people, with their username and, if they have one, their name."""

    def label_from_instance(self, person: Any) -> str:
        notes = [person.get_full_name(), "" if person.is_active else "deactivated"]
        noted = ", ".join(note for note in notes if note)
        return f"{person.get_username()} ({noted})" if noted else str(person.get_username())


class WorkspaceFields(forms.Form):
    """The key and the headers are write-only: not even their length is shown."""

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
        validators=[RegexValidator(r"\A[A-Za-z0-9_.-]*\Z", "Anthropic’s IDs look like wrkspc_….")],
        help_text="Only for a credential that spans workspaces: the wrkspc_… to use.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    workspace_name = OneLine(
        label="Name",
        max_length=100,
        validators=[validate_printable],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    slug = forms.SlugField(
        label="Short name",
        required=False,
        help_text="Part of addresses.",
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    is_enabled = forms.BooleanField(
        label="Enabled",
        required=False,
        initial=True,
        help_text="A disabled workspace keeps its batches, but doesn’t sync, and its cancels wait. "
        "It stays disabled after a restart.",
    )
    members = PeopleField(
        User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": NOT_A_CHOICE,
            "invalid_pk_value": NOT_A_CHOICE,
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

    @property
    def is_test(self) -> bool:
        """The person pressed "Test without saving"."""
        return "test" in self.data

    def _stored(self) -> dict[str, Any]:
        if self.loaded is None:
            return {"members": [self.user.pk]}
        columns = {FIELDS.get(name, name): getattr(self.loaded, name) for name in TITLES}
        return columns | {"members": list(self.loaded.members)}

    def _people(self) -> Any:
        """The possible members: active people, and deactivated people who are members."""
        members = self.loaded.members if self.loaded else ()
        can_be = Q(is_active=True) | Q(pk__in=members)
        known = User.objects.filter(can_be, pk__in=visible_people(self.user).values("pk"))
        return known.order_by("username")

    @property
    def shows_gateway(self) -> bool:
        """Whether the fields for gateways are open: one of them is filled in or has an error."""
        names = ("new_headers", "without_headers", "anthropic_workspace_id")
        if any(name in self.errors for name in names):
            return True
        stored = self.workspace
        return not self.is_new and bool(stored.has_headers or stored.anthropic_workspace_id)

    @property
    def first_people(self) -> list[Any]:
        """The checkboxes that are always visible: all, or only the members if there are many."""
        return self._boxes()[0]

    @property
    def other_people(self) -> list[Any]:
        """The checkboxes that the page collapses."""
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
