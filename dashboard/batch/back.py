"""The way back from a batch's page to the list."""

from urllib.parse import urlsplit

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from dashboard.query_form import LONGEST_TEXT


def list_url(request: HttpRequest) -> str:
    """The list with the filters that led here, if the person came from it; otherwise the list."""
    plain = reverse("batch-list")
    try:
        came_from = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return plain
    if came_from.netloc != request.get_host() or came_from.path != plain:
        return plain
    query = QueryDict(came_from.query, mutable=True)
    for name in [name for name, value in query.items() if not 0 < len(value) <= LONGEST_TEXT]:
        del query[name]
    return f"{plain}?{query.urlencode()}" if query else plain
