"""What the Admin key gives access to, and the list of workspaces."""

import httpx
import pytest

from tests.sandbox.conftest import BATCHES, error

WORKSPACES = "/v1/organizations/workspaces"
COST = "/v1/organizations/analytics/cost"


@pytest.fixture
def admin(api, ask) -> httpx.Client:
    return ask(api, api.admin_key)


@pytest.mark.parametrize("path", [WORKSPACES, COST])
def test_a_workspaces_key_cannot_read_the_organizations_reports(http, path):
    response = http.get(path)

    assert error(response) == (
        403,
        "permission_error",
        "This endpoint requires an Admin API key.",
    )


@pytest.mark.parametrize("headers", [{"x-api-key": ""}, {"x-api-key": "sk-wrong"}])
def test_without_a_valid_key_the_organization_is_not_revealed(http, headers):
    response = http.get(WORKSPACES, headers=headers)

    assert error(response)[:2] == (401, "authentication_error")


def test_both_ways_to_send_the_admin_key_are_accepted(api, http):
    by_token = {"authorization": f"Bearer {api.admin_key}", "x-api-key": ""}

    assert api.admin_key == "sandbox-admin"
    assert http.get(WORKSPACES, headers=by_token).status_code == 200
    assert http.get(WORKSPACES, headers={"x-api-key": api.admin_key}).status_code == 200


def test_an_admin_key_can_be_chosen(make_api, ask):
    api = make_api(admin_key="sk-ant-admin01-chosen")

    assert ask(api, "sk-ant-admin01-chosen").get(WORKSPACES).status_code == 200
    assert ask(api, "sandbox-admin").get(WORKSPACES).status_code == 401


@pytest.mark.parametrize("lenient", [False, True])
def test_the_admin_key_gives_no_access_to_batches(make_api, ask, lenient):
    api = make_api(lenient=lenient)
    batch_id = api.add_batch()
    admin = ask(api, api.admin_key)

    listed, canceled = admin.get(BATCHES), admin.post(f"{BATCHES}/{batch_id}/cancel")

    assert error(listed)[:2] == (401, "authentication_error")
    assert error(canceled)[:2] == (401, "authentication_error")
    assert api.accepted_cancels(batch_id) == 0


def test_both_workspaces_are_listed_with_their_names(api, admin):
    body = admin.get(WORKSPACES).json()

    assert [workspace["name"] for workspace in body["data"]] == ["Research", "Production"]
    assert [workspace["id"] for workspace in body["data"]] == list(api.keys.values())
    assert body["first_id"] == api.keys[api.key]
    assert body["last_id"] == api.keys[api.other_key]
    assert body["has_more"] is False
    assert body["data"][0] | {"compartment_id": "", "data_residency": {}} == {
        "id": api.keys[api.key],
        "type": "workspace",
        "name": "Research",
        "display_color": "#6C5BB9",
        "created_at": "2026-01-05T09:00:00Z",
        "archived_at": None,
        "tags": {},
        "compartment_id": "",
        "data_residency": {},
        "external_key_id": None,
        "user_profile_id": None,
    }


def test_the_list_of_workspaces_has_pages(api, admin):
    research, production = api.keys.values()

    def page(**params):
        body = admin.get(WORKSPACES, params=params).json()
        return [workspace["id"] for workspace in body["data"]], body["has_more"]

    assert page(limit=1) == ([research], True)
    assert page(limit=1, after_id=research) == ([production], False)
    assert page(after_id=production) == ([], False)
    assert page(before_id=production) == ([research], False)


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"after_id": "wrkspc_none"},
        {
            "after_id": "wrkspc_01research00000000000000",
            "before_id": "wrkspc_01production0000000000",
        },
    ],
)
def test_an_invalid_page_is_refused(admin, params):
    assert error(admin.get(WORKSPACES, params=params))[0] == 400


def test_other_paths_and_methods_are_refused(admin):
    assert error(admin.get("/v1/organizations/users"))[:2] == (404, "not_found_error")
    assert error(admin.post(COST))[0] == 405


def test_a_response_names_the_organization_but_no_workspace(admin):
    headers = admin.get(WORKSPACES).headers

    assert headers["anthropic-organization-id"]
    assert headers["request-id"]
    assert "anthropic-workspace-id" not in headers


def test_reports_do_not_count_towards_the_batch_rate_limit(make_api, ask):
    api = make_api(calls_a_minute=1)
    admin = ask(api, api.admin_key)

    statuses = [admin.get(WORKSPACES).status_code for _ in range(3)]

    assert statuses == [200] * 3
    assert ask(api).get(BATCHES).status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("403", 403), ("429", 429), ("500", 500)])
def test_faults_also_affect_reports(api, admin, kind, status):
    api.fail_next(kind, path="/organizations/")

    assert error(admin.get(WORKSPACES))[0] == status
    assert admin.get(WORKSPACES).status_code == 200
