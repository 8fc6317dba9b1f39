"""The routes of the JSON API, under /api/v1/."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from dashboard.api import batches, me, spend
from dashboard.api.description import describe
from dashboard.api.operations import Endpoint, Operation, answer

ROOT = "/api/v1"


def get_description(_request: HttpRequest) -> HttpResponse:
    return answer(description())


def description() -> dict[str, Any]:
    """The OpenAPI 3.1 description of all routes below."""
    return describe(urlpatterns, ROOT)


OPENAPI = Operation(
    get_description, "This description", scope="", answers={200: (None, "OpenAPI 3.1")}
)

urlpatterns = [
    path("me", Endpoint(GET=me.ME), name="api-me"),
    path("batches", Endpoint(GET=batches.LIST), name="api-batches"),
    path(
        "batches/<batch:api_id>", Endpoint(GET=batches.GET, PATCH=batches.LABEL), name="api-batch"
    ),
    path("batches/<batch:api_id>/cancel", Endpoint(POST=batches.CANCEL), name="api-cancel"),
    path("batches/<batch:api_id>/failures", Endpoint(GET=batches.FAILURES), name="api-failures"),
    path("spend", Endpoint(GET=spend.SPEND), name="api-spend"),
    path("openapi.json", Endpoint(GET=OPENAPI), name="api-openapi"),
    # Whatever else is asked for needs a token, too, and gets an answer that programs can read.
    path("<path:rest>", Endpoint(), name="api-unknown"),
]
