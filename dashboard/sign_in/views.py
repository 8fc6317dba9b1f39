"""Signing in and out."""

from datetime import datetime
from math import ceil
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from batches import clock
from batches.models import AuditEvent
from dashboard.recording import record
from dashboard.sign_in import limits
from dashboard.sign_in.failures import record_failure, was_counted


class SignIn(LoginView):
    """The sign-in page. It records each attempt and locks out addresses with too many failures."""

    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if until := limits.address_locked_until(request):
            return locked(request, until, of="address")
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        # If the event can't be recorded, the person isn't signed in.
        with transaction.atomic():
            record(self.request, AuditEvent.Action.SIGNED_IN, actor=form.get_user())
            return super().form_valid(form)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if was_counted(self.request):
            record_failure(self.request, form.cleaned_data["username"])
        return super().form_invalid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(is_first_start=not User.objects.exists(), **kwargs)


class SignOut(LogoutView):
    """Ends the session, and makes the browser clear the pages that it cached."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            record(request, AuditEvent.Action.SIGNED_OUT)
        response = super().post(request, *args, **kwargs)
        # Not "storage", which holds the shortcuts setting, nor "cookies", which would also clear
        # those of other hosts in the domain.
        response["Clear-Site-Data"] = '"cache"'
        return response


def page_after_sign_in(request: HttpRequest) -> str:
    """The address after signing in: the form's `next`, or the list if that is another site."""
    view = SignIn()
    view.setup(request)
    return view.get_success_url()


def locked_by_axes(
    request: HttpRequest, _response: HttpResponse | None, credentials: dict[str, str]
) -> HttpResponse:
    """The page that axes returns instead of a view's response while a username is locked."""
    until = limits.name_locked_until(request, credentials["username"])
    return locked(request, until or clock.now(), of="username")


def locked(request: HttpRequest, until: datetime, *, of: str) -> HttpResponse:
    """429 with the minutes that are left. `of` is "username" or "address"."""
    seconds = max(1, ceil((until - clock.now()).total_seconds()))
    context = {"minutes": ceil(seconds / 60), "of": of}
    response = render(request, "registration/locked_out.html", context, status=429)
    response["Retry-After"] = seconds
    return response
