"""Redacts the key and the values of extra headers in everything that the API sends.

A gateway may echo what it was sent, in an error or in a field of a successful answer. This is for
accidents: a server that wants to reveal a key can encode it in an unrecognizable way.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

KEY = b"[API key]"
HEADER = b"[header value]"
# Shorter texts are not secrets, and redacting them would garble the API's words.
SHORTEST_SECRET = 8
# Longer secrets are also recognized by their beginning, as logs often truncate them.
LONG_SECRET = 20
PREFIX_LENGTH = 16
# In longer bodies escapes are not decoded, as that takes a second for a few MiB.
LONGEST_UNESCAPED_BYTES = 1024 * 1024
# Words of the API's answers. A header with such a value ("in_progress") is not a secret, and
# redacting it would make every batch unreadable.
VOCABULARY = (
    "id type message_batch processing_status in_progress canceling ended request_counts processing "
    "succeeded errored canceled expired ended_at created_at expires_at archived_at "
    "cancel_initiated_at results_url https://api.anthropic.com/v1/messages/batches/msgbatch_ "
    "data has_more first_id last_id error request_id message invalid_request_error "
    "message_batch_deleted workspace_id amount currency requests starting_at ending_at "
    "next_page data_refreshed_at text/event-stream application/json application/x-jsonl"
)
# A character that JSON can escape unnecessarily, or an escape that must not change.
ESCAPE = re.compile(rb"\\(?:u00([2-7][0-9A-Fa-f])|.)", re.DOTALL)


class Redactor:
    """Replaces secrets in untrusted text.

    Recognizes them in any case, quoted for a URL, in base64, with JSON escapes, and long ones by
    their first characters.
    """

    def __init__(self, key: str, header_values: Iterable[str] = ()) -> None:
        self._rules = [
            (_pattern(secret), [form.lower() for form in _forms(secret)], replacement)
            for secret, replacement in _secrets(key, header_values)
        ]

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def redact(self, body: bytes) -> bytes:
        """The body with all secrets replaced; the same object if there are none."""
        plain = body
        if b"\\" in body and len(body) <= LONGEST_UNESCAPED_BYTES:
            plain = ESCAPE.sub(_unescaped, body)
        redacted = self._replaced(plain)
        return body if redacted is plain else redacted

    def redact_text(self, text: str) -> str:
        """The text with all secrets replaced; the same object if there are none."""
        body = text.encode("utf-8", "surrogatepass")
        redacted = self._replaced(body)
        return text if redacted is body else redacted.decode("utf-8", "surrogatepass")

    def holds_secret(self, text: str) -> bool:
        """Whether the text contains a secret."""
        return self.redact_text(text) is not text

    def _replaced(self, body: bytes) -> bytes:
        lower = body.lower()
        for pattern, forms, replacement in self._rules:
            # Most bodies contain none, and this check is far faster than the pattern.
            if any(form in lower for form in forms):
                body = pattern.sub(replacement, body)
                lower = body.lower()
        return body


def _secrets(key: str, header_values: Iterable[str]) -> Iterator[tuple[bytes, bytes]]:
    yield from _if_secret(key, KEY)
    for value in header_values:
        # "Bearer …" may be echoed without its first word.
        for part in sorted({value, *value.split()}, key=len, reverse=True):
            if part.lower() not in VOCABULARY:
                yield from _if_secret(part, HEADER)


def _if_secret(text: str, replacement: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(text) >= SHORTEST_SECRET:
        yield text.encode(), replacement


def _pattern(secret: bytes) -> re.Pattern[bytes]:
    forms = [re.escape(form) for form in sorted(_forms(secret), key=len, reverse=True)]
    if len(secret) > LONG_SECRET:
        # With the rest of the secret, up to the end of the token.
        forms.append(re.escape(secret[:PREFIX_LENGTH]) + rb"[\w.~+/=%-]*")
    return re.compile(b"|".join(forms), re.IGNORECASE)


def _forms(secret: bytes) -> set[bytes]:
    in_json = json.dumps(secret.decode())[1:-1].encode()
    forms = {secret, in_json, quote(secret, safe="").encode()}
    for skipped in range(3):
        # Base64 of a longer text contains the secret in one of three forms, depending on where it
        # starts. Its first and last characters also depend on the text around it.
        encoded = base64.b64encode(b"\0" * skipped + secret).rstrip(b"=")
        inner = encoded[(0, 2, 3)[skipped] : (len(encoded) if _is_whole(skipped, secret) else -1)]
        forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    if len(secret) > LONG_SECRET:
        forms.add(secret[:PREFIX_LENGTH])
    return forms


def _is_whole(skipped: int, secret: bytes) -> bool:
    return (skipped + len(secret)) % 3 == 0


def _unescaped(escape: re.Match[bytes]) -> bytes:
    if escape[0] == rb"\/":
        return b"/"
    if escape[1] is None:
        return escape[0]
    character = bytes([int(escape[1], 16)])
    return escape[0] if character in b'"\\\x7f' else character
