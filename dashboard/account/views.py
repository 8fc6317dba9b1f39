"""A person's own account: role, password, display, and where they are signed in."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views as auth
from django.contrib.auth.models import User
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from batches.models import AuditEvent
from dashboard.access import allow, visible_workspaces
from dashboard.account.browsers import browser_in_words
from dashboard.account.forms import GuardedPasswordChangeForm
from dashboard.display import BROWSER, THEME_COOKIE, THEMES, zone_names
from dashboard.models import Preferences
from dashboard.password_links import LinkNotValid, has_open_link, use_link
from dashboard.recording import record
from dashboard.roles import MAY, NO_ROLE_MAY, ROLES, role_in_words, role_of
from dashboard.sessions import end_sessions, sessions_of
from dashboard.words import plural

# A script that signs in again and again must not make the page endless.
MOST_SESSIONS = 20
THEME_SECONDS = 365 * 24 * 60 * 60


@allow("account")
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    sessions = [
        {
            "browser": browser_in_words(session.browser),
            "address": session.address,
            "signed_in_at": session.signed_in_at,
            "is_this": session.session_key == request.session.session_key,
        }
        for session in sessions_of(request.user)
    ]
    context = {
        "role": role_in_words(request.user),
        "may": what_the_role_allows(request.user),
        "workspaces": visible_workspaces(request.user),
        "sessions": sorted(sessions, key=lambda session: not session["is_this"])[:MOST_SESSIONS],
        "others": len(sessions) - 1,
        "unlisted": max(0, len(sessions) - MOST_SESSIONS),
        "zones": sorted(zone_names()),
        "chosen_zone": getattr(request.user, "time_zone", None) or "",
    }
    return render(request, "account/account.html", context)


def what_the_role_allows(user: Any) -> list[str]:
    """What the person's role and each role below it allow, in words."""
    role = role_of(user)
    return [MAY[name] for name in ROLES[: ROLES.index(role) + 1]] if role else [NO_ROLE_MAY]


@allow("account")
@require_POST
def display(request: Any) -> HttpResponse:
    """Saves the time zone with the person and the theme in the browser, whichever was sent."""
    zone, theme = request.POST.get("zone"), request.POST.get("theme")
    if zone is not None and zone in {"", BROWSER, *zone_names()}:
        Preferences.objects.update_or_create(person=request.user, defaults={"time_zone": zone})
        messages.success(request, "Your display settings are saved.")
    elif zone is not None:
        messages.error(request, "This time zone is not known. Choose one of the list.")
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    response = redirect(back if is_ours else "account")
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            theme,
            max_age=THEME_SECONDS,
            secure=settings.HTTPS,
            httponly=True,
            samesite="Lax",
        )
    return response


@allow("account")
@require_POST
def sign_out_others(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        ended = end_sessions(request.user, keep=request.session.session_key)
        words = f"{ended} other {plural(ended, 'session')}"
        if ended:
            record(
                request,
                AuditEvent.Action.SESSIONS_ENDED,
                person=request.user,
                outcome=f"{words} ended",
            )
    if ended:
        messages.success(request, f"Signed out of {words}.")
    else:
        messages.info(request, "You are not signed in anywhere else.")
    return redirect("account")


class PasswordChange(auth.PasswordChangeView):
    form_class = GuardedPasswordChangeForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        person = form.save(commit=False)
        with transaction.atomic():
            # Only this column: an admin may be changing the others.
            person.save(update_fields=["password"])
            update_session_auth_hash(self.request, person)
            end_sessions(person, keep=self.request.session.session_key)
            record(self.request, AuditEvent.Action.PASSWORD_CHANGED, person=person)
        messages.success(self.request, "Password changed. Your other sessions have ended.")
        return redirect("account")


class PasswordLinkPage(auth.PasswordResetConfirmView):
    """Sets a password with a link. Opening the link, as chat programs do, doesn't use it up.

    Django's view moves the token to the session and redirects, so that no Referer contains it.
    """

    template_name = "account/password_link.html"

    def get_user(self, uidb64: str) -> User | None:
        person = super().get_user(uidb64)
        return person if person is not None and has_open_link(person) else None

    def form_valid(self, form: Any) -> HttpResponse:
        token = self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        try:
            with transaction.atomic():
                person = use_link(form.user.pk, token, form.cleaned_data["new_password1"])
                record(self.request, AuditEvent.Action.PASSWORD_SET, actor=person, person=person)
        except LinkNotValid:
            self.validlink = False
            return self.render_to_response(self.get_context_data())
        del self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        messages.success(self.request, "Your password is set. Sign in with it.")
        return redirect("login")
