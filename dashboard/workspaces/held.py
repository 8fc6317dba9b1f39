"""Secrets that a person has typed, kept while they answer a question about them.

Key and headers are write-only, so a page that comes back with a question can't repeat them, and
typing them again invites mistakes. They travel in a hidden field instead: encrypted and
authenticated with the key that stored secrets are encrypted with, for HELD_SECONDS, and usable
only by the same person, for the same workspace, address and kind of key. Nothing is kept on the
server, and someone who finds the field can neither read it nor have it sent elsewhere.
"""

import json
from typing import NamedTuple

from cryptography.fernet import InvalidToken

from batches.fields import fernet

HELD_SECONDS = 600


class Secrets(NamedTuple):
    """What was typed; empty where nothing was."""

    key: str = ""
    headers: str = ""


class Binding(NamedTuple):
    """Who typed secrets, and where they may be sent. `workspace` is 0 for a new one."""

    person: int
    workspace: int
    address: str
    auth: str


def seal(secrets: Secrets, binding: Binding) -> str:
    """The secrets as text that a page can carry; empty when there are none."""
    if not any(secrets):
        return ""
    text = json.dumps({"secrets": secrets, "binding": binding})
    return fernet().encrypt(text.encode()).decode()


def unseal(token: str, binding: Binding) -> Secrets | None:
    """The secrets in a token of `seal`; None for one that is too old, or of another binding."""
    try:
        text = fernet().decrypt(token.encode(), ttl=HELD_SECONDS)
        held = json.loads(text)
    except (InvalidToken, ValueError):
        return None
    # A stored secret, encrypted with the same key, could be anything.
    if not isinstance(held, dict) or held.get("binding") != list(binding):
        return None
    return Secrets(*held["secrets"])
