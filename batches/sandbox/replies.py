"""The sandbox's HTTP responses, and bodies that break off or arrive slowly."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

SLOW_BYTES = 20
RESULTS_TYPE = "application/x-jsonl"


@dataclass(slots=True)
class Reply:
    """One HTTP response; `body` is bytes or, for results, a stream of blocks."""

    status: int
    body: bytes | Iterator[bytes]
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, **headers: str) -> "Reply":
        """A 200 with the value as JSON. Underscores in header names become hyphens."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(200, msgspec.json.encode(value), headers=named)

    def all_headers(self, common: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """All headers. A stream gets no content-length, so the server sends it in chunks."""
        headers = [("content-type", self.content_type), *common, *self.headers.items()]
        if isinstance(self.body, bytes):
            headers.append(("content-length", str(len(self.body))))
        return headers

    def blocks(self) -> Iterator[bytes]:
        """The body, block by block."""
        if isinstance(self.body, bytes):
            yield self.body
        else:
            yield from self.body


def cut(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Half of the first block, then ConnectionAbortedError."""
    block = next(blocks, b"")
    yield block[: len(block) // 2]
    raise ConnectionAbortedError("The sandbox cut the body off: fault 'cut'.")


def slowed(blocks: Iterator[bytes], pause: Callable[[], object]) -> Iterator[bytes]:
    """The first bytes one at a time with a pause before each, then the rest unchanged."""
    block = next(blocks, b"")
    for at in range(min(SLOW_BYTES, len(block))):
        pause()
        yield block[at : at + 1]
    yield block[SLOW_BYTES:]
    yield from blocks
