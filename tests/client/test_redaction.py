"""Echoed secrets are redacted before anything is parsed, stored or shown."""

import base64
import json
import re
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.client import ApiError, BatchClient
from batches.client.redaction import Redactor
from tests.client.upstream import Upstream, batch_json, page_json, refusal, reply

KEY = "sk-ant-api03-Abc/def+Ghi=jkl_Mno"
TOKEN = "Bearer gate.way+Token/0123456789"
FORMS = {
    "as it is": str,
    "in upper case": str.upper,
    "in lower case": str.lower,
    "quoted for a URL": lambda text: quote(text, safe=""),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "in base64 after one byte": lambda text: base64.b64encode(f":{text}".encode()).decode(),
    "in base64 after two bytes": lambda text: base64.b64encode(f"a:{text}:b".encode()).decode(),
    "its first 16 characters": lambda text: text[:16],
    "all but its last": lambda text: text[:-1],
}
SECRETS = [KEY, TOKEN, TOKEN.removeprefix("Bearer ")]
echoes = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())


def client_of(answer, **options):
    upstream = Upstream(answer)
    options = {"headers": {"X-Gateway": TOKEN}, "attempts": 1} | options
    return BatchClient("https://api.test", KEY, transport=upstream.transport(), **options)


@echoes
@pytest.mark.parametrize("secret", SECRETS, ids=["key", "header", "header without its scheme"])
def test_an_echo_in_a_successful_answer_is_not_kept(form, secret):
    echo = form(secret)
    batch = batch_json(note=f"for {echo} only", deep=[{"x": echo}], **{f"k{echo}": 1})

    read = client_of(reply(json=batch)).retrieve("msgbatch_1")

    assert read.id == "msgbatch_1"
    assert echo not in json.dumps(read.raw)
    # The ends of base64 of a longer text remain.
    assert re.fullmatch(r"for \S*\[(API key|header value)\]\S* only", read.raw["note"])
    assert read.raw["results_url"] is None


@echoes
def test_an_echo_in_a_page_is_not_kept(form):
    echo = form(KEY)
    page = page_json(batch_json(note=echo), batch_json("odd", created_at=echo, type=echo))

    read = client_of(reply(json=page)).list_page()

    assert [batch.id for batch in read.batches] == ["msgbatch_1"]
    assert echo not in repr(read)


@echoes
@pytest.mark.parametrize("secret", SECRETS)
def test_an_echo_in_an_error_is_not_shown(form, secret):
    echo = form(secret)

    with pytest.raises(ApiError) as caught:
        client_of(refusal(400, message=f"No {echo}.")).retrieve("msgbatch_1")

    assert echo not in f"{caught.value!r} {caught.value} {vars(caught.value)}"
    assert re.search(r"No \S*\[(API key|header value)\]", str(caught.value))


@echoes
@pytest.mark.parametrize("name", ["request-id", "cf-ray", "anthropic-workspace-id"])
def test_a_header_with_an_echo_is_dropped(form, name):
    echo = form(KEY)
    good = client_of(reply(json=batch_json(), headers={name: echo})).retrieve("msgbatch_1")
    with pytest.raises(ApiError) as caught:
        client_of(reply(500, json={}, headers={name: echo})).retrieve("msgbatch_1")

    assert good.request_id == good.workspace_id == caught.value.request_id == ""


@pytest.mark.parametrize(
    "escaped",
    [
        KEY.replace("/", r"\/"),
        KEY.replace("+", r"\u002b").replace("=", r"\u003D"),
        "".join(f"\\u{ord(each):04x}" for each in KEY),
    ],
)
def test_an_echo_with_json_escapes_is_not_kept(escaped):
    body = json.dumps(batch_json(note="?", kept='"\\/\n')).replace('"?"', f'"{escaped}"')

    read = client_of(reply(content=body.encode())).retrieve("msgbatch_1")

    assert read.raw["note"] == "[API key]"
    assert read.raw["kept"] == '"\\/\n'


def test_a_secret_with_characters_that_json_must_escape_is_found():
    body = json.dumps({"note": 'quoted"and\\slashed'}).encode()

    assert Redactor('quoted"and\\slashed').redact(body) == b'{"note": "[API key]"}'


def test_a_body_without_a_secret_is_returned_unchanged():
    body = json.dumps(page_json(batch_json(note='a"\\/\u2028b'))).encode()

    assert Redactor(KEY, [TOKEN]).redact(body) is body


@given(
    st.recursive(st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_json_without_a_secret_keeps_its_meaning(value):
    for body in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        encoded = body.encode("utf-8", "surrogatepass")
        assert Redactor(KEY, [TOKEN]).redact(encoded) is encoded


SECRET_TEXT = st.tuples(
    st.text(max_size=8), st.sampled_from(SECRETS), st.sampled_from([*FORMS.values()]), st.text()
).map(lambda parts: parts[0] + parts[2](parts[1]) + parts[3])
ANSWERS = st.recursive(
    SECRET_TEXT | st.text() | st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(SECRET_TEXT | st.text(), inner),
    max_leaves=8,
)


def everything_in(value: object) -> str:
    """All texts of a parsed JSON value, including keys."""
    if isinstance(value, dict):
        return " ".join(f"{key} {everything_in(inner)}" for key, inner in value.items())
    return " ".join(map(everything_in, value)) if isinstance(value, list) else str(value)


def contains_a_secret(text: str) -> bool:
    forms = {form(secret) for secret in SECRETS for form in FORMS.values()}
    return any(each.lower() in text.lower() for each in forms)


@given(ANSWERS, st.booleans())
def test_a_secret_anywhere_in_an_answer_is_not_kept(extra, ascii_only):
    batch = batch_json(extra=extra)
    body = json.dumps(batch, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    try:
        kept = client_of(reply(content=body)).retrieve("msgbatch_1").raw
    except ApiError as error:
        kept = [str(error), repr(vars(error))]

    assert not contains_a_secret(everything_in(kept))


@given(st.text(), st.sampled_from(SECRETS), st.sampled_from([*FORMS.values()]), st.text())
def test_text_with_a_secret_is_redacted_like_a_body(before, secret, form, after):
    client = client_of(reply(json={}))

    redacted = client.redacted(f"{before}{form(secret)}{after}")

    assert not contains_a_secret(redacted)
    assert "[API key]" in redacted or "[header value]" in redacted


def test_text_without_a_secret_is_the_same_object():
    text = "Overloaded \ud800 \u2028"

    assert client_of(reply(json={})).redacted(text) is text


@given(st.binary())
def test_any_bytes_can_be_redacted(body):
    Redactor(KEY, [TOKEN]).redact(body + KEY.encode() + body)


@pytest.mark.parametrize("value", ["in_progress", "message_batch", "messages", "canceling", "v1"])
def test_a_header_with_a_word_of_the_api_changes_no_batch(value):
    read = client_of(reply(json=batch_json()), headers={"X-Route": value}).retrieve("msgbatch_1")

    assert read.raw == batch_json()


def test_short_keys_are_not_redacted():
    assert Redactor("atch").redact(b"Message Batch") == b"Message Batch"


def test_the_redactors_repr_contains_no_secret():
    assert repr(Redactor(KEY, [TOKEN])) == "Redactor()"


def test_a_large_body_without_a_secret_takes_little_time():
    body = b'{"a\\\\b": "' + b"sk-ant-api03-Ab " * 2**20 + b'"}'
    redactor = Redactor(KEY, [TOKEN])
    started = time.process_time()

    assert redactor.redact(body) is body

    # About 0.1 s on a slow core. The pattern alone would take seconds.
    assert time.process_time() - started < 2
