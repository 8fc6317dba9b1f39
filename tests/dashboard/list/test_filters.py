"""Filters that match parts, name themselves when nothing matches, and suggest what exists."""

import html
import re
from datetime import date

import pytest

from batches.models import Workspace
from tests.dashboard.list.pages import count, link, shown
from tests.dashboard.reading import csv_table
from tests.spend_world import spent, used


@pytest.fixture
def labeled(row):
    row("one", label="Nightly eval", owner="Ada@example.com")
    row("two", label="nightly", owner="grace@example.com")
    row("three", label="weekly", owner="ada@example.com")
    row("four")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"label": "nightly"}, ["one", "two"]),
        ({"label": '"nightly"'}, ["two"]),
        ({"label": "EVAL"}, ["one"]),
        ({"label": "(none)"}, ["four"]),
        ({"owner": "ADA"}, ["one", "three"]),
        ({"owner": '"ada@example.com"'}, ["three"]),
        ({"label": "nightly", "owner": "ada"}, ["one"]),
        ({"label": "%"}, []),
    ],
)
@pytest.mark.parametrize("many_labels", [False, True])
def test_label_and_owner_match_parts_and_quoted_texts_exactly(
    sign_in, labeled, monkeypatch, query, expected, many_labels
):
    if many_labels:
        monkeypatch.setattr("batches.search.MOST_DISTINCT", 0)
    lead = sign_in("lead")

    page = lead.get("/", query).text

    assert sorted(shown(page)) == sorted(expected)
    assert count(page) == len(expected)
    rows = csv_table(lead.get("/batches.csv", query))
    assert sorted(row["api_id"] for row in rows) == sorted(expected)


def test_a_label_of_the_longest_length_can_be_selected_exactly(sign_in, row):
    row("long", label="x" * 200)

    page = sign_in("viewer").get("/", {"label": f'"{"x" * 200}"', "status": "active"}).text

    assert shown(page) == ["long"]
    assert "x" * 200 in html.unescape(link(page, "tab-failed"))


def test_links_from_spend_select_exactly_what_they_sum_up(november, sign_in, workspace):
    day = date(2026, 11, 12)
    spent(workspace, day, used(input=1), label="nightly", api_id="exact")
    spent(workspace, day, used(input=2), label="nightly eval", api_id="longer")
    spent(workspace, day, used(input=4), api_id="none")
    lead = sign_in("lead")

    page = lead.get("/spend/", {"group": "label"}).text

    links = {html.unescape(each) for each in re.findall(r'href="(/\?[^"]*label=[^"]*)"', page)}
    selected = {tuple(shown(lead.get(each).text)) for each in links}
    assert {("exact",), ("longer",), ("none",)} <= selected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("HkcTja", "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"),
        ("ZsDV8d", "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"),
        ("msgbatch_01 HkcTja V5u", "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"),
        ("ada eval", "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"),
        ("eval second", "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"),
        ("research nightly", "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"),
        ("LARGE", "msgbatch_02read"),
        ("large weekly", "msgbatch_02read"),
    ],
)
@pytest.mark.parametrize("few", [2000, 0])
def test_each_word_may_be_in_another_place(
    sign_in, row, workspace, november, monkeypatch, typed, expected, few
):
    monkeypatch.setattr("batches.search.FEW", few)
    api_id = "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"
    row(api_id, label="Nightly eval", owner="ada", note="The second try")
    read = {"api_id": "msgbatch_02read", "label": "weekly"}
    spent(workspace, date(2026, 11, 2), used(model="large"), **read)
    row("msgbatch_03other", label="evaluation", owner="grace")

    page = sign_in("viewer").get("/", {"q": typed}).text

    assert shown(page) == [expected]


@pytest.mark.parametrize("typed", ["Hkc", "jWR4", "nightly weekly", "ada (none)", "\0"])
def test_other_texts_find_nothing(sign_in, row, typed):
    row("msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d", label="nightly", owner="ada")
    row("msgbatch_02x", label="weekly")

    page = sign_in("viewer").get("/", {"q": typed}).text

    assert shown(page) == [] or "\0" in typed


@pytest.mark.parametrize(
    "address",
    [
        "https://batches.example.com/batches/msgbatch_01Hkc/?status=failed",
        "http://testserver/batches/msgbatch_01Hkc@research/",
        "https://api.anthropic.com/v1/messages/batches/msgbatch_01Hkc/results",
    ],
)
def test_the_address_of_a_batch_leads_to_it(sign_in, row, address):
    row("msgbatch_01Hkc")
    row("msgbatch_01Hkcd")

    response = sign_in("viewer").get("/", {"q": address})

    assert response["Location"] == "/batches/msgbatch_01Hkc/"


def test_an_address_has_no_empty_parameters(sign_in, row):
    row("one", label="x")
    browser = sign_in("viewer")

    response = browser.get("/?q=&label=x&owner=&workspace=&sort=&status=active")

    assert response["Location"] == "/?label=x&status=active"
    assert browser.get(response["Location"]).status_code == 200
    assert browser.get("/?q=")["Location"] == "/"


