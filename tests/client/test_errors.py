"""Which failure raises which error."""

import itertools

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.client import (
    ApiError,
    ApiRefused,
    BatchNotFound,
    KeyRefused,
    NotTheApi,
    TryLater,
    Unreachable,
)
from tests.client.upstream import Upstream, broken, calls, page_json, refusal, reply

PAGE = "<!doctype html><title>Not what you requested</title>"
HTML = {"content-type": "text/html; charset=utf-8"}


def error_of(answer):
    with pytest.raises(ApiError) as caught:
        Upstream(answer).client(attempts=1).retrieve("msgbatch_1")
    return caught.value


def spend_limit(**headers):
    error = {
        "type": "rate_limit_error",
        "message": "The workspace has reached its limit.",
        "details": {"error_code": "enforced_spend_limit_reached"},
    }
    return reply(429, json={"type": "error", "error": error}, headers=headers)


@pytest.mark.parametrize(
    ("status", "type", "kind"),
    [
        (400, "invalid_request_error", ApiRefused),
        (401, "authentication_error", KeyRefused),
        (402, "billing_error", KeyRefused),
        (403, "permission_error", KeyRefused),
        (404, "not_found_error", BatchNotFound),
        (408, "timeout_error", TryLater),
        (409, "conflict_error", ApiRefused),
        (413, "request_too_large", ApiRefused),
        (418, "a_future_error", ApiRefused),
        (429, "rate_limit_error", TryLater),
        (500, "api_error", TryLater),
        (504, "timeout_error", TryLater),
        (529, "overloaded_error", TryLater),
    ],
)
def test_each_status_raises_its_kind_of_error(status, type, kind):
    error = error_of(refusal(status, type, "Because."))

    assert error.__class__ is kind
    assert (error.status, error.type, error.message) == (status, type, "Because.")
    assert error.request_id == "req_1"


def test_a_rate_limit_has_the_seconds_to_wait():
    assert error_of(refusal(429, retry_after="17")).retry_after == 17.0
    assert error_of(refusal(429)).retry_after is None
    assert error_of(refusal(529, retry_after="3")).retry_after == 3.0


@pytest.mark.usefixtures("no_waits")
def test_a_spend_limit_is_a_refusal_and_not_retried():
    upstream = Upstream(spend_limit())

    with pytest.raises(ApiRefused, match="has reached its limit"):
        upstream.client().retrieve("msgbatch_1")

    assert len(upstream.requests) == 1


def test_a_spend_limit_with_a_retry_after_header_is_temporary():
    error = error_of(spend_limit(**{"retry-after": "60"}))

    assert isinstance(error, TryLater)
    assert error.retry_after == 60.0


def test_a_web_page_with_status_413_is_a_refusal():
    error = error_of(reply(413, text=PAGE, headers=HTML))

    assert error.__class__ is ApiRefused
    assert str(error) == (
        "Anthropic refused the request (413): the request is too large for the API."
    )


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
def test_a_gateways_web_page_means_to_try_later(status):
    error = error_of(reply(status, text=PAGE, headers=HTML))

    assert isinstance(error, TryLater)
    assert "doctype" not in str(error)


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404])
@pytest.mark.parametrize("headers", [HTML, {}], ids=["html", "unnamed"])
def test_a_web_page_says_nothing_about_key_or_batch(status, headers):
    error = error_of(reply(status, text=PAGE, headers=headers))

    assert error.__class__ is NotTheApi
    assert "web page" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"null",
        b"7",
        b'"msgbatch_1"',
        b"[]",
        b"{}",
        b'{"unexpected": 1}',
        b'{"data": 5, "has_more": false}',
        b'{"data": [], "has_more": "no"}',
        b'{"id": 1}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"data": [' + b"[" * 100_000 + b"]" * 100_000 + b'], "has_more": false}',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_an_answer_with_an_unknown_structure_is_not_the_api(body):
    upstream = Upstream(reply(content=body))

    with calls(upstream.client()) as operations:
        operations.pop("results")
        for call in operations.values():
            with pytest.raises(NotTheApi):
                call()

    assert len(upstream.requests) == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status):
    upstream = Upstream(reply(status, headers={"location": "https://elsewhere.test/steal"}))

    with calls(upstream.client()) as operations:
        for call in operations.values():
            with pytest.raises(NotTheApi, match="redirect"):
                call()

    assert {request.url.host for request in upstream.requests} == {"api.test"}
    assert len(upstream.requests) == 4


@pytest.mark.parametrize("location", ["http://[::1", "https://a:b", "//", "\\"])
def test_the_target_of_a_redirect_is_not_parsed(location):
    error = error_of(reply(302, headers={"location": location}))

    assert error.__class__ is NotTheApi
    assert "redirects are not followed" in str(error)


@pytest.mark.parametrize(
    "error",
    [httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError],
)
def test_every_operation_is_unreachable_when_the_network_fails(error):
    with calls(Upstream(broken(error)).client(attempts=1)) as operations:
        for call in operations.values():
            with pytest.raises(Unreachable, match="Anthropic's API did not answer") as caught:
                call()
            assert caught.value.status is None


def test_an_endless_answer_is_abandoned():
    endless = reply(content=itertools.repeat(b" " * 2**20))

    assert isinstance(error_of(endless), NotTheApi)


def test_an_error_contains_the_apis_message_and_the_request_id():
    error = error_of(refusal(401, "authentication_error", "API key is invalid."))

    assert str(error) == (
        "Anthropic refused the key (401 authentication_error): API key is invalid."
        " (request ID req_1)"
    )


