"""The key is sent to one address only, and never appears in messages or logs."""

import logging
import traceback

import pytest

from batches.client import ApiError, BatchClient, BatchNotFound
from tests.client.upstream import KEY, Upstream, batch_json, calls, page_json, refusal, reply

ECHO = {"request-id": KEY}
ECHOES = {
    "in the message": refusal(400, message=f"The key {KEY} is not allowed to do this."),
    "in the type": refusal(400, type=KEY),
    "in the request id": reply(400, json={}, headers=ECHO),
    "in the body's request id": reply(400, json={"error": {}, "request_id": KEY}),
    "in a plain body": reply(503, text=f"no route for {KEY}"),
    "in a page": reply(200, text=f"<html>{KEY}"),
    "in a timestamp": reply(json=batch_json(created_at=KEY)),
    "as the id": reply(json=batch_json(KEY)),
    "as a status": reply(json=batch_json(processing_status=f"{KEY} ")),
    "in garbage": reply(content=f'{{"id": {KEY}'.encode()),
    "as a redirect": reply(302, headers={"location": f"https://elsewhere.test/{KEY}"}),
}


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
@pytest.mark.parametrize("auth", ["x-api-key", "bearer"])
def test_an_echoed_key_is_in_no_error_log_or_output(echo, auth, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    client = Upstream(echo).client(auth=auth)

    with pytest.raises(ApiError) as caught:
        client.retrieve("msgbatch_1")

    error = caught.value
    shown = [str(error), repr(error), repr(error.args), repr(vars(error)), caplog.text]
    shown += [*traceback.format_exception(error), *capsys.readouterr()]
    assert not [text for text in shown if KEY in text]


def test_a_key_echoed_as_the_request_id_of_a_successful_answer_is_dropped(caplog):
    caplog.set_level(logging.DEBUG)
    echo = ECHO | {"anthropic-workspace-id": KEY}
    upstream = Upstream(reply(json=page_json(batch_json()), headers=echo))

    page = upstream.client().list_page()

    assert page.request_id == page.workspace_id == ""
    assert page.batches[0].request_id == ""
    assert KEY not in caplog.text


def test_a_key_echoed_in_an_unreadable_item_is_not_in_its_problem():
    odd = batch_json(created_at=KEY, processing_status=KEY)

    (unreadable,) = Upstream(reply(json=page_json(odd))).client().list_page().unreadable

    assert KEY not in unreadable.problem


def test_the_key_is_in_no_repr_of_client_or_request():
    upstream = Upstream(reply(json=page_json()))
    client = upstream.client()

    client.list_page()

    assert repr(client) == "BatchClient('https://api.test')"
    assert KEY not in f"{client} {upstream.requests[0]!r}"


def test_the_key_is_only_sent_to_its_address():
    results_url = "https://elsewhere.test/results"
    answers = [reply(json=batch_json(results_url=results_url)), reply(content=b"{}\n")]
    upstream = Upstream(*answers)
    client = upstream.client()

    client.retrieve("msgbatch_1")
    with client.stream_results("msgbatch_1") as chunks:
        list(chunks)

    assert [request.url.host for request in upstream.requests] == ["api.test", "api.test"]


def test_a_short_key_is_not_redacted_in_the_apis_message():
    upstream = Upstream(refusal(404, message="Message Batch not found."))
    client = BatchClient("https://api.test", "atch", transport=upstream.transport())

    with calls(client) as operations, pytest.raises(BatchNotFound, match="Message Batch not"):
        operations["retrieve"]()


BAD_KEYS = ["", " ", "sk ant", "sk-ant\n", "sk-ant\r\nx-evil: 1", "ключ-key", "sk\x00ant", "sk\x7f"]


@pytest.mark.parametrize("key", BAD_KEYS)
@pytest.mark.parametrize("auth", ["x-api-key", "bearer"])
def test_a_key_that_cannot_be_sent_is_refused_without_repeating_it(key, auth):
    with pytest.raises(ValueError, match="The API key is empty or contains") as caught:
        BatchClient("https://api.test", key, auth=auth)

    shown = "".join(traceback.format_exception_only(caught.value))
    assert not key.strip() or key not in shown


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("", "begin with https"),
        ("api.test", "begin with https"),
        ("//api.test", "begin with https"),
        ("ftp://api.test", "begin with https"),
        ("file:///etc/passwd", "begin with https"),
        ("javascript:alert(1)", "begin with https"),
        ("https://", "begin with https"),
        ("https:///v1", "begin with https"),
        ("https://a b", "begin with https"),
        ("https://%41", "begin with https"),
        ("https://api.test?key=1", "query or a fragment"),
        ("https://api.test?", "query or a fragment"),
        ("https://api.test#top", "query or a fragment"),
        ("https://api.test:abc", "not a URL"),
        ("https://api.test:0", "invalid port"),
        ("https://api.test:99999", "invalid port"),
        ("https://api..test", "not a URL"),
        ("https://[::1", "not a URL"),
        ("https://api.test\n", "not a URL"),
        (f"https://{'a' * 64}.test", "not a URL"),
        ("https://" + "a" * 70_000, "not a URL"),
    ],
    ids=lambda text: text[:30],
)
def test_an_invalid_address_is_refused(address, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        BatchClient(address, KEY)

    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [f"https://user:{KEY}@api.test", f"https://{KEY}@api.test", f"https://{KEY}\\@api.test"],
)
def test_an_address_with_a_password_is_refused_without_repeating_it(address):
    with pytest.raises(ValueError, match="must not contain a username or password") as caught:
        BatchClient(address, KEY)

    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:8001", "https://api.test/", "https://api.test/pre/fix/", "http://[::1]:80"],
)
def test_a_valid_address_is_accepted(address):
    BatchClient(address, KEY).close()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"workspace_id": "wrkspc\n1"}, "workspace ID"),
        ({"workspace_id": "wrk spc"}, "workspace ID"),
        ({"auth": "basic"}, "only be sent as x-api-key or bearer"),
    ],
)
def test_other_headers_are_checked_too(options, problem):
    with pytest.raises(ValueError, match=problem):
        BatchClient("https://api.test", KEY, **options)
