import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from batches.models import AuditEvent, Workspace
from batches.workspaces import adopt_environment

ADD = "/admin/batches/workspace/add/"
FIELDS = {
    "name": "Evals",
    "slug": "evals",
    "base_url": "https://api.example.com",
    "auth": "x-api-key",
    "is_enabled": "on",
}


@pytest.fixture
def admin(client, person, workspace):
    admin = person("admin", workspace)
    client.force_login(admin)
    return admin


@pytest.mark.parametrize("role", ["viewer", "operator", "lead", ""])
def test_only_admins_come_in(client, person, role):
    client.force_login(person(role))

    assert client.get("/admin/").status_code in {302, 403}
    assert client.get("/admin/", follow=True).status_code == 403


def test_signing_in_is_the_dashboards_own(client, db):
    response = client.get("/admin/", follow=True)

    assert response.redirect_chain[-1][0].startswith("/accounts/login/")


def test_a_workspace_is_added_with_its_key_encrypted_and_never_shown(client, admin):
    response = client.post(ADD, FIELDS | {"new_key": "sk-ant-geheim"})
    assert response.status_code == 302

    added = Workspace.objects.get(slug="evals")
    page = client.get(reverse("admin:batches_workspace_change", args=[added.pk]))

    assert added.api_key == "sk-ant-geheim"
    assert "sk-ant-geheim" not in page.text


def test_an_empty_key_keeps_the_one_there_is(client, admin, workspace, sandbox):
    url = reverse("admin:batches_workspace_change", args=[workspace.pk])

    Workspace.objects.update(base_url=FIELDS["base_url"])

    client.post(url, FIELDS | {"new_key": ""})

    workspace.refresh_from_db()
    assert workspace.name == "Evals"
    assert workspace.api_key == sandbox.key


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "https://evil.example"},
        {"auth": "bearer"},
        {"anthropic_workspace_id": "wrkspc_other"},
    ],
)
def test_a_stored_key_is_never_sent_elsewhere_without_being_typed_again(
    client, admin, workspace, sandbox, change
):
    url = reverse("admin:batches_workspace_change", args=[workspace.pk])
    Workspace.objects.update(base_url=FIELDS["base_url"])
    same = FIELDS | {"new_key": ""}

    refused = client.post(url, same | change)

    assert "Enter the key again" in refused.text
    workspace.refresh_from_db()
    assert (workspace.base_url, workspace.auth) == (FIELDS["base_url"], "x-api-key")
    assert workspace.anthropic_workspace_id == ""
    assert client.post(url, same | change | {"new_key": "sk-ant-new"}).status_code == 302


def test_where_the_environments_key_is_sent_can_not_be_changed(client, admin, settings):
    settings.ANTHROPIC_API_KEY = "sk-from-outside"
    settings.ANTHROPIC_BASE_URL = "https://api.example.com"
    mine = adopt_environment()
    url = reverse("admin:batches_workspace_change", args=[mine.pk])

    client.post(url, FIELDS | {"base_url": "https://evil.example", "auth": "bearer"})

    mine.refresh_from_db()
    assert mine.name == "Evals"
    assert (mine.base_url, mine.sent_as) == ("https://api.example.com", "x-api-key")


@pytest.mark.parametrize(
    "change", [{"new_key": ""}, {"new_key": "two words"}, {"base_url": "https://u:p@x.example"}]
)
def test_a_workspace_that_cannot_work_is_refused(client, admin, change):
    response = client.post(ADD, FIELDS | {"new_key": "sk-1"} | change)

    assert response.status_code == 200
    assert "errorlist" in response.text
    assert not Workspace.objects.filter(slug="evals").exists()


def test_a_changed_key_is_tried_at_once_and_audited_without_it(client, admin, workspace):
    url = reverse("admin:batches_workspace_change", args=[workspace.pk])

    client.post(url, FIELDS | {"new_key": "sk-new"})

    workspace.refresh_from_db()
    event = AuditEvent.objects.get(action="workspace changed")
    assert workspace.next_attempt_at is None
    assert "API key" in event.outcome
    assert "sk-new" not in event.outcome


def test_extra_headers_are_stored_encrypted_and_never_shown(client, admin, workspace):
    Workspace.objects.update(base_url=FIELDS["base_url"])
    url = reverse("admin:batches_workspace_change", args=[workspace.pk])

    client.post(url, FIELDS | {"new_headers": "cf-aig-authorization: Bearer geheim\r\nx-team: 7"})
    kept = client.post(url, FIELDS)

    workspace.refresh_from_db()
    event = AuditEvent.objects.filter(action="workspace changed").earliest("pk")
    assert kept.status_code == 302
    assert workspace.extra_headers == "cf-aig-authorization: Bearer geheim\nx-team: 7"
    assert "geheim" not in client.get(url).text
    assert "extra headers" in event.outcome
    assert "geheim" not in event.outcome


def test_stored_headers_can_be_removed(client, admin, workspace):
    url = reverse("admin:batches_workspace_change", args=[workspace.pk])
    client.post(url, FIELDS | {"new_headers": "x-team: 7"})

    client.post(url, FIELDS | {"without_headers": "on"})

    workspace.refresh_from_db()
    assert workspace.extra_headers == ""


@pytest.mark.parametrize("text", ["geheim", "x-api-key: geheim", "a b: geheim", "x: 1\nX: geheim"])
def test_headers_that_cannot_be_sent_are_refused_without_being_repeated(
    client, admin, workspace, text
):
    url = reverse("admin:batches_workspace_change", args=[workspace.pk])

    response = client.post(url, FIELDS | {"new_headers": text})

    workspace.refresh_from_db()
    assert response.status_code == 200
    assert "errorlist" in response.text
    assert workspace.extra_headers == ""


def test_an_admin_cannot_make_or_touch_a_superuser(client, admin):
    root = User.objects.create_superuser("root", password="x")

    change = client.get(reverse("admin:auth_user_change", args=[root.pk]))
    own = client.get(reverse("admin:auth_user_change", args=[admin.pk]))

    assert change.status_code == 302
    assert "is_superuser" not in own.text
    assert "user_permissions" not in own.text


def test_the_audit_cannot_be_changed_or_deleted(client, admin, workspace):
    event = AuditEvent.record("cancel requested", actor=admin, workspace=workspace)

    page = client.get(reverse("admin:batches_auditevent_change", args=[event.pk]))
    delete = client.post(
        reverse("admin:batches_auditevent_delete", args=[event.pk]), {"post": "yes"}
    )

    assert page.status_code == 200
    assert 'name="_save"' not in page.text
    assert delete.status_code == 403
    assert AuditEvent.objects.count() == 1