def test_the_request_id_is_taken_from_the_body_if_no_header_has_it():
    body = {"error": {"type": "api_error", "message": "Oops."}, "request_id": "req_body"}

    assert error_of(reply(500, json=body)).request_id == "req_body"


def test_an_answer_from_the_edge_is_identified_by_its_cf_ray():
    body = {"error": {"type": "forbidden", "message": "Request not allowed"}}

    error = error_of(reply(403, json=body, headers={"cf-ray": "8e-FRA"}))

    assert error.__class__ is KeyRefused
    assert error.request_id == "cf-ray 8e-FRA"
    assert str(error) == (
        "Anthropic refused the key (403 forbidden): Request not allowed (cf-ray 8e-FRA)"
    )


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [
        ({"request-id": "req_1", "cf-ray": "8e-FRA"}, {}, "(request ID req_1)"),
        ({"cf-ray": "8e-FRA"}, {"error": {}, "request_id": "req_2"}, "(request ID req_2)"),
        ({"cf-ray": "8e FRA"}, {}, "."),
    ],
)
def test_the_cf_ray_is_named_only_without_a_request_id(headers, body, named):
    assert str(error_of(reply(500, json=body, headers=headers))).endswith(named)


def test_the_cf_ray_is_named_if_a_successful_answer_cannot_be_read():
    error = error_of(reply(text="<html>", headers={"cf-ray": "8e-FRA"}))

    assert isinstance(error, NotTheApi)
    assert str(error).endswith("(cf-ray 8e-FRA)")


@pytest.mark.parametrize("status", [300, 302, 400, 401, 402, 403, 404, 405, 409, 413, 429, 500])
@pytest.mark.parametrize(
    ("header", "is_transient"), [("true", True), ("false", False), (" True ", True)]
)
def test_the_api_can_say_with_any_status_whether_to_retry(status, header, is_transient):
    error = error_of(reply(status, json={}, headers={"x-should-retry": header}))

    assert error.is_transient is is_transient


def test_a_method_not_allowed_for_one_batch_is_a_refusal():
    assert error_of(refusal(405)).__class__ is ApiRefused


@pytest.mark.parametrize("named", ["req 1", "<script>", "x" * 101, "réq"])
def test_an_invalid_request_id_is_ignored(named):
    error = error_of(reply(500, json={}, headers=[(b"request-id", named.encode())]))

    assert error.request_id == ""
    assert "request ID" not in str(error)


@pytest.mark.parametrize(
    ("body", "described"),
    [
        (b"upstream db-7.internal refused", "it sent something that is not JSON"),
        (b'{"detail": "no route to db-7.internal"}', "it sent JSON that is not an API error"),
        (b'{"error": "db-7.internal is down"}', "it sent JSON that is not an API error"),
        (b'{"error": {"message": "db-7.internal"}}', "it sent JSON that is not an API error"),
        (
            b'{"error": {"type": "db-7 is down", "message": "db-7.internal"}}',
            "it sent JSON that is not an API error",
        ),
        (
            b'{"error": {"code": 404, "status": "NOT_FOUND", "message": "db-7.internal"}}',
            "it sent JSON that is not an API error",
        ),
        (
            b'{"type": "Status", "error": {"type": "failure", "message": "db-7.internal"}}',
            "it sent JSON that is not an API error",
        ),
        (b"<p>db-7.internal", "it sent a web page instead of an answer"),
        (b" ", "its answer is empty"),
    ],
)
@pytest.mark.parametrize("status", [400, 404, 503])
def test_text_that_is_not_from_the_api_is_described_and_never_repeated(status, body, described):
    error = error_of(reply(status, content=body))

    assert f"{described}." in str(error)
    assert "db-7" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"error": "no object"},
        {"error": {"message": 5, "type": ["list"]}},
        {"error": {"message": None, "details": "none"}},
        {"error": {}, "request_id": {"deep": []}},
        ["error"],
    ],
)
def test_an_error_with_an_unknown_structure_is_still_that_error(body):
    error = error_of(reply(404, json=body))

    assert isinstance(error, BatchNotFound)
    assert (error.type, error.request_id) == ("", "")


def test_a_long_message_with_control_characters_becomes_one_printable_line():
    hostile = "first\nsecond\x1b[31m\u202egnp.exe\u2028" + "x" * 5000

    error = error_of(refusal(400, message=hostile))

    assert error.message.startswith("first second [31m gnp.exe xxx")
    assert len(error.message) == 500


@given(st.text(), st.text(), st.text())
def test_any_message_of_the_api_can_be_shown(message, type, request_id):
    body = {"error": {"message": message, "type": type}, "request_id": request_id}

    error = error_of(reply(400, json=body))

    assert str(error).isprintable()
    assert len(str(error)) < 1000


def test_every_error_is_an_api_error_and_not_the_api_is_unreachable():
    assert issubclass(KeyRefused, ApiRefused)
    assert issubclass(NotTheApi, Unreachable)
    for kind in (ApiRefused, BatchNotFound, TryLater, Unreachable):
        assert issubclass(kind, ApiError)
        assert str(kind()).endswith(".")


def test_an_empty_page_is_not_an_error():
    page = Upstream(reply(json=page_json())).client().list_page()

    assert page.batches == ()
    assert (page.last_id, page.has_more) == (None, False)
