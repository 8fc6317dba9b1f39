import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from batches.models import Workspace
from dashboard.list.listing import PAGE_SIZE
from tests.spend_world import spent, used

URL = "/"


def shown(response) -> list[str]:
    return re.findall(r'<article id="batch-([^"]+)"', response.text)


def test_active_batches_come_first_then_the_newest(sign_in, row):
    row("old_ended", age=timedelta(hours=3), processing_status="ended")
    row("new_ended", age=timedelta(hours=1), processing_status="ended")
    row("old_active", age=timedelta(hours=5))

    response = sign_in("viewer").get(URL)

    assert shown(response) == ["old_active", "new_ended", "old_ended"]


def test_a_card_carries_its_plain_numbers_and_words(sign_in, row):
    row("some", processing_status="ended", succeeded=1200, errored=34)

    page = sign_in("viewer").get(URL).text

    assert 'data-succeeded="1200"' in page
    assert 'data-errored="34"' in page
    assert 'data-outcome="some_failed"' in page
    assert 'data-cost="pending"' in page
    assert "1,200 succeeded" in page
    assert "34 errored" in page
    assert "some failed" in page
    assert "1,234" in page


def test_a_bar_claims_no_progress_before_anything_is_tallied(sign_in, row):
    row("running", processing=5000)

    page = sign_in("viewer").get(URL).text

    assert 'role="progressbar"' in page
    assert "aria-valuenow" not in page
    assert "<b>5,000</b> requests" in page
    assert "counts arrive when the batch ends" in page


def test_counts_that_move_are_shown(sign_in, row):
    row("moving", processing=750, succeeded=250)

    page = sign_in("viewer").get(URL).text

    assert '<span data-count="succeeded">250 succeeded </span>' in page
    assert 'role="progressbar"' not in page


@pytest.mark.parametrize(
    ("tab", "expected"),
    [
        ("active", ["running"]),
        ("succeeded", ["good"]),
        ("failed", ["bad"]),
        ("canceled", ["stopped", "too_late"]),
        ("expired", ["late"]),
        ("ended", ["bad", "good", "late", "stopped", "too_late"]),
    ],
)
def test_a_tab_lists_and_counts_its_batches(sign_in, row, tab, expected):
    row("running")
    row("good", processing_status="ended")
    row("bad", processing_status="ended", succeeded=0, errored=3)
    row("stopped", processing_status="ended", canceled=3)
    row("too_late", processing_status="ended", cancel_initiated_at=timezone.now())
    row("late", processing_status="ended", expired=3)

    response = sign_in("viewer").get(URL, {"status": tab})

    assert sorted(shown(response)) == expected
    counted = re.search(rf'id="tab-{tab}".*?class="count">(\d+)<', response.text, re.DOTALL)
    assert tab == "ended" or int(counted[1]) == len(expected)


def test_tab_counts_follow_the_other_filters_and_what_changes(sign_in, row, change):
    batch = row("one", label="nightly")
    row("two", label="other")
    browser = sign_in("viewer")

    before = browser.get(URL, {"label": "nightly"}).text
    change(batch, processing_status="ended", processing=0, succeeded=10)
    after = browser.get(URL, {"label": "nightly"}).text

    assert re.search(r'id="tab-active".*?count">1<', before, re.DOTALL)
    assert re.search(r'id="tab-active".*?count">0<', after, re.DOTALL)


@pytest.mark.parametrize(
    "typed",
    ["msgbatch_01Hkc", "01Hkc", " msgbatch_01 Hkc ", "01Hkc…", "nightly eval", "ADA"],
)
def test_a_batch_is_found_by_part_of_its_id_label_or_owner(sign_in, row, typed):
    row("msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d", label="Nightly eval", owner="ada")
    row("msgbatch_02other")

    response = sign_in("viewer").get(URL, {"q": typed})

    assert shown(response) == ["msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"]


