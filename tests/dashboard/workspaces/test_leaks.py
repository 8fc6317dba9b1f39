"""No secret appears on a page, in a message, in the audit or in the log."""

import logging

import pytest

from batches.models import AuditEvent
from tests.dashboard.workspaces.page import (
    ADD,
    PRODUCTION_KEY,
    RESEARCH_KEY,
    WRONG_KEY,
    edit_url,
    fields,
    fill,
    second_press,
)

HEADERS = "x-gateway: top-secret-header-1"
PASSWORD = "my-own-password-at-this-site"
SECRETS = (RESEARCH_KEY, PRODUCTION_KEY, WRONG_KEY, "top-secret-header", PASSWORD)


@pytest.fixture
def everything(admin, workspace, mirrored, caplog) -> list[str]:
    """All pages that an admin sees who does everything that can be done with keys, and the log."""
    caplog.set_level(logging.DEBUG)
    mirrored()
    url, pages = edit_url(workspace), []

    def see(response) -> str:
        pages.append(response.text)
        return response.text

    see(fill(admin, ADD, new_key=PASSWORD, workspace_name="Evals"))
    see(fill(admin, ADD, new_key=PRODUCTION_KEY, new_headers=HEADERS, workspace_name="Research"))
    see(fill(admin, ADD, new_key=PRODUCTION_KEY, new_headers=HEADERS, workspace_name="Evals"))
    refused = see(fill(admin, url, new_key=WRONG_KEY, new_headers=HEADERS))
    see(admin.post(url, second_press(refused)))
    foreign = see(fill(admin, url, new_key=PRODUCTION_KEY, without_headers="on"))
    see(admin.post(url, second_press(foreign)))
    opened = fields(admin.get(url).text)
    fill(admin, url, workspace_name="Renamed")
    see(admin.post(url, opened | {"new_key": RESEARCH_KEY, "new_headers": HEADERS}))
    see(fill(admin, url, new_key=f"{WRONG_KEY} {WRONG_KEY}"))
    see(fill(admin, url, test="1"))
    pages += [admin.get(page).text for page in ("/workspaces/", url, f"{url}delete/", "/audit/")]
    see(admin.post(f"{url}delete/", {"name": "Renamed"}))
    pages += [admin.get("/workspaces/").text, caplog.text]
    return pages


def test_no_secret_is_shown_logged_or_audited(everything):
    events = list(AuditEvent.objects.values())

    texts = [*everything, str(events)]
    found = [(secret, text) for secret in SECRETS for text in texts if secret in text]

    assert len(events) >= 6
    assert found == []


def test_an_address_with_a_password_is_not_repeated_in_the_audit(admin, workspace):
    url = edit_url(workspace)

    fill(admin, url, new_key=RESEARCH_KEY, base_url="https://ada:top-secret@gateway.example")

    assert not AuditEvent.objects.exists()
