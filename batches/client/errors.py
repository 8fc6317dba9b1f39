"""What can go wrong in a call to the Batches API, sorted by what the caller can do about it."""

from typing import ClassVar

LONGEST_MESSAGE = 500
# How an answer is named that never reached the API: by the edge in front of it.
EDGE = "cf-ray "


def printable(text: str) -> str:
    """Text from outside on one line, without control or bidirectional formatting characters."""
    if text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class ApiError(Exception):
    """A call to the Batches API failed. `str(error)` is a sentence fit to show a person.

    `message` is the API's own words, printable and at most 500 characters long. `status` is None
    where no answer came. `type` and `request_id` are empty where the answer held none; an answer
    from the edge in front of the API is identified by `cf-ray …` instead of a request ID.
    """

    lead: ClassVar[str] = "The call to Anthropic's API failed"
    # Whether the same call, repeated soon, may succeed. An answer may say otherwise.
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
        if not self.request_id:
            return sentence
        kind = "" if self.request_id.startswith(EDGE) else "request ID "
        return f"{sentence} ({kind}{self.request_id})"


class BatchNotFound(ApiError):
    """404 for one batch, or an ID that no batch can have.

    One 404 proves nothing: ask again minutes later.
    """

    lead = "Anthropic has no such batch"


class ApiRefused(ApiError):
    """The API understood the request and refused it. The same call will get the same answer."""

    lead = "Anthropic refused the request"


class KeyRefused(ApiRefused):
    """401, 402 or 403: Anthropic refuses this key now; it may pass."""

    lead = "Anthropic refused the key"


class TryLater(ApiError):
    """The API cannot answer now. `retry_after` is the seconds it asked for, None if it did not."""

    lead = "Anthropic asks to try again later"
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
    """No complete answer came: no network, a timeout, a cut body. The request may have been met."""

    lead = "Anthropic's API did not answer"
    is_transient = True


class NotTheApi(Unreachable):
    """Something answered, but not as the Batches API does: a login page, a redirect, garbage."""

    lead = "This address does not answer as the Batches API does"
    is_transient = False
