"""Where calls go and what they carry: checked once, before anything is sent."""

import re
from typing import Literal

import httpx

type Auth = Literal["x-api-key", "bearer"]

API_VERSION = "2023-06-01"
USER_AGENT = "batchboard/0.1.0"
# What may stand in a header's value without quoting; a key has no business holding anything else.
HEADER_VALUE = re.compile(r"[!-~]+")


def checked_base_url(base_url: str) -> httpx.URL:
    """The API's address; a path is kept as the prefix of every call.

    Raises ValueError, whose sentence repeats no address that holds a password.
    """
    try:
        url = httpx.URL(base_url)
        # What the resolver does later, where it would not raise an error of the network.
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError("The API's address is not a URL.") from None
    if url.userinfo:
        raise ValueError("The API's address must not hold a name or password.")
    # httpx quotes what cannot stand in a host's name instead of refusing it.
    if url.scheme not in {"http", "https"} or not url.host or "%" in url.host:
        raise ValueError("The API's address must begin with https:// or http:// and name a host.")
    if "?" in base_url or "#" in base_url:
        raise ValueError("The API's address must not hold a query or a fragment.")
    if url.port is not None and not 0 < url.port < 65_536:
        raise ValueError("The API's address names a port that cannot exist.")
    return url


def request_headers(api_key: str, *, auth: Auth, workspace_id: str) -> dict[str, str]:
    """What every request carries. Raises ValueError, whose sentence never repeats the key."""
    if not HEADER_VALUE.fullmatch(api_key):
        raise ValueError(
            "The API key is empty or holds a space, a line break or a character outside ASCII."
        )
    if workspace_id and not HEADER_VALUE.fullmatch(workspace_id):
        raise ValueError("The workspace's id holds a character that no id can have.")
    if auth not in {"x-api-key", "bearer"}:
        raise ValueError("The key is sent either as x-api-key or as bearer.")
    headers = {
        "accept": "application/json",
        "anthropic-version": API_VERSION,
        "user-agent": USER_AGENT,
    }
    if auth == "bearer":
        headers["authorization"] = f"Bearer {api_key}"
    else:
        headers["x-api-key"] = api_key
    if workspace_id:
        headers["anthropic-workspace-id"] = workspace_id
    return headers
