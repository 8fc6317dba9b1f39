"""What can go wrong in a call to the Batches API, sorted by what the caller can do about it."""

from typing import ClassVar

LONGEST_MESSAGE = 500


def printable(text: str) -> str:
    """Text from outside on one line, without control characters or the ones that turn writing."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class ApiError(Exception):
    """A call to the Batches API failed. `str(error)` is a sentence fit to show a person.

    `message` is the API's own words, printable and at most 500 characters long. `status` is None
    where no answer came; `type` and `request_id` are empty where the answer held none.
    """

    lead: ClassVar[str] = "The call to the API failed"
    # Whether the same call, repeated soon, may fare better; an answer may know better.
    is_transient: bool = False

    def __init__(
        self, message: str = "", *, status: int | None = None, type: str = "", request_id: str = ""
    ) -> None:
        self.message = printable(message)[:LONGEST_MESSAGE]
        self.status = status
        self.type = type
        self.request_id = request_id
        super().__init__(self.message)

    def __str__(self) -> str:
        code = " ".join(str(part) for part in (self.status, self.type) if part)
        sentence = self.lead + (f" ({code})" if code else "")
        sentence += f": {self.message}" if self.message else "."
        return sentence + (f" (request id {self.request_id})" if self.request_id else "")


class BatchNotFound(ApiError):
    """404, or an id that no batch can have. One 404 proves nothing: ask again minutes later."""

    lead = "The API has no such batch"


class ApiRefused(ApiError):
    """The API understood and said no; the same call will get the same answer."""

    lead = "The API refused the request"


class KeyRefused(ApiRefused):
    """401 or 403: nothing will work until the key, or what it may do, is changed."""

    lead = "The API refused the key"


class TryLater(ApiError):
    """The API cannot answer now. `retry_after` is the seconds it asked for, None if it did not."""

    lead = "The API asks to try again later"
    is_transient = True

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        status: int | None = None,
        type: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message, status=status, type=type, request_id=request_id)
        self.retry_after = retry_after


class Unreachable(ApiError):
    """No whole answer came: no network, a timeout, a cut body. What was asked may have happened."""

    lead = "No answer from the API"
    is_transient = True


class NotTheApi(Unreachable):
    """Something answered, but not as the Batches API does: a login page, a redirect, garbage."""

    lead = "This address does not answer as the Batches API does"
    is_transient = False
