"""Pages have no use for the workspaces' keys, and do not need to be able to read them."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils import timezone

from batches.models import Workspace
from tests.dashboard.conftest import undecryptable
from tests.dashboard.test_admin import FIELDS
from tests.dashboard.test_matrix import ANYONE, ONLY_POSTS, address, own_patterns

PAGES = [
    pattern
    for pattern in own_patterns()
    # A download is sent on from the API, with the key.
    if pattern.name not in ANYONE | ONLY_POSTS | {"batch-results"}
]
ADMIN = ["/admin/", "/admin/batches/workspace/", "/admin/auth/user/", "/admin/batches/auditevent/"]


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


@pytest.mark.parametrize("path", ADMIN)
def test_neither_do_the_admins_lists(client, admin_user, batch, monkeypatch, path):
    client.force_login(admin_user)
    monkeypatch.setattr("batches.fields.fernet", None)

    assert client.get(path).status_code == 200
    person = reverse("admin:auth_user_change", args=[admin_user.pk])
    assert client.get(person).status_code == 200


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


def test_an_admin_can_store_a_new_key_in_its_place(sign_in, batch, workspace, sandbox):
    undecryptable(workspace)
    url = reverse("admin:batches_workspace_change", args=[workspace.pk])
    admin = sign_in("admin")

    form = admin.get(url)
    without = admin.post(url, FIELDS | {"new_key": ""})
    done = admin.post(url, FIELDS | {"new_key": "sk-new"})

    assert form.status_code == 200
    assert "The stored key can’t be decrypted: enter it again." in without.text
    assert done.status_code == 302
    workspace.refresh_from_db()
    assert workspace.api_key == "sk-new"


def test_saving_a_workspace_leaves_what_the_worker_wrote_meanwhile(sign_in, workspace, monkeypatch):
    url = reverse("admin:batches_workspace_change", args=[workspace.pk])
    admin = sign_in("admin")
    synced_at = timezone.now()

    def meanwhile(*_):
        Workspace.objects.filter(pk=workspace.pk).update(claim="worker.1", last_synced_at=synced_at)
        return ""

    monkeypatch.setattr("dashboard.admin.usable", meanwhile)
    admin.post(url, FIELDS | {"new_key": "sk-new"})

    workspace.refresh_from_db()
    assert (workspace.name, workspace.api_key) == ("Evals", "sk-new")
    assert (workspace.claim, workspace.last_synced_at) == ("worker.1", synced_at)
