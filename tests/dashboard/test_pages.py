import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from batches.models import BatchUsage, Workspace
from dashboard import errors, probes
from tests.dashboard.reading import csv_cells


def test_the_csv_has_the_batches_that_match_the_filters(sign_in, row):
    row("in", label="nightly")
    row("out", label="other")

    table = csv_cells(sign_in("lead").get("/batches.csv", {"label": "nightly"}))

    assert [line[table[0].index("api_id")] for line in table[1:]] == ["in"]


def test_the_csv_of_the_list_has_each_cost_or_why_it_is_unknown(sign_in, row):
    read = row("read", processing_status="ended", results_state="read")
    BatchUsage.objects.create(
        batch=read,
        workspace=read.workspace,
        day=read.created_at.date(),
        is_canceled=False,
        model="claude-sonnet-4-6",
        requests=10,
        input_tokens=1_000_000,
    )
    row("waiting", processing_status="ended")

    table = csv_cells(sign_in("lead").get("/batches.csv"))

    costs = {line[1]: line[-5:] for line in table[1:]}
    assert table[0][-5:] == [
        "cost state", "cost (USD)", "cost known for (requests)", "billed (requests)",
        "cost not known",
    ]  # fmt: skip
    # A million tokens in, at 1.50 in a batch.
    assert costs == {
        "read": ["computed", "1.5", "10", "10", ""],
        "waiting": ["pending", "", "", "", "results not read yet"],
    }


