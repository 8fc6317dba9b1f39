"""The API's error responses."""

from http import HTTPStatus

import msgspec

# The API's pairs of status and error type.
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    411: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class RefusalError(Exception):
    """An API error: its status, message and headers. The status determines the error's type."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        error_code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_code = error_code
        self.headers = headers or {}

    def body(self, request_id: str) -> bytes:
        """The error in the API's JSON envelope."""
        error: dict[str, object] = {"type": ERROR_TYPES[self.status], "message": self.message}
        if self.error_code:
            error["details"] = {"error_code": self.error_code}
        return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def status_line(status: int) -> str:
    """The status as WSGI needs it: the number and its phrase."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        # 529 is not a registered status.
        return f"{status} Overloaded"


def unknown_batch(batch_id: str) -> RefusalError:
    """The 404 for a batch that the workspace does not have."""
    return RefusalError(404, f"Message Batch {batch_id[:200]} not found.")
