"""The project's URLs, and a view that does only what every signed-in view must."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from dashboard.urls import *  # noqa: F403
from dashboard.urls import urlpatterns as product


def bare(request: HttpRequest) -> HttpResponse:
    """Loads the session and the user, as every poll must."""
    return HttpResponse(request.user.get_username())


urlpatterns = [*product, path("bare/", bare)]
