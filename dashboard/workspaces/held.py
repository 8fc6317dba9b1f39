"""Keeps the secrets that a person typed while they answer a question about them.

The key and the headers are write-only, so a page that asks a question can't show them again, and
typing them twice invites mistakes. The page carries them in a hidden field instead, encrypted and
authenticated with the key that encrypts stored secrets. The field is valid for HELD_SECONDS, and
only for the same person, workspace, address and kind of key. The server stores nothing, and
someone who finds the field can neither read it nor have its secrets sent elsewhere.
"""

import json
from typing import NamedTuple

from cryptography.fernet import InvalidToken

from batches.fields import fernet

HELD_SECONDS = 600


class Secrets(NamedTuple):
    """The typed key and headers, or empty texts."""

    key: str = ""
    headers: str = ""


class Binding(NamedTuple):
    """Who typed the secrets, and where they may be sent. `workspace` is 0 for a new one."""

    person: int
    workspace: int
    address: str
    auth: str


def seal(secrets: Secrets, binding: Binding) -> str:
    """The secrets as encrypted text for a hidden field; empty if there are none."""
    if not any(secrets):
        return ""
    text = json.dumps({"secrets": secrets, "binding": binding})
    return fernet().encrypt(text.encode()).decode()


def unseal(token: str, binding: Binding) -> Secrets | None:
    """The secrets in a token from `seal`; None if it is too old or has another binding."""
    try:
        text = fernet().decrypt(token.encode(), ttl=HELD_SECONDS)
        held = json.loads(text)
    except (InvalidToken, ValueError):
        return None
    # The token could be a stored secret, which is encrypted with the same key.
    if not isinstance(held, dict) or held.get("binding") != list(binding):
        return None
    return Secrets(*held["secrets"])
