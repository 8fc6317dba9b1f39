"""Extra headers, and variants of the API's address."""

import logging
import traceback

import pytest

from batches.client import BatchClient, NotTheApi, ReportClient, checked_base_url, parse_headers
from batches.client.address import FORBIDDEN_HEADERS
from tests.client.upstream import BATCHES, KEY, Upstream, batch_json, calls, page_json, reply


def test_extra_headers_are_sent_with_every_call():
    upstream = Upstream(reply(404, json={}))

    with calls(upstream.client(headers={"X-Team": "core", "user-agent": "us"})) as operations:
        for call in operations.values():
            with pytest.raises(Exception, match="404"):
                call()

    assert len(upstream.requests) == 4
    for request in upstream.requests:
        assert request.headers["x-team"] == "core"
        assert request.headers["user-agent"] == "us"
        assert request.headers["x-api-key"] == KEY


def test_extra_headers_are_sent_with_reports_too():
    upstream = Upstream(reply(json={"has_more": False, "data": []}))
    options = {"headers": {"X-Team": "core"}, "transport": upstream.transport()}

    ReportClient("https://api.test", KEY, **options).workspaces()

    assert upstream.requests[0].headers["x-team"] == "core"


def test_the_clients_workspace_takes_precedence_over_a_header():
    upstream = Upstream(reply(json=page_json()))
    headers = {"Anthropic-Workspace-Id": "wrkspc_other"}

    upstream.client(workspace_id="wrkspc_1", headers=headers).list_page()

    assert upstream.requests[0].headers.get_list("anthropic-workspace-id") == ["wrkspc_1"]


@pytest.mark.parametrize("name", sorted(FORBIDDEN_HEADERS))
@pytest.mark.parametrize("change", [str, str.upper])
def test_a_header_that_the_client_sets_is_refused(name, change):
    with pytest.raises(
        ValueError, match=rf"The extra header (?i:{name}) is not allowed, as Batchboard"
    ):
        BatchClient("https://api.test", KEY, headers={change(name): "hidden"})


@pytest.mark.parametrize("name", ["", " ", "a b", "a:b", "a\n", "ä", "a\0", "x" * 101, "(a)"])
def test_an_invalid_header_name_is_refused_and_not_repeated(name):
    with pytest.raises(ValueError, match="An extra header has a name") as caught:
        BatchClient("https://api.test", KEY, headers={name: "hidden"})

    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["", " ", "hidden\n", "hidden\r\nx-evil: 1", "hidden\0", "hiddeñ", "hid\tden", " a"]
)
def test_an_invalid_header_value_is_refused_and_not_repeated(value):
    with pytest.raises(ValueError, match="The extra header X-Team is empty or contains") as caught:
        BatchClient("https://api.test", KEY, headers={"X-Team": value})

    assert "hid" not in "".join(traceback.format_exception_only(caught.value))


def test_the_same_header_twice_is_refused():
    with pytest.raises(ValueError, match="The extra header x-team is given twice"):
        BatchClient("https://api.test", KEY, headers={"X-Team": "a", "x-team": "b"})


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", {}),
        ("\n  \n", {}),
        ("X-Team: core", {"X-Team": "core"}),
        ("X-Team:core\r\n X-Trace : a:b c \n", {"X-Team": "core", "X-Trace": "a:b c"}),
        ("X-Team: a\nX-Team: b", {"X-Team": "b"}),
    ],
)
def test_lines_are_read_as_by_the_sdk(text, headers):
    assert parse_headers(text) == headers


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("X-Team: core\nhidden", "Line 2 of the extra headers is not of the form Name: value"),
        ("hidden words: core", "An extra header has a name"),
        (": hidden", "An extra header has a name"),
        ("X-Team:", "The extra header X-Team is empty"),
        ("X-Api-Key: hidden", "The extra header X-Api-Key is not allowed, as Batchboard sets"),
        ("X-Team: hiddeñ", "The extra header X-Team is empty or contains"),
    ],
)
def test_invalid_lines_are_refused_and_their_values_not_repeated(text, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        parse_headers(text)

    assert "hidd" not in "".join(traceback.format_exception_only(caught.value))


def test_the_values_of_extra_headers_are_in_no_log(caplog):
    caplog.set_level(logging.DEBUG)
    client = Upstream(reply(json=page_json())).client(headers={"X-Gateway": "gate-0123456789"})

    client.list_page()

    assert caplog.text
    assert "gate-0123456789" not in f"{caplog.text} {client!r} {vars(client)!r}"


@pytest.mark.parametrize("prefix", ["", "/anthropic", "/a/v1x", "/v1/anthropic", "/pre%2Ffix"])
@pytest.mark.parametrize(
    "ending", ["", "/", "/v1", "/v1/", "/v1/messages", "/v1/messages/batches", "/v1/messages//"]
)
def test_the_path_of_a_call_is_removed_from_the_address(prefix, ending):
    upstream = Upstream(reply(json=batch_json()))
    address = f"https://gateway.test{prefix}{ending}"

    upstream.client(base_url=address).retrieve("msgbatch_1")

    path = upstream.requests[0].url.raw_path.decode()
    assert path == f"{prefix}{BATCHES}/msgbatch_1"
    assert str(checked_base_url(address)).rstrip("/") == f"https://gateway.test{prefix}"


@pytest.mark.parametrize("prefix", ["/v10", "/xv1", "/v1/models", "/V1"])
def test_another_path_is_kept(prefix):
    assert checked_base_url(f"https://gateway.test{prefix}").path == prefix


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize(
    "body", [b'{"detail":"Not Found"}', b"<html>", b"", b'{"error":{"message":"No route."}}']
)
def test_without_a_list_of_batches_the_address_is_not_the_api(status, body):
    upstream = Upstream(reply(status, content=body))

    client = upstream.client(base_url="https://gateway.test/anthropic/v1/")
    with pytest.raises(NotTheApi) as caught:
        client.list_page()

    assert caught.value.status == status
    assert str(caught.value) == (
        f"This address does not answer as the Batches API does ({status}):"
        " there is no Message Batches API at https://gateway.test/anthropic."
    )
