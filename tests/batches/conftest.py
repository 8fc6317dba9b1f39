"""A results file written by hand, at the API as one batch's."""

from collections.abc import Callable, Iterable
from datetime import timedelta

import httpx
import pytest

from batches import connect
from batches.models import Batch


@pytest.fixture
def answering(mirrored, monkeypatch) -> Callable[..., Batch]:
    """A function that makes an ended batch of so many requests, whose results file is these bytes.

    The bytes may come in pieces, and a piece may be an error that httpx raises. A generator runs
    as it is read.
    """

    def answering(
        pieces: bytes | Iterable[bytes | Exception], *, requests: int, **details
    ) -> Batch:
        batch = mirrored(status="ended", requests=requests, **details)
        given = [pieces] if isinstance(pieces, bytes) else pieces

        def stream():
            for piece in given:
                if isinstance(piece, Exception):
                    raise piece
                yield piece

        def answer(request: httpx.Request) -> httpx.Response:
            assert request.url.path.endswith(f"/{batch.api_id}/results")
            return httpx.Response(200, content=stream())

        connect.forget_clients()
        monkeypatch.setattr(connect, "transport", lambda: httpx.MockTransport(answer))
        return batch

    return answering


@pytest.fixture
def ended(mirrored) -> Callable[..., Batch]:
    """A function that mirrors an ended batch of the sandbox's."""

    def ended(**details) -> Batch:
        return mirrored(
            status="ended", **({"requests": 20, "duration": timedelta(minutes=9)} | details)
        )

    return ended
