"""Where a stored key and stored headers may be sent, and what an address may be."""

import pytest

from batches.models import Workspace
from tests.dashboard.batch.batch_page import words
from tests.dashboard.workspaces.page import RESEARCH, RESEARCH_KEY, fill, last_outcome

HEADERS = "x-team: topsecret-7\r\ncf-aig-authorization: Bearer topsecret"


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "https://evil.example"},
        {"base_url": "https://api.anthropic.com.evil.example"},
        {"base_url": "https://api.anthropic.com:444"},
        {"base_url": "https://api.anthropic.com/proxy"},
        {"auth": "bearer"},
        {"anthropic_workspace_id": "wrkspc_other"},
        {"new_headers": "x-forward-to: https://evil.example"},
    ],
)
@pytest.mark.parametrize("press", [{}, {"test": "1"}])
def test_a_stored_key_is_not_sent_elsewhere_without_being_typed_again(
    admin, workspace, url, sandbox, change, press
):
    before = Workspace.objects.values().get(pk=workspace.pk)

    refused = fill(admin, url, **change, **press)

    assert "Type the key again" in words(refused.text)
    assert Workspace.objects.values().get(pk=workspace.pk) == before
    assert sandbox.calls == []


def test_with_the_key_typed_again_everything_can_change(admin, workspace, url, sandbox):
    saved = fill(
        admin, url, new_key=RESEARCH_KEY, base_url="https://gateway.example", auth="bearer",
        anthropic_workspace_id=RESEARCH, new_headers=HEADERS,
    )  # fmt: skip

    workspace.refresh_from_db()
    assert saved.status_code == 302
    assert (workspace.base_url, workspace.auth) == ("https://gateway.example", "bearer")
    assert workspace.anthropic_workspace_id == RESEARCH
    assert "Address: “https://api.anthropic.com” → “https://gateway.example”" in last_outcome()
    assert "Kind of key: “x-api-key” → “bearer”" in last_outcome()
    assert f"Anthropic workspace ID: none → “{RESEARCH}”" in last_outcome()
    assert "Extra headers: x-team added, cf-aig-authorization added" in last_outcome()


def with_headers(admin, url) -> None:
    fill(admin, url, new_key=RESEARCH_KEY, new_headers=HEADERS)


def test_extra_headers_are_stored_encrypted_sent_and_never_shown(
    admin, workspace, url, answer_with
):
    requests = answer_with(200, json={"data": [], "has_more": False})

    with_headers(admin, url)
    kept = fill(admin, url, workspace_name="Evals")

    workspace.refresh_from_db()
    assert kept.status_code == 302
    assert workspace.extra_headers == HEADERS.replace("\r", "")
    assert requests[0].headers["x-team"] == "topsecret-7"
    assert "Some are stored, set" in words(admin.get(url).text)
    assert "topsecret" not in admin.get(url).text
    assert "topsecret" not in last_outcome()


def test_stored_headers_are_never_sent_to_another_address(admin, workspace, url, sandbox):
    with_headers(admin, url)
    calls = len(sandbox.calls)

    refused = fill(admin, url, new_key=RESEARCH_KEY, base_url="https://evil.example")

    assert "Type the headers again, or remove them" in words(refused.text)
    workspace.refresh_from_db()
    assert workspace.base_url == "https://api.anthropic.com"
    assert len(sandbox.calls) == calls


def test_stored_headers_can_be_replaced_and_removed(admin, workspace, url):
    with_headers(admin, url)

    fill(admin, url, new_key=RESEARCH_KEY, new_headers="x-team: 8\nx-new: 1")
    replaced = last_outcome()
    fill(admin, url, new_key=RESEARCH_KEY, without_headers="on")

    workspace.refresh_from_db()
    assert workspace.extra_headers == ""
    assert "x-new added, cf-aig-authorization removed, x-team changed" in replaced
    assert "Extra headers: x-team removed, x-new removed" in last_outcome()


@pytest.mark.parametrize(
    "text",
    [
        "topsecret",
        "x-api-key: topsecret",
        "a b: topsecret",
        "x: 1\nX: topsecret",
        "host: topsecret",
        "x: a\x0btopsecret",
    ],
)
def test_headers_that_cannot_be_sent_are_refused_without_being_repeated(
    admin, workspace, url, sandbox, text
):
    response = fill(admin, url, new_key=RESEARCH_KEY, new_headers=text)

    workspace.refresh_from_db()
    assert "Nothing was saved." in words(response.text)
    assert 'id="id_new_headers_error"' in response.text
    assert text not in response.text
    assert workspace.extra_headers == ""
    assert sandbox.calls == []


def test_headers_cannot_be_replaced_and_removed_at_once(admin, url):
    with_headers(admin, url)

    refused = fill(admin, url, new_key=RESEARCH_KEY, new_headers="x: 1", without_headers="on")

    assert "Either type new headers or remove the stored ones." in words(refused.text)


@pytest.mark.parametrize(
    "address",
    [
        "http://gateway.example",
        "HTTP://api.anthropic.com",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://2130706433",
        "http://0.0.0.0",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:10.0.0.1]",
        "http://localhost@evil.example",
        "https://user:topsecret@evil.example",
        "https://evil.example?x=1",
        "https://evil.example#x",
        "https://",
        "https://a b",
        "https://[::1",
        "https://evil.example:99999",
        "ftp://evil.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "api.anthropic.com",
        "https://" + "x" * 300 + ".example",
        "https://evil.example/\r\nx: 1",
        "",
    ],
)
def test_an_address_that_keys_must_not_be_sent_to_is_refused(
    admin, workspace, url, sandbox, settings, address
):
    settings.BATCHBOARD_ALLOW_HTTP = False

    response = fill(admin, url, new_key=RESEARCH_KEY, base_url=address)

    assert 'id="id_base_url_error"' in response.text
    workspace.refresh_from_db()
    assert workspace.base_url == "https://api.anthropic.com"
    assert sandbox.calls == []


@pytest.mark.parametrize(
    "address",
    ["http://localhost:8010", "http://127.0.0.1:8010", "http://[::1]:8010", "http://a.localhost",
     "https://gateway", "https://münchen.example"],
)  # fmt: skip
def test_http_is_accepted_for_this_machine_and_https_for_any_host(
    admin, workspace, url, settings, address
):
    settings.BATCHBOARD_ALLOW_HTTP = False

    fill(admin, url, new_key=RESEARCH_KEY, base_url=address)

    workspace.refresh_from_db()
    assert workspace.base_url == address


def test_http_can_be_allowed(admin, workspace, url, settings):
    settings.BATCHBOARD_ALLOW_HTTP = True

    fill(admin, url, new_key=RESEARCH_KEY, base_url="http://gateway.example")

    workspace.refresh_from_db()
    assert workspace.base_url == "http://gateway.example"


def test_a_workspace_stored_with_http_says_why_it_no_longer_syncs(
    admin, workspace, url, settings, sync, sandbox
):
    Workspace.objects.update(base_url="http://gateway.example")
    settings.BATCHBOARD_ALLOW_HTTP = False

    assert not sync(workspace)

    said = words(admin.get("/workspaces/").text)
    assert "begins with http://, so anyone on the network could read the key" in said
    assert "BATCHBOARD_ALLOW_HTTP=1" in said
    assert sandbox.calls == []
