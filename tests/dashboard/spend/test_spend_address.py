"""What the address of the spend page may contain, and who may read the page."""

import html
import re
from datetime import date

import pytest

from tests.dashboard.reading import links, table, words_of

pytestmark = pytest.mark.usefixtures("november")
URL = "/spend/"
FIRST, LATE = date(2026, 11, 2), date(2026, 11, 12)


def test_another_teams_spend_never_shows(sign_in, workspace, other_workspace, spendings):
    browser = sign_in("lead", workspace, name="ada")

    for path in (
        URL,
        "/spend/?workspace=production",
        "/spend/?group=owner",
        "/spend.csv?table=groups",
        "/spend.csv?table=days&stack=workspace",
        "/spend.csv?table=batches&workspace=production",
    ):
        answer = browser.get(path)
        text = answer.getvalue().decode() if answer.streaming else answer.text
        assert "Production" not in text
        assert "bob" not in text
        assert "26.5" not in text
    assert "$16.50" in words_of(browser.get(URL).text, "total")


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_spend_and_the_link_to_it_need_the_lead_role(sign_in, workspace, role):
    browser = sign_in(role, workspace)

    assert browser.get(URL).status_code == 403
    assert browser.get("/spend.csv").status_code == 403
    assert "/spend/" not in browser.get("/").text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"since": "yesterday"}, "Since: “yesterday” is not a day such as 2026-11-24."),
        ({"since": "2026-11-23", "until": "2026-11-22"}, "is after the end, 2026-11-22."),
        ({"since": "2027-01-01", "until": "2027-02-01"}, "is after the end, 2026-11-24."),
        ({"until": "0001-01-05"}, "Until: 0001-01-05 is before there were any batches."),
        ({"since": "9999-12-31"}, "Since: 9999-12-31 is after the end"),
        ({"group": "color"}, "Grouping: “color” is not a valid value."),
        ({"stack": "label"}, "Stack: “label” is not a valid value."),
        ({"workspace": "other"}, "Workspace: “other” is not a valid value."),
        ({"canceled": "perhaps"}, "Canceled: “perhaps” is not a valid value."),
        ({"model": "m" * 300}, "Model: text is limited to 200 characters"),
        ({"label": "a\0b"}, "Label: it contains an invalid character."),
        ({"owner": "a\0<script>"}, "Owner: it contains an invalid character"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_named_and_ignored(lead, spendings, query, sentence):
    response = lead.get(URL, query)

    assert response.status_code == 200
    assert sentence in html.unescape(response.text)
    assert 'role="alert"' in response.text
    assert "$" in words_of(response.text, "total") or "No batches" in response.text


@pytest.mark.parametrize(
    ("since", "days", "is_cut"),
    [("2025-11-24", 366, False), ("2025-11-23", 366, True), ("0001-01-01", 366, True)],
)
def test_no_period_is_longer_than_366_days(lead, spendings, since, days, is_cut):
    page = lead.get(URL, {"since": since, "until": "2026-11-24"}).text

    assert len(table(page, "Spend by UTC day")) == days + 2
    assert (f"Since: {since} is more than 366 days before the end." in page) == is_cut
    assert ("The figures begin on 2025-11-24." in page) == is_cut


def test_a_period_that_is_not_over_ends_today(lead, spendings):
    response = lead.get(URL, {"until": "2026-12-31"})

    assert "Until: 2026-12-31 is in the future. The figures end today." in response.text
    assert 'id="filter-problems"' not in response.text
    assert lead.get("/spend.csv", {"until": "2026-12-31"}).status_code == 200


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("This month", "1–24 Nov 2026"),
        ("Last month", "1–31 Oct 2026"),
        ("Last 7 days", "18–24 Nov 2026"),
        ("Last 30 days", "26 Oct – 24 Nov 2026"),
    ],
)
def test_shortcuts_to_periods_keep_the_other_choices(lead, spendings, title, words):
    page = lead.get(URL, {"group": "owner"}).text

    [href] = [href for name, href in links(page) if name == title]
    there = lead.get(href).text

    assert "group=owner" in href
    assert words in there
    assert re.search(rf'aria-current="true">{title}<', there)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({}, "No batches for 1–24 Nov 2026"),
        ({"label": "nothing"}, "No batch of this period matches the filters."),
    ],
)
def test_an_empty_period_says_what_to_do(lead, query, sentence):
    page = lead.get(URL, query).text

    assert sentence in page
    assert "no ended batch in your workspaces has unread results" in page


def test_a_lead_without_a_workspace_learns_whom_to_ask(client, person):
    client.force_login(person("lead"))

    assert "Ask an admin of this Batchboard to add you" in client.get(URL).text
