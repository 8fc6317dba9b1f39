"""Faults on demand: for the next calls, or at random by rate."""

import math
import re
import threading
from dataclasses import dataclass

from batches.sandbox.chance import Draws
from batches.sandbox.spoiling import SPOILS

HTML = b"<!doctype html><html><head><title>%s</title></head><body><h1>%s</h1><hr>edge</body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """A prepared response instead of the right one: an API error, or a body that is not JSON."""

    status: int
    message: str = ""
    error_code: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    body: bytes | None = None


def _page(status: int, title: bytes) -> Fault:
    return Fault(status, content_type="text/html; charset=utf-8", body=HTML % (title, title))


# These respond before the call takes effect.
ANSWERS = {
    "400-spend": Fault(
        400, "You have reached your specified API usage limits.", "enforced_spend_limit_reached"
    ),
    "401": Fault(401, "API key is invalid."),
    "403": Fault(403, "Your API key does not have permission to use the specified resource."),
    "404": Fault(404, "Message Batch not found."),
    "409": Fault(409, "The batch is being changed by another request."),
    "413-html": _page(413, b"413 Request Entity Too Large"),
    "429": Fault(
        429, "Number of requests has exceeded your rate limit.", None, (("retry-after", "1"),)
    ),
    "429-bare": Fault(429, "Number of requests has exceeded your rate limit."),
    "429-spend": Fault(
        429, "You have reached your organization's spend limit.", "enforced_spend_limit_reached"
    ),
    "500": Fault(500, "Internal server error"),
    "502-html": _page(502, b"502 Bad Gateway"),
    "504": Fault(504, "Request timed out"),
    "529": Fault(529, "Overloaded"),
    "garbage": Fault(200, body=b'{"id": "msgbatch_\xff\x00", "data": [{]'),
    "html": _page(200, b"Sign in to the network"),
}

# `reset`: the connection breaks before the call takes effect. `timeout`: no response arrives.
# `lost`: the call takes effect, then the connection breaks. `cut`: the response breaks off
# halfway. `slow`: its first bytes arrive one by one. SPOILS only affect results files.
BREAKS = ("reset", "timeout", "lost", "cut", "slow")
KINDS = frozenset(ANSWERS) | frozenset(BREAKS) | frozenset(SPOILS)
USUAL_MIX = (
    "404", "429", "429-bare", "500", "529", "413-html", "garbage", "reset", "lost", "cut", "slow",
    "short", "half-line",
)  # fmt: skip
RESULTS_END = "/results"


def parse_faults(spec: str) -> dict[str, float]:
    """How often each fault occurs. `0.1` spreads over the usual mix; or `429=0.05,cut=0.01`.

    Faults that spoil results files affect nothing else, so other calls fail less often. Raises
    ValueError for an unknown kind, a rate outside 0 to 1, or a sum above 1.
    """
    rates: dict[str, float] = {}
    for part in re.split(r"[,\s]+", spec.strip()):
        if not part:
            continue
        kind, equals, figure = part.rpartition("=")
        rate = _rate(figure)
        kinds = (kind,) if equals else USUAL_MIX
        for each in kinds:
            if each not in KINDS:
                raise ValueError(
                    f"No fault is called {each!r}. There are: {', '.join(sorted(KINDS))}."
                )
            rates[each] = rates.get(each, 0.0) + rate / len(kinds)
    if sum(rates.values()) > 1.000001:
        raise ValueError("The rates of all faults together must not exceed 1.")
    return rates


def _rate(figure: str) -> float:
    try:
        rate = float(figure)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= 1:
        raise ValueError(f"A fault's rate must be between 0 and 1, not {figure!r}.")
    return rate


@dataclass(slots=True)
class _Ordered:
    kind: str
    times: int
    path: str


class Faults:
    """Decides which calls fail, and how. Thread-safe."""

    def __init__(self, spec: str, seed: int) -> None:
        self._rates = parse_faults(spec)
        self._seed = seed
        self._calls = 0
        self._ordered: list[_Ordered] = []
        self._lock = threading.Lock()

    def order(self, kind: str, times: int, path: str | None) -> None:
        """Make the next `times` calls whose path contains `path` fail in this way.

        Faults that spoil results files wait for calls that get results. Raises ValueError for an
        unknown kind.
        """
        if kind not in KINDS:
            raise ValueError(f"No fault is called {kind!r}. There are: {', '.join(sorted(KINDS))}.")
        with self._lock:
            self._ordered.append(_Ordered(kind, times, path or ""))

    def clear(self) -> None:
        """Cancel the ordered faults that have not occurred yet."""
        with self._lock:
            self._ordered.clear()

    def due(self, path: str) -> str:
        """The kind of fault for this call, "" for none."""
        asks_for_results = path.endswith(RESULTS_END)
        with self._lock:
            self._calls += 1
            for ordered in self._ordered:
                if ordered.kind in SPOILS and not asks_for_results:
                    continue
                if ordered.path in path and ordered.times > 0:
                    ordered.times -= 1
                    return ordered.kind
            if not self._rates:
                return ""
            chance = Draws(self._seed, "fault", self._calls).unit()
        for kind, rate in self._rates.items():
            if chance < rate:
                return kind if asks_for_results or kind not in SPOILS else ""
            chance -= rate
        return ""
