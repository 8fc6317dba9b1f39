"""What each operation asks, and what it gives back."""

import json
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


def test_cancel_posts_nothing_to_the_batch_and_returns_it_canceling():
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
def test_an_answer_about_a_batch_tells_which_workspace_answered(named, workspace_id):
    upstream = Upstream(reply(json=batch_json(), headers={"anthropic-workspace-id": named}))
    client = upstream.client()

    assert client.retrieve("msgbatch_1").workspace_id == workspace_id
    assert client.cancel("msgbatch_1").workspace_id == workspace_id


def test_a_page_s_batches_tell_which_workspace_answered():
    headers = {"anthropic-workspace-id": "wrkspc_1"}
    upstream = Upstream(reply(json=page_json(batch_json(workspace_id="theirs")), headers=headers))

    (batch,) = upstream.client().list_page().batches

    assert batch.workspace_id == "wrkspc_1"


def test_no_answer_makes_the_client_send_a_cookie():
    cookie = {"set-cookie": "session=1; Path=/"}
    upstream = Upstream(reply(json=batch_json(), headers=cookie))
    client = upstream.client()

    client.retrieve("msgbatch_1")
    client.retrieve("msgbatch_1")

    assert "cookie" not in upstream.requests[1].headers


def test_create_sends_the_requests_and_returns_the_new_batch():
    requests = [{"custom_id": "a", "params": {"max_tokens": 1}}, {"custom_id": "b", "params": {}}]
    upstream = Upstream(reply(json=batch_json("msgbatch_new")))

    batch = upstream.client().create(requests)

    (request,) = upstream.requests
    assert (request.method, request.url.path) == ("POST", BATCHES)
    assert json.loads(request.content) == {"requests": requests}
    assert batch.id == "msgbatch_new"


def test_create_refuses_what_json_cannot_hold_before_sending_it():
    upstream = Upstream(reply(json=batch_json()))

    with pytest.raises(ValueError, match="not JSON compliant"):
        upstream.client().create([{"custom_id": "a", "params": {"temperature": float("nan")}}])

    assert upstream.requests == []


def test_delete_returns_the_id_of_the_deleted_batch():
    deleted = {"id": "msgbatch_1", "type": "message_batch_deleted"}
    upstream = Upstream(reply(json=deleted))

    assert upstream.client().delete("msgbatch_1") == "msgbatch_1"

    (request,) = upstream.requests
    assert (request.method, request.url.path) == ("DELETE", f"{BATCHES}/msgbatch_1")


def test_a_page_is_asked_for_by_limit_and_cursors():
    upstream = Upstream(reply(json=page_json()))

    upstream.client().list_page(limit=7, after_id="msgbatch_old", before_id="msgbatch_new")

    (request,) = upstream.requests
    assert request.method == "GET"
    assert request.url.path == BATCHES
    assert dict(request.url.params) == {
        "limit": "7",
        "after_id": "msgbatch_old",
        "before_id": "msgbatch_new",
    }


def test_a_path_in_the_address_goes_before_every_call():
    upstream = Upstream(reply(json=batch_json()))

    upstream.client(base_url="https://gateway.test/anthropic").retrieve("msgbatch_1")

    assert upstream.requests[0].url.path == f"/anthropic{BATCHES}/msgbatch_1"


def test_iterating_follows_the_pages_to_the_end():
    upstream = Upstream(
        reply(json=page_json(batch_json("c"), batch_json("b"), has_more=True)),
        reply(json=page_json(batch_json("a"))),
    )

    ids = [batch.id for batch in upstream.client().iter_batches(limit=2)]

    assert ids == ["c", "b", "a"]
    assert [r.url.params.get("after_id") for r in upstream.requests] == [None, "b"]


@pytest.mark.parametrize(
    "listed",
    [
        page_json(batch_json("a"), has_more=True),
        page_json(has_more=True, last_id="a"),
        page_json(batch_json("a"), has_more=True, last_id=None),
    ],
    ids=["the same page again", "an empty page", "no way on"],
)
def test_a_list_that_never_ends_is_not_the_api(listed):
    upstream = Upstream(reply(json=listed))

    with pytest.raises(NotTheApi, match="never ends"):
        list(upstream.client().iter_batches())

    assert len(upstream.requests) <= 2


def test_iterating_leaves_out_what_cannot_be_read_and_logs_it(caplog):
    odd = batch_json("odd", request_counts=None)
    upstream = Upstream(reply(json=page_json(odd, batch_json("good"))))

    ids = [batch.id for batch in upstream.client().iter_batches()]

    assert ids == ["good"]
    assert "batch odd cannot be read" in caplog.text


@pytest.mark.parametrize("batch_id", HOSTILE_IDS)
def test_an_id_that_cannot_exist_is_not_found_without_asking(batch_id):
    upstream = Upstream(reply(json=batch_json()))
    client = upstream.client()

    for call in (client.retrieve, client.cancel, client.delete):
        with pytest.raises(BatchNotFound):
            call(batch_id)
    with pytest.raises(BatchNotFound), client.stream_results(batch_id):
        pass

    assert upstream.requests == []


def test_an_answer_about_another_batch_is_not_believed():
    upstream = Upstream(reply(json=batch_json("msgbatch_other")))

    with pytest.raises(NotTheApi, match="another batch"):
        upstream.client().cancel("msgbatch_1")


def test_a_delete_of_another_batch_is_not_believed():
    upstream = Upstream(reply(json={"id": "msgbatch_other", "type": "message_batch_deleted"}))

    with pytest.raises(NotTheApi, match="another batch"):
        upstream.client().delete("msgbatch_1")


@pytest.mark.parametrize("cursor", [{"after_id": "a/b"}, {"before_id": "a&limit=1"}])
def test_a_cursor_that_no_batch_can_be_is_not_found_without_asking(cursor):
    upstream = Upstream(reply(json=page_json()))

    with pytest.raises(BatchNotFound):
        upstream.client().list_page(**cursor)

    assert upstream.requests == []


def test_every_operation_raises_the_api_s_refusal():
    upstream = Upstream(refusal(400, "invalid_request_error", "Not like this."))

    with calls(upstream.client()) as operations:
        for call in operations.values():
            with pytest.raises(ApiError, match=r"Not like this\. \(request ID req_1\)"):
                call()

    assert len(upstream.requests) == 6


def test_every_request_names_the_version_of_the_api_and_of_this_program():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    upstream = Upstream(reply(json=page_json()))

    upstream.client().list_page()

    headers = upstream.requests[0].headers
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["user-agent"] == f"batchboard/{project['project']['version']}"


def test_the_key_goes_as_x_api_key_and_the_workspace_is_left_out():
    upstream = Upstream(reply(json=page_json()))

    upstream.client().list_page()

    headers = upstream.requests[0].headers
    assert headers["x-api-key"] == KEY
    assert "authorization" not in headers
    assert "anthropic-workspace-id" not in headers


def test_the_other_dialect_sends_the_key_as_a_bearer_token_with_the_workspace():
    upstream = Upstream(reply(json=page_json()))

    upstream.client(auth="bearer", workspace_id="wrkspc_1").list_page()

    headers = upstream.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["anthropic-workspace-id"] == "wrkspc_1"
    assert "x-api-key" not in headers
