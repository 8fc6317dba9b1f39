"""The form with which a signed-in person changes their password."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from dashboard.sign_in.failures import record_failure, was_counted


class GuardedPasswordChangeForm(PasswordChangeForm):
    """Checks the current password as a sign-in does, so that wrong ones count and lock."""

    def __init__(self, *args: Any, request: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.request = request
        self.fields["old_password"].label = "Current password"
        self.fields["new_password1"].label = "New password"
        self.fields["new_password2"].label = "New password again"

    @sensitive_variables("password")
    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        name = self.user.get_username()
        if authenticate(self.request, username=name, password=password) is None:
            if was_counted(self.request):
                record_failure(self.request, name, where="when changing the password")
            raise ValidationError("This is not your current password.", code="password_incorrect")
        return password
