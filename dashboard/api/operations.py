"""A route of the API: what it needs, takes and answers, and its view."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse, QueryDict

from dashboard import errors
from dashboard.api.authentication import authenticate, check_scope
from dashboard.api.parameters import Parameter, check_query
from dashboard.problems import Problem, database_problem

NOT_FOUND = (
    "It doesn’t exist, or it belongs to a workspace that this token is not for. If it was created "
    "just now, it appears within a few seconds."
)


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    `answers` has the shape of each good answer by status; `problems` the KINDS that only this
    operation has. The handler gets the body as the type `body`, or nothing if that is None.
    """

    handle: Callable[..., HttpResponse]
    summary: str
    # One of SCOPES; empty where any token will do.
    scope: str
    answers: Mapping[int, tuple[Any, str]]
    parameters: Sequence[Parameter] = ()
    body: Any = None
    is_body_optional: bool = False
    problems: Sequence[str] = field(default=())

    def call(self, request: HttpRequest, **path: Any) -> HttpResponse:
        check_scope(request, self.scope)
        check_query(request.GET, self.parameters)
        if self.body is not None:
            path["body"] = self._read(request)
        return self.handle(request, **path)

    def _read(self, request: HttpRequest) -> Any:
        try:
            content = request.body
        except RequestDataTooBig as error:
            raise Problem("body-too-large", "Nothing was changed.") from error
        if not content.strip() and self.is_body_optional:
            content = b"{}"
        try:
            return msgspec.json.decode(content, type=self.body)
        except msgspec.ValidationError as error:
            raise Problem("invalid-body", f"{error}. Nothing was changed.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            detail = "The body is not JSON. Nothing was changed."
            raise Problem("invalid-body", detail) from error


class Endpoint:
    """The view of an address: an Operation for each of its methods.

    The token is checked before anything else, so that no one learns more without one. Cookies are
    never looked at, so there is nothing that another site could forge.
    """

    access_rule = "token"
    csrf_exempt = True
    login_required = False

    def __init__(self, **operations: Operation) -> None:
        self.operations = operations

    def __call__(self, request: HttpRequest, **path: Any) -> HttpResponse:
        try:
            return self._answer(request, **path)
        except Problem as problem:
            return problem.answer()
        except Http404:
            return Problem("not-found", NOT_FOUND).answer()
        except Error as error:
            if not errors.is_outage(error):
                raise
            return database_problem(errors.RETRY_AFTER_SECONDS)

    def _answer(self, request: HttpRequest, **path: Any) -> HttpResponse:
        authenticate(request)
        if not self.operations:
            raise Http404
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method not in self.operations:
            allowed = ", ".join(self.operations)
            raise Problem("method-not-allowed", f"It has {allowed}.", headers={"Allow": allowed})
        return self.operations[method].call(request, **path)


def answer(shape: Any, status: int = 200) -> HttpResponse:
    """A Struct, as JSON. Times are in UTC, as in 2026-11-24T15:00:00Z."""
    return HttpResponse(msgspec.json.encode(shape), status=status, content_type="application/json")


def following_page(request: HttpRequest, after: str) -> str | None:
    """The absolute address of the next page; None if `after` is empty."""
    if not after:
        return None
    query = QueryDict(mutable=True)
    query.update(request.GET)
    query["after"] = after
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def page_answer(shape: Any, following: str | None) -> HttpResponse:
    """One page of a list, with a Link to the next (RFC 8288)."""
    response = answer(shape)
    if following:
        response["Link"] = f'<{following}>; rel="next"'
    return response