@pytest.mark.parametrize("since", ["2026-11-02", "2026-11-01"])
def test_days_are_whole_utc_days(sign_in, row, since):
    row("last_moment", created_at=datetime(2026, 11, 2, 23, 59, 59, tzinfo=UTC))
    row("next_day", created_at=datetime(2026, 11, 3, tzinfo=UTC))

    response = sign_in("viewer").get(URL, {"since": since, "until": "2026-11-02"})

    assert shown(response) == ["last_moment"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"status": "nonsense"}, "Status: “nonsense” is not a valid value."),
        ({"since": "2026-13-45"}, "Created since: “2026-13-45” is not a day"),
        ({"workspace": "theirs"}, "Workspace: “theirs” is not a valid value."),
        ({"q": "x" * 10_000}, "Search: text is limited to 200 characters"),
        ({"label": "a\0b"}, "Label: it contains an invalid character."),
        ({"after": "!!!"}, "That page does not exist."),
        (
            {"after": "YWN0aXZlfDF8MjAyNi05OS05OVQwMDowMDowMCswMDowMHwx"},
            "That page does not exist.",
        ),
        ({"since": "<script>alert(1)</script>"}, "&lt;script&gt;"),
    ],
)
def test_an_invalid_value_is_named_and_ignored(sign_in, row, query, sentence):
    row("here", label="nightly")
    row("elsewhere", label="other")

    response = sign_in("viewer").get(URL, {"label": "nightly", **query})

    assert response.status_code == 200
    assert 'role="alert"' in response.text
    assert sentence in response.text
    assert "<script>alert" not in response.text
    assert "here" in shown(response)
    assert "elsewhere" not in shown(response) or "label" in query


def test_hostile_text_from_outside_is_text(sign_in, row, workspace):
    row("hostile", label="<img src=x onerror=alert(1)>", owner='"><script>')
    Workspace.objects.filter(pk=workspace.pk).update(notice="<b>bold</b>")

    page = sign_in("viewer").get(URL).text

    assert "<img src=x" not in page
    assert '"><script>' not in page
    assert "<b>bold" not in page


def test_an_unknown_status_word_is_shown_as_it_is(sign_in, row):
    row("odd", processing_status="paused_by_api")

    page = sign_in("viewer").get(URL).text

    assert "paused by api" in page
    assert 'data-status="paused_by_api"' in page


def test_another_teams_batches_are_not_there(sign_in, row, other_workspace):
    row("theirs", workspace=other_workspace)

    response = sign_in("lead").get(URL)

    assert shown(response) == []
    assert "Production" not in response.text


@pytest.mark.parametrize(
    ("role", "member", "sentence"),
    [
        ("viewer", True, "New batches appear here within seconds"),
        ("viewer", False, "Ask an admin of this Batchboard to add you"),
    ],
)
def test_an_empty_list_says_what_to_do(person, workspace, client, role, member, sentence):
    user = person(role, *([workspace] if member else []))
    client.force_login(user, backend="dashboard.roles.RoleBackend")

    response = client.get(URL)

    assert sentence in response.text


def test_batches_stay_listed_when_their_workspace_is_stale(sign_in, row, workspace):
    row("old_news")
    Workspace.objects.filter(pk=workspace.pk).update(
        last_synced_at=timezone.now() - timedelta(hours=1),
        error="Overloaded (request id req_1)",
        error_at=timezone.now(),
    )

    response = sign_in("viewer").get(URL)

    assert "Overloaded (request id req_1)" in response.text
    assert shown(response) == ["old_news"]
    assert 'data-health="stale"' in response.text


def test_fifty_cards_with_cancellations_take_at_most_six_queries(
    sign_in, row, other_workspace, django_assert_max_num_queries
):
    for number in range(PAGE_SIZE + 5):
        row(f"b{number}", processing_status="ended" if number % 2 else "canceling")
    browser = sign_in("operator")

    with django_assert_max_num_queries(6):
        response = browser.get(URL)

    assert len(shown(response)) == 50


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"model": "large"}, ["both", "large"]),
        ({"model": "lar"}, ["both", "large"]),
        ({"model": '"lar"'}, []),
        ({"model": '"large"'}, ["both", "large"]),
        ({"label": "(none)"}, ["both", "pending", "running"]),
        ({"owner": "(none)", "label": "x"}, ["large"]),
        ({"results": "pending"}, ["pending"]),
        ({"results": "read"}, ["both", "large"]),
        ({"results": "lost"}, []),
        ({"canceled": "yes"}, ["large"]),
        ({"canceled": "no", "results": "read"}, ["both"]),
    ],
)
def test_the_filters_that_spend_leads_to_hold_for_list_counts_and_csv(
    sign_in, workspace, query, expected
):
    today = timezone.now()
    spent(workspace, today, used(), used(model="large"), api_id="both", owner="ada")
    spent(workspace, today, used(model="large"), api_id="large", label="x", is_canceled=True)
    spent(workspace, today, api_id="pending", owner="ada", results_state="pending")
    spent(workspace, today, api_id="running", owner="ada", processing_status="in_progress")
    lead = sign_in("lead")

    page = lead.get(URL, query)

    assert sorted(shown(page)) == expected
    assert f'count">{len(expected)}<' in page.text.partition('id="tab-all"')[2]
    rows = lead.get("/batches.csv", query).getvalue().decode().splitlines()[1:]
    assert sorted(row.split(",")[1] for row in rows) == expected
