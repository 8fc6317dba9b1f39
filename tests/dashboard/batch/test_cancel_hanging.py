"""Cancels while the API hangs: pages still answer, and no cancellation is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from batches import cancel, connect
from batches.client import BatchClient, Unreachable
from batches.models import Batch, Cancellation
from tests.dashboard.batch.batch_page import words
from tests.dashboard.conftest import HTMX

PRESSES = 20


class HangingApi(httpx.BaseTransport):
    """Holds every call until it is released, then fails it; counts those that wait together."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.is_full = threading.Event()
        self.waiting = self.most = 0
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            if self.waiting == cancel.MOST_PRESSES:
                self.is_full.set()
        self.let_go.wait(timeout=30)
        with self._lock:
            self.waiting -= 1
        raise httpx.ReadTimeout("timed out", request=request)


@pytest.fixture
def api(monkeypatch):
    hanging = HangingApi()
    connect.forget_clients()
    monkeypatch.setattr(connect, "transport", lambda: hanging)
    yield hanging
    hanging.let_go.set()
    connect.forget_clients()


@pytest.fixture
def browsers(committed, person, workspace):
    """Browsers of one person, each for a thread of its own."""
    ada = person("operator", workspace, name="ada")

    def browser() -> Client:
        client = Client()
        client.force_login(ada, backend="dashboard.roles.RoleBackend")
        return client

    return [browser() for _ in range(PRESSES + 1)]


def press(browser: Client, api_id: str) -> str:
    try:
        return browser.post(f"/batches/{api_id}/cancel/", headers=HTMX).text
    finally:
        connection.close()


def test_pages_answer_and_nothing_is_lost_while_twenty_presses_meet_a_hanging_api(
    browsers, row, api
):
    names = [row(f"msgbatch_{number}").api_id for number in range(PRESSES)]
    *pressing, reading = browsers

    with ThreadPoolExecutor(PRESSES) as threads:
        presses = [threads.submit(press, *pair) for pair in zip(pressing, names, strict=True)]
        assert api.is_full.wait(timeout=20)
        quick = [each.result(timeout=20) for each in some_of(presses)]
        pages = [reading.get(path) for path in ("/", "/healthz", "/batches/msgbatch_0/")]
        saved = list(Cancellation.objects.all())
        api.let_go.set()
        cards = [each.result(timeout=20) for each in presses]

    assert api.most == cancel.MOST_PRESSES
    assert [page.status_code for page in pages] == [200, 200, 200]
    assert len(quick) == PRESSES - cancel.MOST_PRESSES
    assert all("Cancel requested by ada, not confirmed yet." in words(card) for card in cards)
    assert len(saved) == PRESSES
    now = timezone.now()
    unasked = [row for row in saved if not row.claim]
    assert len(unasked) == PRESSES - cancel.MOST_PRESSES
    due = Cancellation.objects.open().due(now).filter(attempts=0)
    assert set(due) == set(unasked)
    tried = Cancellation.objects.filter(attempts=1)
    assert tried.count() == cancel.MOST_PRESSES
    assert not tried.exclude(claim="").exists()


def some_of(presses):
    """Those that don't wait for the API, as they finish."""
    done = threading.Semaphore(0)
    for each in presses:
        each.add_done_callback(lambda _: done.release())
    for _ in range(PRESSES - cancel.MOST_PRESSES):
        assert done.acquire(timeout=20)
    return [each for each in presses if each.done()]


def test_a_cancel_that_may_not_wait_says_so_without_an_error(sign_in, row, monkeypatch):
    monkeypatch.setattr(cancel, "_presses", threading.BoundedSemaphore(1))
    cancel._presses.acquire()
    row("msgbatch_1")

    card = sign_in("operator").post("/batches/msgbatch_1/cancel/", headers=HTMX).text

    assert "Cancel requested by operator, not confirmed yet." in words(card)
    assert "Last error" not in card
    assert "form data-cancel" not in card


def test_a_cancel_without_scripts_says_that_it_is_saved(sign_in, row, monkeypatch):
    monkeypatch.setattr(cancel, "_presses", threading.BoundedSemaphore(1))
    cancel._presses.acquire()
    row("msgbatch_1")

    page = sign_in("operator").post("/batches/msgbatch_1/cancel/", follow=True).text

    assert (
        "Your cancel request is saved. The API hasn’t confirmed it yet; Batchboard keeps retrying."
    ) in words(page)


def test_a_press_leaves_half_of_the_third_second_for_the_answer(sign_in, mirrored, monkeypatch):
    mirrored("msgbatch_1")
    patience = []

    def cancel_nothing(_, _id: str, *, within: float):
        patience.append(within)
        raise Unreachable("timed out")

    monkeypatch.setattr(BatchClient, "cancel", cancel_nothing)

    card = sign_in("operator").post("/batches/msgbatch_1/cancel/", headers=HTMX).text

    assert max(patience) <= cancel.PRESS_SECONDS == 2.5
    assert f"not confirmed yet. Retrying. Last error: {Unreachable('timed out')}" in words(card)


def test_a_workspace_on_hold_keeps_the_request_for_later(sign_in, row, workspace):
    row("msgbatch_1")
    type(workspace).objects.update(hold="refused")

    card = sign_in("operator").post("/batches/msgbatch_1/cancel/", headers=HTMX).text

    said = words(card)
    assert "Cancel requested by operator, not confirmed yet. Retrying. Last error: " in said
    assert "Anthropic refuses the key of Research at the moment." in said
    waiting = Cancellation.objects.get()
    assert waiting.is_open
    assert waiting.next_attempt_at < timezone.now() + timedelta(minutes=5)
    assert Batch.objects.get().latest_cancellation == waiting
