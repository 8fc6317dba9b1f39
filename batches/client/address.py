"""Checks the API's address and the headers of calls before anything is sent."""

import re
from collections.abc import Mapping
from typing import Literal

import httpx

from batches.client.environment import is_loopback

type Auth = Literal["x-api-key", "bearer"]

API_VERSION = "2023-06-01"
USER_AGENT = "batchboard/0.1.0"
# Characters that are safe in a header's value. No key contains others.
HEADER_WORD = re.compile(r"[!-~]+")
HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
# A token of RFC 9110, 5.6.2.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Set by this client, or by HTTP itself.
FORBIDDEN_HEADERS = frozenset(
    {
        "accept-encoding",
        "anthropic-version",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-api-key",
    }
)
PLAIN_HTTP = (
    "The API's address begins with http://, so anyone on the network could read the key. Use https://,"
    " or set BATCHBOARD_ALLOW_HTTP=1 and restart."
)
# Endings that belong to a call. Many tools want /v1 in the address, so it is often included.
CALL_PATH = re.compile(r"/v1(/messages(/batches)?)?/*$")


def checked_base_url(base_url: str, *, allow_http: bool = True) -> httpx.URL:
    """The API's address. Its path, without `/v1` at the end, is the prefix of every call.

    Without `allow_http`, only this machine may be called over plain HTTP. Raises ValueError, whose
    message never repeats an address that contains a password.
    """
    try:
        url = httpx.URL(base_url)
        # The resolver does this too, but its exception would not be a network error.
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError("The API's address is not a URL.") from None
    if url.userinfo:
        raise ValueError("The API's address must not contain a username or password.")
    # httpx quotes invalid characters in a host name instead of refusing them.
    if url.scheme not in {"http", "https"} or not url.host or "%" in url.host:
        raise ValueError(
            "The API's address must begin with https:// or http:// and contain a host name."
        )
    if "?" in base_url or "#" in base_url:
        raise ValueError("The API's address must not contain a query or a fragment.")
    if url.port is not None and not 0 < url.port < 65_536:
        raise ValueError("The API's address has an invalid port.")
    if url.scheme == "http" and not (allow_http or is_loopback(url)):
        raise ValueError(PLAIN_HTTP)
    if ending := CALL_PATH.search(path := url.raw_path.decode("ascii")):
        return url.copy_with(raw_path=path[: ending.start()].encode("ascii") or b"/")
    return url


def parse_headers(text: str) -> dict[str, str]:
    """Extra headers, one `Name: value` per line, as in the SDK's ANTHROPIC_CUSTOM_HEADERS.

    Raises ValueError for a line without a colon, which the SDK would ignore, and for headers that
    cannot be sent. Its message never repeats a value.
    """
    headers: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
        elif line.strip():
            raise ValueError(f"Line {number} of the extra headers is not of the form Name: value.")
    return checked_headers(headers)


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The same headers. Raises ValueError, whose message never repeats a value."""
    seen: set[str] = set()
    for name, value in headers.items():
        # A line without a valid name may be a secret, so it is not repeated.
        if not HEADER_NAME.fullmatch(name) or len(name) > 100:
            raise ValueError(
                "An extra header has a name that is empty or contains an invalid character."
            )
        if name.lower() in FORBIDDEN_HEADERS:
            raise ValueError(
                f"The extra header {name} is not allowed, as Batchboard sets it itself."
            )
        if name.lower() in seen:
            raise ValueError(f"The extra header {name} is given twice.")
        if not HEADER_VALUE.fullmatch(value):
            raise ValueError(
                f"The extra header {name} is empty or contains a line break or a character"
                " outside ASCII."
            )
        seen.add(name.lower())
    return dict(headers)


def request_headers(
    api_key: str, *, auth: Auth, workspace_id: str, extra: Mapping[str, str]
) -> dict[str, str]:
    """The headers of every call. Raises ValueError, whose message never repeats a secret."""
    if not HEADER_WORD.fullmatch(api_key):
        raise ValueError(
            "The API key is empty or contains a space, a line break or a character outside ASCII."
        )
    if workspace_id and not HEADER_WORD.fullmatch(workspace_id):
        raise ValueError("The workspace ID contains a character that is not allowed in IDs.")
    if auth not in {"x-api-key", "bearer"}:
        raise ValueError("The key can only be sent as x-api-key or bearer.")
    headers = {
        "accept": "application/json",
        # A compressed answer of a few kB could fill the memory.
        "accept-encoding": "identity",
        "anthropic-version": API_VERSION,
        "user-agent": USER_AGENT,
    }
    headers |= {name.lower(): value for name, value in checked_headers(extra).items()}
    if auth == "bearer":
        headers["authorization"] = f"Bearer {api_key}"
    else:
        headers["x-api-key"] = api_key
    if workspace_id:
        headers["anthropic-workspace-id"] = workspace_id
    return headers
