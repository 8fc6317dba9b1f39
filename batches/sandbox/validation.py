"""Validates the body of a create call: what the API refuses, and what it lets fail later."""

import re
from typing import Any

import msgspec

from batches.sandbox.refusals import RefusalError

MOST_REQUESTS = 100_000
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MODEL = re.compile(r"claude-[a-z0-9.-]{1,60}")


class Request(msgspec.Struct, frozen=True):
    """One request of a create call. `problem` says why its params are invalid."""

    custom_id: str
    model: str
    error_type: str = ""
    problem: str = ""


def parse_create(body: bytes) -> list[Request]:
    """The requests of a create call's JSON body.

    Raises RefusalError (400) where the API refuses the whole call, with the API's message where
    it is known. Invalid `params` are accepted, as in the API, and result in errored lines.
    """
    fields = _object(body, "The request body is not valid JSON.")
    if "requests" not in fields:
        raise RefusalError(400, "requests: Field required")
    try:
        items = msgspec.json.decode(fields["requests"], type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RefusalError(400, "requests: Input should be a valid list") from None
    if not items:
        raise RefusalError(
            400, "requests: List should have at least 1 item after validation, not 0"
        )
    if len(items) > MOST_REQUESTS:
        raise RefusalError(
            400,
            f"requests: List should have at most {MOST_REQUESTS} items after validation,"
            f" not {len(items)}",
        )
    requests = [_request(at, item) for at, item in enumerate(items)]
    _refuse_duplicates(requests)
    return requests


def _object(raw: bytes | msgspec.Raw, problem: str) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusalError(400, problem) from None


def _request(at: int, raw: msgspec.Raw) -> Request:
    fields = _object(raw, f"requests.{at}: Input should be a valid dictionary")
    for name in ("custom_id", "params"):
        if name not in fields:
            raise RefusalError(400, f"requests.{at}.{name}: Field required")
    try:
        custom_id = msgspec.json.decode(fields["custom_id"], type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RefusalError(
            400, f"requests.{at}.custom_id: Input should be a valid string"
        ) from None
    if not CUSTOM_ID.fullmatch(custom_id):
        raise RefusalError(
            400,
            f"requests.{at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'",
        )
    return _with_params(custom_id, fields["params"])


def _with_params(custom_id: str, raw: msgspec.Raw) -> Request:
    try:
        params = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        params = None
    if not isinstance(params, dict):
        return Request(
            custom_id, "", "invalid_request_error", "params: Input should be a valid dictionary"
        )
    if problem := _problem_with(params):
        return Request(custom_id, "", "invalid_request_error", problem)
    model = params["model"]
    if not MODEL.fullmatch(model):
        return Request(custom_id, "", "not_found_error", f"model: {model[:100]}")
    return Request(custom_id, model)


def _problem_with(params: dict[str, Any]) -> str:
    for name, kind, named in (
        ("model", str, "string"),
        ("max_tokens", int, "integer"),
        ("messages", list, "list"),
    ):
        if name not in params:
            return f"{name}: Field required"
        if not isinstance(params[name], kind) or isinstance(params[name], bool):
            return f"{name}: Input should be a valid {named}"
    if params["max_tokens"] < 1:
        return "max_tokens: Input should be greater than or equal to 1"
    if not params["messages"]:
        return "messages: at least one message is required"
    for at, message in enumerate(params["messages"]):
        if not isinstance(message, dict):
            return f"messages.{at}: Input should be a valid dictionary"
        if message.get("role") not in ("user", "assistant", "system"):
            return f"messages.{at}.role: Input should be 'user' or 'assistant'"
        if not isinstance(message.get("content"), str | list):
            return f"messages.{at}.content: Field required"
    return ""


def _refuse_duplicates(requests: list[Request]) -> None:
    seen: set[str] = set()
    for request in requests:
        if request.custom_id in seen:
            raise RefusalError(
                400,
                "requests: custom_id's must be unique within a batch."
                f" Duplicate custom_id found: {request.custom_id}",
            )
        seen.add(request.custom_id)
