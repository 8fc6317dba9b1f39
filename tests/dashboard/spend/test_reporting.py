"""The section "Compared with Anthropic's cost report", as a person sees it on the spend page."""

import re
from datetime import UTC, date, datetime, time, timedelta
from html import unescape

import pytest
import time_machine
from django.template.loader import render_to_string

from batches.models import Batch, CostReport, Workspace
from batches.reports.fetch import fetch_report
from dashboard.spend.report import report_context
from tests.working import claim, read_now

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOON.date()
FIRST = date(2026, 11, 1)


@pytest.fixture(autouse=True)
def _at_noon(settings, db):
    settings.ANTHROPIC_ADMIN_KEY = "sandbox-admin"
    settings.ANTHROPIC_BASE_URL = "http://sandbox"
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def lead(person, workspace):
    return person("lead", workspace)


@pytest.fixture
def ended(sandbox):
    """A function that adds a batch to the API that ran for half an hour some days ago."""

    def ended(days: int = 1, **details) -> str:
        created_at = datetime.combine(TODAY - timedelta(days=days), time(8), UTC)
        half_an_hour = timedelta(minutes=30)
        return sandbox.add_batch(
            status="ended", created_at=created_at, duration=half_an_hour, **details
        )

    return ended


@pytest.fixture
def fetched(sync):
    """A function that syncs, reads all batches except `unread`, and fetches the cost report."""

    def fetched(*, unread=()) -> None:
        for workspace in Workspace.objects.all():
            assert sync(workspace)
        for batch in Batch.objects.filter(processing_status="ended").exclude(api_id__in=unread):
            assert read_now(batch)
        assert fetch_report(claim(CostReport.objects.the_one()))

    return fetched


def shown(user, *workspaces, since=FIRST, until=TODAY) -> str:
    """The section's HTML."""
    report = report_context(workspaces, since, until, user)
    return render_to_string("spend/_report.html", {"report": report})


