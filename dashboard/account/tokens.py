"""A person's API tokens: the list, making one, and revoking one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from batches import clock
from batches.models import Workspace
from dashboard.access import allow, may, may_manage_account, visible_people, visible_workspaces
from dashboard.api_tokens import (
    DEFAULT_DAYS,
    MOST_DAYS,
    MOST_PER_PERSON,
    SCOPES,
    TooManyTokens,
    make_token,
    revoke_token,
)
from dashboard.fields import OneLine, validate_printable
from dashboard.models import ApiToken

# Tokens that no longer work are listed as long as there is room.
MOST_SHOWN = 2 * MOST_PER_PERSON


class TokenForm(forms.Form):
    """Offers what the person's role allows, in the person's workspaces."""

    name = OneLine(max_length=100, validators=[validate_printable])
    scopes = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that the token may do."},
    )
    workspaces = forms.ModelMultipleChoiceField(
        queryset=Workspace.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one workspace."},
    )
    days = forms.IntegerField(min_value=1, max_value=MOST_DAYS)

    def __init__(self, data: Any, person: Any) -> None:
        super().__init__(data, initial={"days": DEFAULT_DAYS, "scopes": ["read"]})
        scopes: Any = self.fields["scopes"]
        scopes.choices = [
            (name, scope.words) for name, scope in SCOPES.items() if may(person, scope.thing)
        ]
        workspaces: Any = self.fields["workspaces"]
        workspaces.queryset = visible_workspaces(person)
        self.has_scopes = bool(scopes.choices)


@allow("account")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def token_list(request: HttpRequest) -> HttpResponse:
    """GET lists the person's tokens. POST makes one and shows it, once."""
    form = TokenForm(request.POST if request.method == "POST" else None, request.user)
    if form.is_valid():
        given = form.cleaned_data
        try:
            text, token = make_token(
                request,
                name=given["name"],
                scopes=given["scopes"],
                workspaces=list(given["workspaces"]),
                days=given["days"],
            )
        except TooManyTokens:
            form.add_error(None, f"You have {MOST_PER_PERSON} tokens. Revoke one first.")
        else:
            # In the answer to the POST: a redirect would need a stored token.
            context = {"text": text, "token": token, "url": request.build_absolute_uri("/api/v1")}
            return render(request, "account/token_made.html", context)
    now = clock.now()
    tokens = ApiToken.objects.filter(person=request.user.pk).prefetch_related("workspaces")
    context = {
        "form": form,
        "rows": [(token, token.state(now)) for token in tokens[:MOST_SHOWN]],
        "most_days": MOST_DAYS,
    }
    return render(request, "account/token_list.html", context)


@allow("account")
@require_http_methods(["GET", "HEAD", "POST"])
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """GET asks first. POST revokes: the owner, or an admin who manages the owner's account."""
    token = revocable_token(request.user, pk)
    is_own = token.person_id == request.user.pk
    back = resolve_url("token-list") if is_own else resolve_url("person-edit", token.person_id)
    if request.method != "POST":
        state = token.state(clock.now())
        context = {"token": token, "state": state, "is_own": is_own, "back_url": back}
        return render(request, "account/token_revoke.html", context)
    if revoke_token(request, token):
        messages.success(request, f"Revoked {token.name}. It has stopped working.")
    else:
        messages.info(request, f"{token.name} had been revoked already.")
    return redirect(back)


def revocable_token(user: Any, pk: int) -> ApiToken:
    """Raises Http404 for a token of someone whose account the user doesn't manage."""
    token = ApiToken.objects.select_related("person").filter(pk=pk).first()
    if token is None:
        raise Http404
    if token.person_id != user.pk:
        is_visible = visible_people(user).filter(pk=token.person_id).exists()
        if not (may(user, "manage") and is_visible and may_manage_account(user, token.person)):
            raise Http404
    return token
