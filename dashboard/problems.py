"""What the JSON API answers when something is wrong: application/problem+json (RFC 9457)."""

from typing import Any, NamedTuple

import structlog
from django.http import HttpRequest, JsonResponse

API_PATH = "/api/"
REALM = 'Bearer realm="Batchboard"'


class Kind(NamedTuple):
    status: int
    title: str


# By the last part of `type`. Programs can rely on it; the sentences may change.
KINDS = {
    "invalid-query": Kind(400, "The query is not valid"),
    "invalid-body": Kind(400, "The body is not valid"),
    "bad-request": Kind(400, "The request can’t be understood"),
    "no-token": Kind(401, "This needs an API token"),
    "unknown-token": Kind(401, "This API token doesn’t exist"),
    "expired-token": Kind(401, "This API token has expired"),
    "revoked-token": Kind(401, "This API token was revoked"),
    "inactive-person": Kind(401, "The owner of this API token is deactivated"),
    "https-required": Kind(403, "This API needs HTTPS"),
    "missing-scope": Kind(403, "This API token doesn’t allow this"),
    "missing-role": Kind(403, "The role of the token’s owner doesn’t allow this"),
    "not-found": Kind(404, "There is nothing at this address"),
    "method-not-allowed": Kind(405, "This address doesn’t have this method"),
    "nothing-to-cancel": Kind(409, "There was nothing left to cancel"),
    "cancel-refused": Kind(409, "The API refused to cancel this batch"),
    "too-many-pending": Kind(409, "Too many batches wait for their labels"),
    "body-too-large": Kind(413, "The body is too large"),
    "too-many-calls": Kind(429, "Too many calls with this token"),
    "too-many-failures": Kind(429, "Too many calls without a valid token"),
    "error": Kind(500, "Something went wrong in Batchboard"),
    "database-unavailable": Kind(503, "The database is not available right now"),
}


class Problem(Exception):
    """Ends a call with one of KINDS. `members` are further members of the answer."""

    def __init__(
        self, kind: str, detail: str, *, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail
        self.headers, self.members = headers or {}, members

    def answer(self) -> JsonResponse:
        status, title = KINDS[self.kind]
        response = JsonResponse(
            {
                "type": f"urn:batchboard:{self.kind}",
                "title": title,
                "status": status,
                "detail": self.detail,
                # The log has it in every line about the call.
                "request_id": structlog.contextvars.get_contextvars().get("request_id"),
                **self.members,
            },
            status=status,
            headers=self.headers,
            content_type="application/problem+json",
            json_dumps_params={"ensure_ascii": False},
        )
        if status == 401:
            response.headers.setdefault("WWW-Authenticate", REALM)
        return response


def is_for_api(request: HttpRequest) -> bool:
    """Whether an error is for a program, which can't read a page."""
    return request.path_info.startswith(API_PATH)


def database_problem(retry_after: int) -> JsonResponse:
    """503 while the database is locked, full, read-only or down."""
    detail = "Nothing was changed, or your request may have been saved. Check, and try again."
    headers = {"Retry-After": str(retry_after)}
    return Problem("database-unavailable", detail, headers=headers).answer()
