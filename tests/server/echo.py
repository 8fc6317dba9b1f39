"""An application for gunicorn that responds with the request that it received."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator

PIECES = 40
PIECE = b"a" * 65_536
pieces_closed = threading.Event()


def app(environ: dict, start_response: Callable) -> Iterable[bytes]:
    """`/pieces` is 2.6 MB, `/page` 0.6 MB, `/broken` fails halfway, and others echo."""
    path = environ["PATH_INFO"]
    if path == "/page":
        start_response("200 OK", [("Content-Length", str(10 * len(PIECE)))])
        return [PIECE * 10]
    if path == "/pieces":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return pieces()
    if path == "/broken":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return broken()
    body = b"" if path == "/unread" else environ["wsgi.input"].read()
    asked = {
        "method": environ["REQUEST_METHOD"],
        "target": environ["RAW_URI"],
        "scheme": environ["wsgi.url_scheme"],
        "body": body.decode("latin-1"),
    }
    answer = json.dumps(asked).encode()
    length = [] if path == "/no-length" else [("Content-Length", str(len(answer)))]
    start_response("200 OK", [("Content-Type", "application/json"), *length])
    return [answer]


def pieces() -> Iterator[bytes]:
    try:
        for _ in range(PIECES):
            yield PIECE
    finally:
        pieces_closed.set()


def broken() -> Iterator[bytes]:
    yield b"the first half"
    raise RuntimeError("The second half is missing.")
