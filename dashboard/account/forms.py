"""The form with which a signed-in person changes their password."""

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from batches.models import AuditEvent
from dashboard.audit.recording import record


class GuardedPasswordChangeForm(PasswordChangeForm):
    """Checks the current password as a sign-in does, so that wrong ones are counted and locked."""

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
            self.record_guess()
            raise ValidationError("This is not your current password.", code="password_incorrect")
        return password

    def record_guess(self) -> None:
        """Record a wrong password, but none during a lock: the audit must not be flooded."""
        # None or beyond the limit when axes didn't let it be tried.
        failures = self.request.axes_failures_since_start
        if failures and failures <= settings.AXES_FAILURE_LIMIT:
            record(
                self.request,
                AuditEvent.Action.SIGN_IN_FAILED,
                person=self.user,
                outcome="wrong current password, when changing the password",
            )
