"""Pages don't use the workspaces' keys, and work without being able to decrypt them."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils import timezone

from batches.models import Workspace
from tests.dashboard.conftest import undecryptable
from tests.dashboard.test_matrix import ANYONE, ONLY_POSTS, address, own_patterns

PAGES = [
    pattern
    for pattern in own_patterns()
    # A download is streamed from the API, which needs the key.
    if pattern.name not in {*ANYONE, *ONLY_POSTS, "batch-results"}
    # Without a token these show nothing; tests/dashboard/api has the others.
    and pattern.callback.access_rule != "token"
    # Pages of one workspace are below, and those of one person have no key.
    and set(pattern.pattern.converters) <= {"api_id"}
]


@pytest.fixture
def batch(row, workspace, other_workspace):
    now = timezone.now()
    Workspace.objects.update(last_synced_at=now, backfilled_at=now)
    return row("msgbatch_1", processing_status="ended", results_state="pending")


def body(response) -> str:
    return response.getvalue().decode() if response.streaming else response.text


@pytest.mark.parametrize("pattern", PAGES, ids=lambda pattern: pattern.name)
def test_no_page_decrypts_a_key(client, admin_user, batch, monkeypatch, pattern):
    client.force_login(admin_user, backend="dashboard.roles.RoleBackend")

    def refuse():
        raise AssertionError("A page decrypted a key.")

    monkeypatch.setattr("batches.fields.fernet", refuse)
    response = client.get(address(pattern, batch))

    assert response.status_code in {200, 204}
    assert "msgbatch_1" in body(response) or pattern.name not in {"batch-list", "batch-detail"}


@pytest.mark.parametrize("name", ["workspace-edit", "workspace-delete"])
def test_neither_does_a_page_of_a_workspace(client, admin_user, workspace, monkeypatch, name):
    client.force_login(admin_user, backend="dashboard.roles.RoleBackend")
    Workspace.objects.update(extra_headers="x-team: 7")
    monkeypatch.setattr("batches.fields.fernet", None)

    assert client.get(reverse(name, args=[workspace.pk])).status_code == 200


@pytest.mark.parametrize("name", ["workspace-edit", "workspace-delete"])
def test_such_a_key_breaks_no_page_of_its_workspace(client, admin_user, workspace, name):
    client.force_login(admin_user, backend="dashboard.roles.RoleBackend")
    undecryptable(workspace)

    assert client.get(reverse(name, args=[workspace.pk])).status_code == 200


@pytest.mark.parametrize("pattern", PAGES, ids=lambda pattern: pattern.name)
def test_a_key_that_cannot_be_decrypted_breaks_no_page(
    client, admin_user, batch, workspace, pattern
):
    client.force_login(admin_user, backend="dashboard.roles.RoleBackend")
    undecryptable(workspace)

    assert client.get(address(pattern, batch)).status_code == 200


def test_neither_does_a_wrong_encryption_key(client, admin_user, batch, settings):
    client.force_login(admin_user, backend="dashboard.roles.RoleBackend")
    settings.BATCHBOARD_ENCRYPTION_KEYS = ["not a key"]

    assert client.get("/").status_code == 200
    assert client.get(batch.get_absolute_url()).status_code == 200
    with pytest.raises(ImproperlyConfigured):
        Workspace.objects.get(pk=batch.workspace_id)


def test_a_download_with_a_key_that_cannot_be_decrypted_says_so(sign_in, batch, workspace):
    undecryptable(workspace)

    response = sign_in("viewer").get("/batches/msgbatch_1/results/")

    assert response.status_code == 503
    assert "can&#x27;t be decrypted" in response.text
