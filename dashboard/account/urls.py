"""Placeholders of the addresses, until the pages are built."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from dashboard.access import allow, allow_anyone


@allow("account")
def stub(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse(status=501)


urlpatterns = [
    path("", stub, name="account"),
    path("password/", stub, name="password-change"),
    path("sign-out-others/", stub, name="sign-out-others"),
    path("link/<uidb64>/<token>/", stub, name="password-link"),
]
