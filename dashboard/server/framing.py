"""Decides when a client has sent a whole request.

This only determines when gunicorn gets the bytes. gunicorn's parser reads them again and alone
decides what they mean and where the request ends. A request that the parser will refuse counts as
complete here, so that it is refused at once.
"""

import re
from enum import Enum, auto

LARGEST_HEAD_BYTES = 64 * 1024
# Twice DATA_UPLOAD_MAX_MEMORY_SIZE: Django's own page answers a form that is a little too long.
LARGEST_BODY_BYTES = 512 * 1024
# Longer than the longest chunk size line that gunicorn accepts (http/body.py).
LONGEST_LINE_BYTES = 16 * 1024
FIELD = re.compile(
    rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*)", re.IGNORECASE
)
# Browsers send none, curl one for each 64 KiB. Millions of tiny ones would keep the poller busy.
MOST_CHUNKS = 4096
LONE_LINE_FEED = re.compile(rb"(?<!\r)\n")
CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}")


class Stage(Enum):
    """How much of the next request has arrived."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()
    COMPLETE = auto()
    HEAD_TOO_LARGE = auto()
    BODY_TOO_LARGE = auto()


class Framing:
    """Follows one request as its bytes arrive."""

    def __init__(self) -> None:
        self.expects_continue = False
        self._body_at = 0
        self._is_chunked = False
        # Where the body ends or, if it is chunked, where its next chunk begins.
        self._next = 0
        self._chunks = 0
        # How much of the head has been searched.
        self._seen = 0

    def stage(self, data: bytearray) -> Stage:
        """How much has arrived of the request that `data` begins with.

        Each call must pass the bytes of the previous call, with more added.
        """
        if not data:
            return Stage.NOTHING
        if not self._body_at:
            end = data.find(b"\r\n\r\n", max(0, self._seen - 3))
            if end < 0:
                return self._stage_of_open_head(data)
            self._read_head(bytes(data[: end + 4]))
        if self._body_at > LARGEST_HEAD_BYTES:
            return Stage.HEAD_TOO_LARGE
        if self._is_whole(data):
            return Stage.COMPLETE
        body_bytes = max(self._next, len(data)) - self._body_at
        if body_bytes > LARGEST_BODY_BYTES or self._chunks > MOST_CHUNKS:
            return Stage.BODY_TOO_LARGE
        return Stage.BODY

    def _stage_of_open_head(self, data: bytearray) -> Stage:
        seen, self._seen = self._seen, len(data)
        if LONE_LINE_FEED.search(data, seen):
            # gunicorn refuses it, and such a head may never end in an empty line.
            return Stage.COMPLETE
        return Stage.HEAD_TOO_LARGE if len(data) > LARGEST_HEAD_BYTES else Stage.HEAD

    def _read_head(self, head: bytes) -> None:
        self._body_at = self._next = len(head)
        fields = [
            (name.lower(), value.strip(b" \t").lower()) for name, value in FIELD.findall(head)
        ]
        lengths = [value for name, value in fields if name == b"content-length"]
        codings = [value for name, value in fields if name == b"transfer-encoding"]
        is_http_1_1 = head.lstrip(b"\r\n").partition(b"\r\n")[0].endswith(b" HTTP/1.1")
        self.expects_continue = is_http_1_1 and (b"expect", b"100-continue") in fields
        if codings:
            # With a length as well, gunicorn refuses it.
            self._is_chunked = not lengths and codings[-1].endswith(b"chunked")
        elif len(lengths) == 1 and lengths[0].isdigit():
            # The first 18 digits show that a number is too large.
            self._next += int(lengths[0].lstrip(b"0")[:18] or b"0")

    def _is_whole(self, data: bytearray) -> bool:
        if not self._is_chunked:
            return len(data) >= self._next
        while self._next < len(data) and self._chunks <= MOST_CHUNKS:
            line_end = data.find(b"\r\n", self._next)
            if line_end < 0:
                return len(data) - self._next > LONGEST_LINE_BYTES
            size = data[self._next : line_end].partition(b";")[0].rstrip(b" \t")
            if not CHUNK_SIZE.fullmatch(size):
                return True
            if int(size, 16) == 0:
                # The empty line follows the last chunk, or the trailers after it.
                return data.find(b"\r\n\r\n", line_end) >= 0
            self._next = line_end + 2 + int(size, 16) + 2
            self._chunks += 1
        return False
