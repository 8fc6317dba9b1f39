"""The workspace of the environment's key: what its form shows, and what it can't change."""

import pytest

from batches.mirror.workspaces import adopt_environment
from tests.dashboard.batch.batch_page import words
from tests.dashboard.workspaces.page import PRODUCTION_KEY, RESEARCH, RESEARCH_KEY, edit_url, fill


@pytest.fixture
def adopted(settings, db):
    """The workspace of the environment's key."""
    settings.ANTHROPIC_API_KEY = RESEARCH_KEY
    settings.ANTHROPIC_BASE_URL = "https://gateway.example"
    settings.ANTHROPIC_CUSTOM_HEADERS = {"x-team": "topsecret-7"}
    return adopt_environment()


def test_the_environments_workspace_shows_what_comes_from_there(sign_in, adopted):
    page = sign_in("admin", adopted).get(edit_url(adopted)).text

    said = words(page)
    assert "API key from ANTHROPIC_API_KEY" in said
    assert "Address https://gateway.example" in said
    assert "x-team" in said
    assert "topsecret-7" not in page
    for name in ("new_key", "base_url", "auth", "new_headers", "anthropic_workspace_id"):
        assert f'name="{name}"' not in page


def test_where_the_environments_key_is_sent_cannot_be_changed(sign_in, adopted, sandbox):
    admin = sign_in("admin", adopted)

    fill(
        admin, edit_url(adopted), workspace_name="Evals", base_url="https://evil.example",
        auth="bearer", new_key=PRODUCTION_KEY, new_headers="x-forward-to: evil",
        anthropic_workspace_id="wrkspc_evil",
    )  # fmt: skip

    adopted.refresh_from_db()
    assert adopted.name == "Evals"
    assert (adopted.base_url, adopted.sent_as) == (
        "https://gateway.example",
        "x-api-key",
    )
    assert (
        adopted.api_key,
        adopted.extra_headers,
        adopted.anthropic_workspace_id,
    ) == ("", "", "")
    assert sandbox.calls == []


def test_the_environments_key_can_be_tested(sign_in, adopted, settings):
    admin = sign_in("admin", adopted)

    works = fill(admin, edit_url(adopted), test="1")
    settings.ANTHROPIC_API_KEY = ""
    unset = fill(admin, edit_url(adopted), test="1")

    assert f"It is for the Anthropic workspace {RESEARCH}." in words(works.text)
    assert "ANTHROPIC_API_KEY is not set for the web process." in words(unset.text)
