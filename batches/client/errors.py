"""The errors of calls to the API, by what the caller can do about them."""

from typing import ClassVar

LONGEST_MESSAGE = 500
# Identifies an answer from the edge in front of the API.
EDGE = "cf-ray "


def printable(text: str) -> str:
    """Text from outside on one line, without control or bidirectional formatting characters."""
    if text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class ApiError(Exception):
    """A call to the API failed. `str(error)` is a sentence to show to people.

    `message` is the API's message, printable and at most 500 characters long. `status` is None if
    there was no answer. `type` and `request_id` are empty if the answer had none. An answer from
    the edge in front of the API is identified by `cf-ray …` instead of a request ID.
    """

    lead: ClassVar[str] = "The call to Anthropic's API failed"
    # Whether the same call may succeed if repeated soon. An answer can override it.
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
    """A 404 for one batch, or an ID that no batch can have.

    A single 404 proves nothing. Try again minutes later.
    """

    lead = "Anthropic has no such batch"


class ApiRefused(ApiError):
    """The API understood the request and refused it. The same call will get the same answer."""

    lead = "Anthropic refused the request"


class KeyRefused(ApiRefused):
    """401, 402 or 403: Anthropic refuses this key, perhaps only temporarily."""

    lead = "Anthropic refused the key"


class TryLater(ApiError):
    """The API cannot answer now. `retry_after` is how many seconds to wait, None if unknown."""

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
    """No complete answer arrived. The call may nevertheless have taken effect."""

    lead = "Anthropic's API did not answer"
    is_transient = True


class NotTheApi(Unreachable):
    """The answer is not from the Batches API: a login page, a redirect, invalid JSON."""

    lead = "This address does not answer as the Batches API does"
    is_transient = False