def test_without_a_match_each_filter_can_be_dropped_alone(sign_in, labeled):
    query = {"label": "nightly", "owner": "zoe", "status": "active", "sort": "largest"}

    page = sign_in("viewer").get("/", query).text

    assert "No batch matches" in page
    assert "contains “zoe”" in page
    rows = re.findall(r'<a href="([^"]+)"\s+aria-label="Remove the filter (\w+)', page)
    dropped = {title: html.unescape(address) for address, title in rows}
    assert {title: set(each[2:].split("&")) for title, each in dropped.items()} == {
        "Label": {"owner=zoe", "status=active", "sort=largest"},
        "Owner": {"label=nightly", "status=active", "sort=largest"},
    }


def test_clear_drops_the_filters_and_keeps_tab_and_order(sign_in, labeled):
    query = {"label": "nightly", "q": "one", "status": "active", "sort": "largest"}

    page = sign_in("viewer").get("/", query).text

    assert set(link(page, "clear")[2:].split("&")) == {"status=active", "sort=largest"}


@pytest.mark.parametrize(
    ("tab", "sentence"),
    [("canceling", "Nothing is being canceled."), ("failed", "No batch has failed.")],
)
def test_a_tab_without_batches_says_so(sign_in, labeled, tab, sentence):
    page = sign_in("viewer").get("/", {"status": tab}).text

    assert sentence in page
    assert "No batch matches" not in page


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"label": "nightyl"}, "nightly"),
        ({"label": '"Weekly"'}, "weekly"),
        ({"owner": "grace@exampel.com"}, "grace@example.com"),
    ],
)
def test_a_mistyped_filter_offers_what_it_may_mean(sign_in, labeled, query, text):
    browser = sign_in("viewer")

    page = browser.get("/", query).text

    offered = html.unescape(page)
    found = re.search(rf'<a href="([^"]+)"><bdi>{text}</bdi> \((\d+)\)</a>', offered)
    assert len(shown(browser.get(found[1]).text)) == int(found[2]) == 1


def options(response) -> list[tuple[str, str]]:
    found = re.findall(r'<option value="([^"]*)" label="([^"]*)"', response.text)
    return [(html.unescape(value), label) for value, label in found]


def test_suggestions_are_what_exists_with_counts(sign_in, labeled, row):
    row("five", label="weekly")
    browser = sign_in("viewer")

    everything = browser.get("/suggestions/", {"field": "label"})
    parts = browser.get("/suggestions/", {"field": "owner", "owner": "ADA"})

    assert options(everything) == [
        ("weekly", "2 batches"),
        ("Nightly eval", "1 batch"),
        ("nightly", "1 batch"),
    ]
    assert sorted(value for value, _ in options(parts)) == ["Ada@example.com", "ada@example.com"]


def test_models_are_suggested_by_the_batches_that_used_them(sign_in, workspace, november):
    for models in (["small"], ["small", "large"]):
        spent(workspace, date(2026, 11, 2), *(used(model=model) for model in models))

    response = sign_in("viewer").get("/suggestions/", {"field": "model", "model": "L"})

    assert options(response) == [("small", "2 batches"), ("large", "1 batch")]


@pytest.mark.parametrize("field", ["label", "owner", "model"])
def test_suggestions_show_nothing_of_other_teams(sign_in, other_workspace, november, field):
    columns = {"label": "secret", "owner": "secret"}
    spent(other_workspace, date(2026, 11, 2), used(model="secret"), **columns)

    assert options(sign_in("lead").get("/suggestions/", {"field": field})) == []


@pytest.mark.parametrize("field", ["", "note", "api_key", "label; DROP TABLE"])
def test_other_fields_have_no_suggestions(sign_in, labeled, field):
    assert options(sign_in("viewer").get("/suggestions/", {"field": field})) == []


def test_suggestions_are_twenty_at_most_and_text(sign_in, row):
    for number in range(22):
        row(f"b{number}", label=f'"><script>{number}')

    response = sign_in("viewer").get("/suggestions/", {"field": "label", "label": "x" * 10_000})
    everything = sign_in("viewer", name="eve").get("/suggestions/", {"field": "label"})

    assert options(response) == []
    assert len(options(everything)) == 20
    assert "<script>" not in everything.text


def test_sixty_workspaces_take_no_more_queries(sign_in, row, person, django_assert_max_num_queries):
    many = [
        Workspace.objects.create(name=f"Team {n}", slug=f"team-{n}", base_url="http://sandbox")
        for n in range(60)
    ]
    row("one", workspace=many[7])
    browser = sign_in("viewer", *many)

    # One more than a page of ended batches takes, for the estimate of the one that runs.
    with django_assert_max_num_queries(7):
        page = browser.get("/").text

    assert page.count('<option value="team-') == 60
    assert shown(page) == ["one"]
