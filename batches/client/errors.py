"""What can go wrong with a call, by what the caller can do about it."""


class ApiError(Exception):
    """A call to the Batches API failed. `str(error)` is a sentence fit to show a person.

    `status` is the HTTP status, or None without one; `type` the API's own word, or empty;
    `request_id` what the vendor's support asks for, or empty; `should_retry` what the API says
    of trying again, None when it doesn't.
    """

    should_retry: bool | None = None

    def __init__(
        self, message: str, *, status: int | None = None, type: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.message} (request id {self.request_id})" if self.request_id else self.message


class BatchNotFound(ApiError):
    """No batch with this id, at least not for this key and not at this moment."""


class ApiRefused(ApiError):
    """The API understood and said no; the same call will not fare better later."""


class KeyRefused(ApiRefused):
    """The API does not take this key (401), or not for this (403)."""


class TryLater(ApiError):
    """Busy, over a limit or broken for the moment; `retry_after` is seconds, None if unsaid."""

    retry_after: float | None = None


class Unreachable(ApiError):
    """No answer, or not a whole one: no network, a time-out, a connection cut half-way."""


class NotTheApi(Unreachable):
    """An answer, but not the API's: a proxy's page, garbage, a redirect, another shape."""
