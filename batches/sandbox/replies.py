"""Answers on their way out, and the ways in which they break."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

SLOW_BYTES = 20
RESULTS_TYPE = "application/x-jsonl"


@dataclass(slots=True)
class Reply:
    """One HTTP answer; `body` is bytes or, for results, a stream of blocks."""

    status: int
    body: bytes | Iterator[bytes]
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, **headers: str) -> "Reply":
        """Reply 200 with a value as JSON; header names are given with underscores."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(200, msgspec.json.encode(value), headers=named)

    def all_headers(self, common: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return every header; a stream has no length, so that a server sends it in chunks."""
        headers = [("content-type", self.content_type), *common, *self.headers.items()]
        if isinstance(self.body, bytes):
            headers.append(("content-length", str(len(self.body))))
        return headers

    def blocks(self) -> Iterator[bytes]:
        """Yield the body."""
        if isinstance(self.body, bytes):
            yield self.body
        else:
            yield from self.body


def cut(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield half of the first block, then raise ConnectionAbortedError."""
    block = next(blocks, b"")
    yield block[: len(block) // 2]
    raise ConnectionAbortedError("The sandbox cut the body off, as it was told to.")


def slowed(blocks: Iterator[bytes], pause: Callable[[], object]) -> Iterator[bytes]:
    """Yield the first bytes one at a time with a pause before each, the rest as it comes."""
    block = next(blocks, b"")
    for at in range(min(SLOW_BYTES, len(block))):
        pause()
        yield block[at : at + 1]
    yield block[SLOW_BYTES:]
    yield from blocks