@pytest.mark.parametrize("label", ["=1+1", "+x", "-1+1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_is_a_formula_to_a_spreadsheet(sign_in, row, label):
    row("one", label=label)

    table = csv_cells(sign_in("lead").get("/batches.csv"))

    assert table[1][table[0].index("label")] == f"'{label}"


@pytest.mark.parametrize("label", ["+1", "-1", "-5.5e3", "nightly-2026_11.a"])
def test_a_number_and_plain_text_stay_as_they_are(sign_in, row, label):
    row("one", label=label)

    table = csv_cells(sign_in("lead").get("/batches.csv"))

    assert table[1][table[0].index("label")] == label


EXPORTS = ["/batches.csv", "/audit.csv", "/spend.csv", "/spend/focus.csv", "/batches/one/results/"]


@pytest.mark.parametrize("address", EXPORTS)
def test_a_csv_has_a_byte_order_mark_unless_the_address_says_no(sign_in, row, sandbox, address):
    row("one", processing_status="ended", results_state="read")
    browser = sign_in("lead")
    query = {"format": "csv", "outcome": "errored"} if "results" in address else {}
    if "audit" in address:
        # The download itself is an event.
        query = {"action": "batch labeled"}

    marked = browser.get(address, query).getvalue()
    bare = browser.get(address, query | {"bom": "0"})

    assert marked.startswith(b"\xef\xbb\xbf")
    assert bare.getvalue() == marked.removeprefix(b"\xef\xbb\xbf")
    assert browser.get(address, query | {"bom": "maybe"}).status_code == 400


@pytest.mark.parametrize(
    ("address", "query", "name"),
    [
        ("/batches.csv", {}, "batches-to-2026-11-24.csv"),
        (
            "/batches.csv",
            {"since": "2026-11-01", "until": "2026-11-07"},
            "batches-2026-11-01-to-2026-11-07.csv",
        ),
        ("/audit.csv", {"since": "2026-11-01"}, "audit-2026-11-01-to-2026-11-24.csv"),
        ("/spend.csv", {}, "spend-groups-2026-11-01-to-2026-11-24.csv"),
    ],
)
def test_a_file_is_named_for_its_days(sign_in, november, address, query, name):
    answer = sign_in("lead").get(address, query)

    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("address", "role", "status"),
    [
        ("/batches.csv", "operator", 403),
        ("/batches.csv", "lead", 200),
        ("/audit/", "operator", 403),
        ("/audit/", "lead", 200),
        ("/audit.csv", "operator", 403),
        ("/", "viewer", 200),
    ],
)
def test_a_page_opens_for_the_roles_that_may_see_it(sign_in, address, role, status):
    response = sign_in(role).get(address)

    assert response.status_code == status


def test_a_person_without_a_role_sees_only_whom_to_ask(person, workspace, client):
    client.force_login(person("", workspace), backend="dashboard.roles.RoleBackend")

    response = client.get("/")

    assert response.status_code == 403
    assert "Ask an admin of this Batchboard" in response.text


def test_sign_in_says_what_this_is_and_what_was_wrong(client, db):
    page = client.get("/accounts/login/").text

    wrong = client.post("/accounts/login/", {"username": "ada", "password": "guess"})

    assert "shows your team’s Message Batches" in page
    assert 'role="alert"' in wrong.text


def test_signing_out_needs_a_post(sign_in):
    browser = sign_in("viewer")

    refused = browser.get("/accounts/logout/")
    done = browser.post("/accounts/logout/")

    assert refused.status_code == 405
    assert done.status_code == 302
    assert browser.get("/").status_code == 302


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("address", ["/", "/live/", "/batches.csv", "/audit/", "/healthz"])
def test_pages_that_only_show_refuse_other_methods(sign_in, method, address):
    response = getattr(sign_in("lead"), method)(address)

    assert response.status_code == 405


def test_every_page_has_its_scripts_and_styles_in_files(sign_in, row):
    row("one")
    browser = sign_in("lead")

    answers = [browser.get(address) for address in ("/", "/batches/one/", "/audit/")]

    for answer in answers:
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert " style=" not in answer.text
        assert "<style" not in answer.text
        assert "hx-on" not in answer.text
        assert "onclick" not in answer.text


def test_the_error_page_works_without_a_database(rf):
    # No fixture allows the database here.
    response = errors.server_error(rf.get("/"))

    assert response.status_code == 500
    assert "Something went wrong in Batchboard" in response.text


def test_a_changed_host_and_an_expired_page_are_different_errors(db):
    browser = Client(enforce_csrf_checks=True)

    other_site = browser.post(
        "/accounts/login/", headers={"Origin": "https://batchboard.example:8443"}
    )
    expired = browser.post("/accounts/login/")

    assert other_site.status_code == expired.status_code == 403
    assert "It came from https://batchboard.example:8443" in other_site.text
    assert "CSRF_TRUSTED_ORIGINS" in other_site.text
    assert "This page expired" in expired.text


def test_liveness_depends_on_nothing(client):
    response = client.get("/healthz")

    assert response.text == "ok\n"


@pytest.fixture
def unchecked(monkeypatch) -> None:
    """This process has not looked at the migrations yet."""
    monkeypatch.setattr(probes, "fitting", set())


def test_readiness_does_not_depend_on_the_api_or_the_worker(client, workspace, unchecked):
    Workspace.objects.filter(pk=workspace.pk).update(last_synced_at=None, attempts=9)

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.text == "ready\n"


def test_a_migration_that_is_not_applied_is_named(client, db, unchecked):
    recorder = MigrationRecorder(connection)
    name = max(name for app, name in recorder.applied_migrations() if app == "batches")
    recorder.record_unapplied("batches", name)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.text == f"not ready: migration {name} is not applied\n"


def test_a_database_of_a_newer_version_is_not_ready(client, db, unchecked):
    MigrationRecorder(connection).record_applied("batches", "9999_of_tomorrow")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "not ready: the database is from a newer version" in response.text


def test_leftover_migrations_of_other_packages_are_no_newer_version(client, db, unchecked):
    recorder = MigrationRecorder(connection)
    recorder.record_applied("axes", "0001_squashed_long_ago")
    recorder.record_applied("no_longer_installed", "0001_initial")

    assert client.get("/readyz").status_code == 200


def test_fitting_migrations_are_checked_once(client, db, unchecked, django_assert_num_queries):
    client.get("/readyz")

    with django_assert_num_queries(1):
        client.get("/readyz")


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_may_call_a_process_by_any_address(client, db, settings, address):
    settings.BATCHBOARD_METRICS_TOKEN = "token"
    settings.SECURE_SSL_REDIRECT = True

    response = client.get(
        address, headers={"Host": "10.1.2.3:8000", "Authorization": "Bearer token"}
    )

    assert response.status_code == 200


def test_other_pages_are_served_only_under_allowed_hosts(client, db):
    assert client.get("/accounts/login/", headers={"Host": "10.1.2.3:8000"}).status_code == 400
    assert client.get("/metrics", headers={"Host": "10.1.2.3:8000"}).status_code == 400
