"""The form that adds and edits a person."""

from typing import Any

from django import forms
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.http import QueryDict

from batches.models import Workspace
from dashboard.access import may_manage_account, visible_workspaces
from dashboard.people.details import OUT_OF_REACH, Details
from dashboard.roles import MAY, NO_ROLE, NO_ROLE_MAY

ROLE_CHOICES = [*MAY.items(), (NO_ROLE, NO_ROLE_MAY)]
STATE_CHOICES = [
    ("active", "can sign in"),
    ("deactivated", "can’t sign in and is signed out everywhere; nothing is deleted"),
]
# The fields that an admin who can't manage the person's account doesn't get.
ACCOUNT_FIELDS = ("username", "email", "role", "state")


class PersonForm(forms.Form):
    username = UsernameField(max_length=150, validators=[UnicodeUsernameValidator()])
    email = forms.EmailField(required=False, max_length=254)
    role = forms.ChoiceField(choices=ROLE_CHOICES, widget=forms.RadioSelect)
    state = forms.ChoiceField(choices=STATE_CHOICES, widget=forms.RadioSelect)
    workspaces = forms.ModelMultipleChoiceField(
        Workspace.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": "A workspace was deleted or is no longer yours. Reload the page."
        },
    )
    # The version of the details that the form showed.
    version = forms.CharField(required=False)

    def __init__(
        self, data: QueryDict | None, *, admin: Any, current: Details, person: User | None = None
    ) -> None:
        super().__init__(data, initial=field_values(current))
        self.admin, self.person, self.current = admin, person, current
        # Whether someone else changed the person after the form was shown.
        self.is_conflict = False
        self.is_account_editable = person is None or may_manage_account(admin, person)
        workspaces: Any = self.fields["workspaces"]
        workspaces.queryset = visible_workspaces(admin)
        for name in self.excluded_fields():
            del self.fields[name]

    def excluded_fields(self) -> tuple[str, ...]:
        if not self.is_account_editable:
            return ACCOUNT_FIELDS
        if self.person is None:
            return ("state",)
        # A superuser may do everything whatever their role.
        return ("role",) if self.person.is_superuser else ()

    def clean_state(self) -> str:
        state: str = self.cleaned_data["state"]
        if state == "deactivated" and self.person == self.admin:
            raise forms.ValidationError("You can’t deactivate yourself. Ask another admin.")
        return state

    def clean(self) -> dict[str, Any]:
        stored = field_values(self.current)
        if not self.is_account_editable and any(
            name in self.data and self.data[name] != stored[name] for name in ACCOUNT_FIELDS
        ):
            raise forms.ValidationError(f"{OUT_OF_REACH} Nothing was saved.")
        return self.cleaned_data

    @property
    def next_version(self) -> str:
        """The version that the page sends with the next save.

        After a conflict it is the current one: the page shows the other change, and saving again
        overwrites it. After any other error it stays as it was, so that no conflict is missed.
        """
        if self.is_bound and not self.is_conflict:
            return str(self.data.get("version", ""))
        return self.current.version

    @property
    def details(self) -> Details:
        """The details to save. Those without a field stay as they are. Needs a valid form."""
        given = {**field_values(self.current), **self.cleaned_data}
        return Details(
            username=given["username"],
            email=given["email"],
            role="" if given["role"] == NO_ROLE else given["role"],
            is_active=given["state"] == "active",
            workspaces=frozenset(workspace.pk for workspace in self.cleaned_data["workspaces"]),
        )


def field_values(details: Details) -> dict[str, Any]:
    """The details as values of the form's fields."""
    return {
        "username": details.username,
        "email": details.email,
        "role": details.role or NO_ROLE,
        "state": "active" if details.is_active else "deactivated",
        "workspaces": list(details.workspaces),
    }