def words(html: str) -> str:
    """The text that a person reads, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_without_an_admin_key_there_is_no_section(settings, lead, workspace):
    settings.ANTHROPIC_ADMIN_KEY = ""

    assert report_context([workspace], FIRST, TODAY, lead) is None


def test_before_the_first_fetch_it_says_so(lead, workspace):
    assert "has not been fetched yet" in words(shown(lead, workspace))


def test_without_a_difference_the_days_are_folded(ended, fetched, lead, workspace):
    ended()
    ended(2)
    fetched()

    text = words(shown(lead, workspace))

    assert "Difference none" in text
    assert "2 days without a difference" in text
    assert "What may explain it" not in text


def test_a_difference_is_shown_on_its_day_with_its_explanation(
    sandbox, ended, fetched, lead, workspace
):
    missing = ended(models=["claude-opus-5-5"], requests=300)
    ended(2)
    fetched(unread=[missing])

    text = words(shown(lead, workspace))

    dollars = f"+${sandbox.billed(missing):,.2f}"
    assert f"Difference {dollars}" in text
    assert f"{dollars} 1 batch not read yet (300 requests)" in text
    assert "1 day without a difference" in text


DIFFERENTLY = "which Anthropic may price or list differently"
OFF_TIER = f"1 batch with requests that did not run at the batch tier, {DIFFERENTLY}"
ADVISORS = f"1 batch with advisors’ tokens, {DIFFERENTLY}"
COMPACTIONS = f"1 batch with compactions’ tokens, {DIFFERENTLY}"
UNKNOWN = "1 batch with usage fields that Batchboard does not know; they may change the price"
PRICED = r"\$[0-9.]+ in Batchboard’s figure"


@pytest.mark.parametrize(
    ("quirk", "explained"),
    [
        ("standard", rf"{OFF_TIER} \(30 requests; {PRICED}\)"),
        ("fast", rf"{OFF_TIER} \(30 requests; not in Batchboard’s figure\)"),
        ("passes", rf"{ADVISORS} \(up to \d+ requests; {PRICED}\)"),
        ("passes", rf"{COMPACTIONS} \(up to \d+ requests; {PRICED}\)"),
        ("future-tokens", rf"{UNKNOWN} \(30 requests; not in Batchboard’s figure\)"),
    ],
)
def test_requests_with_other_prices_explain_a_difference_before_unread_batches(
    ended, fetched, lead, workspace, quirk, explained
):
    ended(requests=300, quirks=[quirk], models=["claude-opus-5-5"])
    missing = ended(requests=300)
    fetched(unread=[missing])

    html = shown(lead, workspace)

    (listed,) = re.findall(r'<ul class="report-why".*?</ul>', html, re.DOTALL)
    *first, last = [words(item) for item in re.findall(r"<li>.*?</li>", listed)]
    assert any(re.fullmatch(explained, each) for each in first)
    assert last == "1 batch not read yet (300 requests)"
    assert re.search(explained + ".*; 1 batch not read yet", words(html))


def test_requests_of_several_tiers_say_that_some_have_no_price(ended, fetched, lead, workspace):
    ended(requests=300, quirks=["standard", "fast"], models=["claude-opus-5-5"])
    fetched()

    assert re.search(
        rf"{OFF_TIER} \(60 requests; {PRICED}, the rest has no price\)",
        words(shown(lead, workspace)),
    )


def test_several_workspaces_are_listed_below_the_day(
    sandbox, ended, fetched, person, workspace, other_workspace
):
    lead = person("lead", workspace, other_workspace)
    missing = ended(key=sandbox.other_key, models=["claude-opus-5-5"], requests=300)
    ended(models=["claude-opus-5-5"])
    fetched(unread=[missing])

    html = shown(lead, workspace, other_workspace)

    rows = re.findall(r'<th scope="row">(.*?)</th>', html, re.DOTALL)
    assert [words(row) for row in rows] == ["23 Nov 2026", "Production"]


def test_a_batch_that_two_workspaces_mirror_counts_once(
    sandbox, sync, ended, fetched, person, workspace
):
    twin = Workspace.objects.create(
        name="Twin", slug="twin", base_url="http://sandbox", api_key=sandbox.key
    )
    assert sync(twin)
    ended(models=["claude-opus-5-5"])
    fetched()

    text = words(shown(person("lead", workspace, twin), workspace, twin))

    assert Batch.objects.filter(twin_of=workspace.pk).count() == 1
    assert "Difference none" in text


def test_another_teams_workspace_never_shows(
    sandbox, ended, fetched, lead, workspace, other_workspace
):
    ended(key=sandbox.other_key, requests=300)
    fetched()

    for html in (shown(lead, workspace), shown(lead, workspace, other_workspace)):
        assert "Production" not in html
        assert "There are no figures for this period yet" in html


def test_only_a_superuser_sees_what_is_not_mirrored(
    sandbox, ended, fetched, lead, workspace, admin_user
):
    ended(key=sandbox.other_key, models=["claude-opus-5-5"], requests=300)
    ended()
    fetched()

    assert "Production" not in shown(lead, workspace)
    html = shown(admin_user, workspace)
    assert "Production" in html
    assert "not mirrored: 300 requests more than Batchboard knows" in words(html)


def test_a_superuser_who_has_chosen_a_workspace_sees_that_one(
    sandbox, ended, fetched, workspace, other_workspace, admin_user
):
    ended(key=sandbox.other_key, requests=300)
    fetched()

    assert "Production" not in shown(admin_user, workspace)


def test_an_error_is_shown_with_anthropics_message_above_the_last_figures(
    sandbox, ended, fetched, lead, workspace, settings
):
    ended()
    fetched()
    settings.ANTHROPIC_ADMIN_KEY = sandbox.key
    CostReport.objects.update(next_attempt_at=None)
    assert not fetch_report(claim(CostReport.objects.the_one()))

    html = shown(lead, workspace)

    assert 'role="alert"' in html
    text = words(html)
    assert re.search(r"could not be fetched \d+ s ago", text)
    assert "Anthropic refused the key (403 permission_error)" in text
    assert re.search(r"requires an Admin API key\. \(request ID req_\w+\)", text)
    assert "next try in 5 min" in text
    assert "1 day without a difference" in text
    assert sandbox.key not in html


def test_an_error_message_is_never_markup(lead, workspace):
    CostReport.objects.create(pk=1, error="<b>No.</b>", error_at=NOON)

    assert "&lt;b&gt;No.&lt;/b&gt;" in shown(lead, workspace)


def test_an_old_report_is_shown_as_out_of_date(ended, fetched, lead, workspace):
    ended()
    fetched()
    CostReport.objects.update(fetched_at=NOON - timedelta(hours=4))

    assert "out of date" in words(shown(lead, workspace))


def test_days_that_anthropic_has_not_reported_are_named(ended, fetched, lead, workspace):
    ended()
    ended(0)
    fetched()
    CostReport.objects.update(refreshed_at=NOON - timedelta(days=1))

    text = words(shown(lead, workspace))

    assert "24 Nov 2026" in text
    assert "Not reported yet" in text


def test_a_period_that_was_never_fetched_says_so(fetched, lead, workspace):
    fetched()

    text = words(shown(lead, workspace, since=date(2020, 1, 1), until=date(2020, 1, 31)))

    assert "Anthropic hasn’t reported this period yet" in text


def test_workspaces_that_cannot_be_compared_are_named(ended, fetched, lead, workspace):
    ended()
    fetched()
    Workspace.objects.update(base_url="https://elsewhere.test")

    assert "Not compared: Research uses a different base URL" in words(shown(lead, workspace))


def test_nothing_in_it_needs_a_style_or_a_script(ended, fetched, lead, workspace):
    missing = ended()
    fetched(unread=[missing])

    html = shown(lead, workspace)

    assert not re.search(r"\sstyle=|\son\w+=|<script", html)
    assert "sandbox-admin" not in html
