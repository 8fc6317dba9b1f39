"""The product's addresses, and beside them the least that a signed-in view can do."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from dashboard.urls import *  # noqa: F403
from dashboard.urls import urlpatterns as product


def bare(request: HttpRequest) -> HttpResponse:
    """Session and user, no more: what no poll can do without."""
    return HttpResponse(request.user.get_username())


urlpatterns = [*product, path("bare/", bare)]
