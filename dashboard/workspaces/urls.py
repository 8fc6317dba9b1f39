"""Placeholders of the addresses, until the pages are built."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from dashboard.access import allow, allow_anyone


@allow("manage")
def stub(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse(status=501)


urlpatterns = [
    path("", stub, name="workspace-list"),
    path("add/", stub, name="workspace-add"),
    path("<int:pk>/", stub, name="workspace-edit"),
    path("<int:pk>/delete/", stub, name="workspace-delete"),
    path("<int:pk>/accept/", stub, name="workspace-accept"),
]
