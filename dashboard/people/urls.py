"""Placeholders of the addresses, until the pages are built."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from dashboard.access import allow, allow_anyone


@allow("manage")
def stub(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse(status=501)


urlpatterns = [
    path("", stub, name="person-list"),
    path("add/", stub, name="person-add"),
    path("<int:pk>/", stub, name="person-edit"),
    path("<int:pk>/link/", stub, name="person-link"),
    path("<int:pk>/sign-out/", stub, name="person-sign-out"),
]
