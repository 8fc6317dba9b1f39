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
from dashboard.roles import MAY, NO_ROLE_MAY

NO_ROLE = "none"
ROLE_CHOICES = [*MAY.items(), (NO_ROLE, NO_ROLE_MAY)]
STATE_CHOICES = [
    ("active", "can sign in"),
    ("deactivated", "can't sign in and is signed out everywhere; nothing is deleted"),
]
# The fields that are left out when the admin can't manage the person's account.
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
    # Of the details that the form was filled with.
    version = forms.CharField(required=False)

    def __init__(
        self, data: QueryDict | None, *, admin: Any, current: Details, person: User | None = None
    ) -> None:
        super().__init__(data, initial=shown(current))
        self.admin, self.person, self.current = admin, person, current
        # Whether someone else changed the person after the form was shown.
        self.is_conflict = False
        self.is_account_editable = person is None or may_manage_account(admin, person)
        workspaces: Any = self.fields["workspaces"]
        workspaces.queryset = visible_workspaces(admin)
        for name in self.left_out():
            del self.fields[name]

    def left_out(self) -> tuple[str, ...]:
        if not self.is_account_editable:
            return ACCOUNT_FIELDS
        if self.person is None:
            return ("state",)
        # A superuser may do everything whatever their role.
        return ("role",) if self.person.is_superuser else ()

    def clean_state(self) -> str:
        state: str = self.cleaned_data["state"]
        if state == "deactivated" and self.person == self.admin:
            raise forms.ValidationError("You can't deactivate yourself. Ask another admin.")
        return state

    def clean(self) -> dict[str, Any]:
        stored = shown(self.current)
        if not self.is_account_editable and any(
            name in self.data and self.data[name] != stored[name] for name in ACCOUNT_FIELDS
        ):
            raise forms.ValidationError(f"{OUT_OF_REACH} Nothing was saved.")
        return self.cleaned_data

    @property
    def next_version(self) -> str:
        """The version for the page's form.

        After a conflict, saving again overwrites the other change, which the page has shown. After
        any other error the version stays that of the first page, so that no conflict is missed.
        """
        if self.is_bound and not self.is_conflict:
            return str(self.data.get("version", ""))
        return self.current.version

    @property
    def details(self) -> Details:
        """The details to save, of a valid form. What it has no field for keeps its value."""
        given = {**shown(self.current), **self.cleaned_data}
        return Details(
            username=given["username"],
            email=given["email"],
            role="" if given["role"] == NO_ROLE else given["role"],
            is_active=given["state"] == "active",
            workspaces=frozenset(workspace.pk for workspace in self.cleaned_data["workspaces"]),
        )


def shown(details: Details) -> dict[str, Any]:
    """The details as the form's fields hold them."""
    return {
        "username": details.username,
        "email": details.email,
        "role": details.role or NO_ROLE,
        "state": "active" if details.is_active else "deactivated",
        "workspaces": list(details.workspaces),
    }
