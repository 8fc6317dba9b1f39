"""What each operation sends and returns."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batches.client import ApiError, BatchNotFound, NotTheApi
from tests.client.upstream import (
    BATCHES,
    KEY,
    Upstream,
    batch_json,
    calls,
    page_json,
    refusal,
    reply,
)

HOSTILE_IDS = ["", "..", "../x", "a/b", "a?b", "a%2fb", "a#b", "a b", "a\n", "ü", "x" * 201]


def test_cancel_sends_an_empty_post_and_returns_the_canceling_batch():
    canceling = batch_json(
        processing_status="canceling", cancel_initiated_at="2026-11-01T11:00:00Z"
    )
    upstream = Upstream(reply(json=canceling, headers={"request-id": "req_9"}))

    batch = upstream.client().cancel("msgbatch_1")

    (request,) = upstream.requests
    assert (request.method, request.url.path) == ("POST", f"{BATCHES}/msgbatch_1/cancel")
    assert request.content == b""
    assert batch.processing_status == "canceling"
    assert batch.cancel_initiated_at == datetime(2026, 11, 1, 11, tzinfo=UTC)
    assert batch.request_id == "req_9"
    assert batch.raw == canceling


def test_retrieve_gets_the_batch_by_its_id():
    upstream = Upstream(reply(json=batch_json()))

    batch = upstream.client().retrieve("msgbatch_1")

    (request,) = upstream.requests
    assert (request.method, request.url.path) == ("GET", f"{BATCHES}/msgbatch_1")
    assert batch.id == "msgbatch_1"
    assert batch.request_counts.total == 15


@pytest.mark.parametrize(
    ("named", "workspace_id"), [("wrkspc_01ab", "wrkspc_01ab"), ("", ""), ("wrk spc", "")]
)
def test_a_batch_has_the_workspace_id_of_its_answer(named, workspace_id):
    upstream = Upstream(reply(json=batch_json(), headers={"anthropic-workspace-id": named}))
    client = upstream.client()

    assert client.retrieve("msgbatch_1").workspace_id == workspace_id
    assert client.cancel("msgbatch_1").workspace_id == workspace_id


def test_the_batches_of_a_page_have_the_workspace_id_of_their_answer():
    headers = {"anthropic-workspace-id": "wrkspc_1"}
    upstream = Upstream(reply(json=page_json(batch_json(workspace_id="other")), headers=headers))

    (batch,) = upstream.client().list_page().batches

    assert batch.workspace_id == "wrkspc_1"


def test_cookies_of_answers_are_not_sent():
    cookie = {"set-cookie": "session=1; Path=/"}
    upstream = Upstream(reply(json=batch_json(), headers=cookie))
    client = upstream.client()

    client.retrieve("msgbatch_1")
    client.retrieve("msgbatch_1")

    assert "cookie" not in upstream.requests[1].headers


def test_a_page_is_requested_with_limit_and_cursor():
    upstream = Upstream(reply(json=page_json()))

    upstream.client().list_page(limit=7, after_id="msgbatch_old")

    (request,) = upstream.requests
    assert request.method == "GET"
    assert request.url.path == BATCHES
    assert dict(request.url.params) == {"limit": "7", "after_id": "msgbatch_old"}


def test_a_path_in_the_address_is_the_prefix_of_every_call():
    upstream = Upstream(reply(json=batch_json()))

    upstream.client(base_url="https://gateway.test/anthropic").retrieve("msgbatch_1")

    assert upstream.requests[0].url.path == f"/anthropic{BATCHES}/msgbatch_1"


@pytest.mark.parametrize("batch_id", HOSTILE_IDS)
def test_an_impossible_id_is_not_found_without_a_call(batch_id):
    upstream = Upstream(reply(json=batch_json()))
    client = upstream.client()

    for call in (client.retrieve, client.cancel):
        with pytest.raises(BatchNotFound):
            call(batch_id)
    with pytest.raises(BatchNotFound), client.stream_results(batch_id):
        pass

    assert upstream.requests == []


def test_an_answer_about_another_batch_is_an_error():
    upstream = Upstream(reply(json=batch_json("msgbatch_other")))

    with pytest.raises(NotTheApi, match="another batch"):
        upstream.client().cancel("msgbatch_1")


@pytest.mark.parametrize("cursor", ["a/b", "a&limit=1"])
def test_an_impossible_cursor_is_not_found_without_a_call(cursor):
    upstream = Upstream(reply(json=page_json()))

    with pytest.raises(BatchNotFound):
        upstream.client().list_page(after_id=cursor)

    assert upstream.requests == []


def test_every_operation_raises_the_apis_refusal():
    upstream = Upstream(refusal(400, "invalid_request_error", "Not like this."))

    with calls(upstream.client()) as operations:
        for call in operations.values():
            with pytest.raises(ApiError, match=r"Not like this\. \(request ID req_1\)"):
                call()

    assert len(upstream.requests) == 4


def test_every_call_names_the_versions_of_the_api_and_of_batchboard():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    upstream = Upstream(reply(json=page_json()))

    upstream.client().list_page()

    headers = upstream.requests[0].headers
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["user-agent"] == f"batchboard/{project['project']['version']}"


def test_the_key_is_sent_as_x_api_key_without_a_workspace():
    upstream = Upstream(reply(json=page_json()))

    upstream.client().list_page()

    headers = upstream.requests[0].headers
    assert headers["x-api-key"] == KEY
    assert "authorization" not in headers
    assert "anthropic-workspace-id" not in headers


def test_the_key_can_be_sent_as_a_bearer_token_with_the_workspace():
    upstream = Upstream(reply(json=page_json()))

    upstream.client(auth="bearer", workspace_id="wrkspc_1").list_page()

    headers = upstream.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["anthropic-workspace-id"] == "wrkspc_1"
    assert "x-api-key" not in headers
