"""Spend, with the figures of the spend page."""

import pytest

from tests.dashboard.api.conftest import ROOT, give_token, kind, program

pytestmark = pytest.mark.usefixtures("november")
URL = f"{ROOT}/spend"


@pytest.fixture
def lead(person, workspace, other_workspace):
    both = [workspace, other_workspace]
    return program(give_token(person("lead", *both), "spend", workspaces=both))


def test_the_total_says_what_is_known_and_what_is_missing(lead, spendings):
    spend = lead.get(URL).json()

    assert (spend["since"], spend["until"], spend["group"]) == (
        "2026-11-01",
        "2026-11-24",
        "workspace",
    )
    # The figures of the spend page's tiles.
    assert spend["total"]["cost"] == {
        "usd": None,
        "known": False,
        "known_usd": "26.5",
        "reason": "Batches not included: 1 running, 1 not read yet, 1 unreadable, 1 lost, "
        "1 with an unpriced model",
    }
    assert spend["total"]["saving"]["known_usd"] == "26.5"
    assert (spend["total"]["batches"], spend["total"]["billed_requests"]) == (8, 37)
    assert spend["total"]["not_included"] == {
        "running": 1, "unread": 1, "unreadable": 1, "lost": 1, "unpriced": 1,
    }  # fmt: skip


def test_groups_and_days_have_their_own_figures(lead, spendings):
    spend = lead.get(URL).json()

    groups = [(each["key"], each["cost"]["known_usd"], each["batches"]) for each in spend["groups"]]
    assert groups == [("research", "16.5", 5), ("production", "10", 3)]
    assert len(spend["days"]) == 24
    second, third = spend["days"][1:3]
    assert (second["day"], second["cost"]["known_usd"]) == ("2026-11-02", "16.5")
    assert third["cost"] == {"usd": "0", "known": True, "known_usd": "0", "reason": None}


@pytest.mark.parametrize(
    ("group", "keys"),
    [
        ("model", ["large", "small", None, "new"]),
        ("label", ["", "nightly"]),
        ("owner", ["ada", "bob", ""]),
        ("canceled", ["no", "yes"]),
    ],
)
def test_the_keys_of_groups_are_values_of_the_filters(lead, spendings, group, keys):
    spend = lead.get(URL, {"group": group}).json()

    assert sorted(str(each["key"]) for each in spend["groups"]) == sorted(map(str, keys))


def test_a_complete_period_has_a_whole_amount(lead, spendings):
    spend = lead.get(URL, {"label": "nightly", "owner": "bob"}).json()

    assert spend["total"]["cost"]["usd"] == "10"
    assert spend["total"]["cost"]["known"] is True
    assert {each["name"]: each["quantity"] for each in spend["token_classes"]}[
        "input_tokens"
    ] == 2_000_000


def test_a_token_for_one_workspace_sees_that_spend_alone(
    person, workspace, other_workspace, spendings
):
    owner = person("lead", workspace, other_workspace)
    call = program(give_token(owner, "spend", workspaces=[other_workspace]))

    assert [each["key"] for each in call.get(URL).json()["groups"]] == ["production"]
    assert kind(call.get(URL, {"workspace": "research"})) == "invalid-query"


@pytest.mark.parametrize(
    "query",
    [{"since": "2026-13-01"}, {"group": "color"}, {"since": "2027-01-01"}, {"stack": "model"}],
)
def test_an_invalid_question_is_refused(lead, query):
    assert kind(lead.get(URL, query)) == "invalid-query"
