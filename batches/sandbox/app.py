"""The sandbox as a WSGI app, including the controls that tests use."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from batches.sandbox.access import Access
from batches.sandbox.calls import Call
from batches.sandbox.chance import Draws
from batches.sandbox.clock import Clock, wall_clock
from batches.sandbox.controls import Controls
from batches.sandbox.faults import ANSWERS, Faults
from batches.sandbox.organization import ORGANIZATION, Organization
from batches.sandbox.refusals import RefusalError, status_line
from batches.sandbox.replies import RESULTS_TYPE, Reply, cut, slowed
from batches.sandbox.resume import open_state
from batches.sandbox.routes import Routes
from batches.sandbox.seeding import Drip, seed_world
from batches.sandbox.spoiling import SPOILS
from batches.sandbox.throttle import Throttle
from batches.sandbox.transport import SandboxTransport
from batches.sandbox.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

KEYS: Mapping[str, str] = {
    "sandbox-research": "wrkspc_01research00000000000000",
    "sandbox-production": "wrkspc_01production0000000000",
}
ADMIN_KEY = "sandbox-admin"
ACCEPTED_CANCELS = "/sandbox/accepted-cancels"
CALLS_REMEMBERED = 100_000
SLOW_BYTE_SECONDS = 0.2


class SandboxApi(Controls):
    """The Message Batches API as a WSGI app with two keys and two workspaces. Thread-safe.

    With the Admin key it also serves the organization's cost report and its list of workspaces.

    Tests connect a client to it with httpx.WSGITransport or, to simulate broken connections, with
    SandboxTransport. `manage.py sandbox` serves it over HTTP.

    `seed` determines every ID, outcome and result. `clock` returns aware datetimes; the sandbox's
    time runs `speed` times as fast. `batches` is the number of batches to start with, in every
    state, and `drip` the interval at which new ones appear. `state_path` names a SQLite file that
    keeps all batches across restarts. `moving_counts` is True, or the keys of the workspaces whose
    request counts change while a batch runs. `canceling_seconds` is how long canceling takes, as a
    range in the sandbox's time. `odd_lines` adds results of unknown types to every file; `quirks`
    adds those of `batches.sandbox.quirks`. `pause` waits the given seconds between the bytes of a
    slow body. Raises ValueError for an invalid speed, fault specification, quirk or seed.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        clock: Clock | None = None,
        speed: float = 1.0,
        batches: int = 0,
        drip: timedelta | None = None,
        lenient: bool = False,
        faults: str = "",
        state_path: str | Path | None = None,
        base_url: str = "http://sandbox",
        keys: Mapping[str, str] = KEYS,
        admin_key: str = ADMIN_KEY,
        moving_counts: bool | Collection[str] = False,
        odd_lines: bool = False,
        quirks: Sequence[str] = (),
        canceling_seconds: tuple[float, float] = (25, 60),
        cancel_of_ended: int = 400,
        second_cancel: int = 200,
        calls_a_minute: int = 4000,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        read = clock or wall_clock
        faults_due = Faults(faults, seed)
        moving = _moving_workspaces(keys, moving_counts=moving_counts)
        store, sandbox_clock = open_state(state_path, read, seed=seed, speed=speed)
        world = World(
            store,
            sandbox_clock,
            seed=seed,
            moving_counts=moving,
            odd_lines=odd_lines,
            quirks=tuple(quirks),
            canceling_seconds=canceling_seconds,
            cancel_of_ended=cancel_of_ended,
            second_cancel=second_cancel,
        )
        super().__init__(world, faults_due, keys, base_url)
        workspaces = list(dict.fromkeys(keys.values()))
        seed_world(world, batches, workspaces)
        self._drip = Drip(world, drip, workspaces) if drip else None
        self.admin_key = admin_key
        self._access = Access(self.keys, admin_key, lenient=lenient)
        self._routes = Routes(world, base_url, lenient=lenient)
        self._organization = Organization(world, workspaces)
        self._throttle = Throttle(calls_a_minute, read)
        self._pause = pause or threading.Event().wait
        self._organization_id = str(UUID(bytes=Draws(seed, "organization").raw()[:16], version=4))
        self._calls: deque[tuple[str, str]] = deque(maxlen=CALLS_REMEMBERED)
        self._answered = 0
        self._counting = threading.Lock()

    def transport(self) -> SandboxTransport:
        """An httpx transport that sends requests to this sandbox."""
        return SandboxTransport(self)

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The (method, path) of every call received, oldest first."""
        return list(self._calls)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterator[bytes]:
        """Answer one call.

        Faults that break the connection raise ConnectionResetError (`reset`, `lost`) or
        TimeoutError (`timeout`) here, or ConnectionAbortedError while the body is read (`cut`).
        The server then breaks its socket accordingly.
        """
        call = _read(environ)
        request_id = self._next_request_id(call)
        # Not part of the API, so no fault applies.
        fault = "" if call.path == ACCEPTED_CANCELS else self.faults.due(call.path)
        _break_before(fault)
        common = [("request-id", request_id), ("anthropic-organization-id", self._organization_id)]
        try:
            answer = self._answer(call, fault, request_id, common)
        except RefusalError as refusal:
            answer = Reply(refusal.status, refusal.body(request_id), headers=dict(refusal.headers))
        if fault == "lost":
            raise ConnectionResetError(
                "The sandbox broke the connection after the call took effect: fault 'lost'."
            )
        start_response(status_line(answer.status), answer.all_headers(common))
        return self._sent(answer, fault)

    def _answer(
        self, call: Call, fault: str, request_id: str, common: list[tuple[str, str]]
    ) -> Reply:
        if fault in ANSWERS:
            return _faulty(fault, request_id)
        if call.path == ACCEPTED_CANCELS:
            return Reply.json(self.world.store.accepted_cancels())
        if call.path.startswith(ORGANIZATION):
            self._access.require_admin(call.headers)
            self._catch_up()
            return self._organization.answer(call)
        workspace = self._access.workspace(call.headers)
        common.append(("anthropic-workspace-id", workspace))
        common.extend(self._throttle.take().items())
        self._catch_up()
        return self._routes.answer(call, workspace)

    def _catch_up(self) -> None:
        if self._drip:
            self._drip.catch_up()

    def _next_request_id(self, call: Call) -> str:
        with self._counting:
            self._calls.append((call.method, call.path))
            self._answered += 1
            return f"req_01{Draws(self.world.seed, 'request', self._answered).word(22)}"

    def _sent(self, answer: Reply, fault: str) -> Iterator[bytes]:
        if fault == "cut":
            return cut(answer.blocks())
        if fault == "slow":
            return slowed(answer.blocks(), lambda: self._pause(SLOW_BYTE_SECONDS))
        if fault in SPOILS and answer.content_type == RESULTS_TYPE:
            return SPOILS[fault](answer.blocks())
        return answer.blocks()


def _moving_workspaces(
    keys: Mapping[str, str], *, moving_counts: bool | Collection[str]
) -> frozenset[str]:
    if isinstance(moving_counts, bool):
        return frozenset(keys.values()) if moving_counts else frozenset()
    if unknown := set(moving_counts) - set(keys):
        raise ValueError(f"No key is called {unknown.pop()!r}. There are: {', '.join(keys)}.")
    return frozenset(keys[key] for key in moving_counts)


def _read(environ: "WSGIEnvironment") -> Call:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(text)
        for name, text in environ.items()
        if name.startswith("HTTP_")
    }
    headers["content-length"] = str(environ.get("CONTENT_LENGTH") or "")
    return Call(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=environ["wsgi.input"],
    )


def _break_before(fault: str) -> None:
    if fault == "reset":
        raise ConnectionResetError("The sandbox broke the connection: fault 'reset'.")
    if fault == "timeout":
        raise TimeoutError("The sandbox does not answer: fault 'timeout'.")


def _faulty(fault: str, request_id: str) -> Reply:
    ready = ANSWERS[fault]
    body = ready.body
    if body is None:
        refusal = RefusalError(ready.status, ready.message, error_code=ready.error_code)
        body = refusal.body(request_id)
    return Reply(ready.status, body, ready.content_type, dict(ready.headers))
