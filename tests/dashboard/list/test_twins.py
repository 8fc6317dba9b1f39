"""One batch that a person sees through two workspaces, and two batches of one ID."""

import re
from collections import Counter
from datetime import date

import pytest

from batches.models import Batch, Workspace
from tests.dashboard.conftest import HTMX
from tests.dashboard.list.test_list import shown
from tests.dashboard.reading import csv_table
from tests.spend_world import spent, used

DAY = date(2026, 11, 12)


@pytest.fixture
def twins(november, workspace, other_workspace) -> tuple[Batch, Batch]:
    """A batch for $3 of Research and, as its twin, of Production; and another for $1 of each."""
    first = spent(workspace, DAY, used(input=3), api_id="msgbatch_twin", label="nightly")
    second = spent(
        other_workspace,
        DAY,
        used(input=3),
        api_id="msgbatch_twin",
        label="nightly",
        twin_of=workspace.pk,
    )
    spent(workspace, DAY, used(input=1), api_id="msgbatch_a")
    spent(other_workspace, DAY, used(input=1), api_id="msgbatch_b")
    Workspace.objects.filter(pk=other_workspace.pk).update(has_twins=True)
    return first, second


def test_the_list_and_its_tabs_have_a_twin_once(lead, twins):
    response = lead.get("/")

    assert sorted(shown(response)) == ["msgbatch_a", "msgbatch_b", "msgbatch_twin"]
    assert re.search(r'id="tab-all".*?count">3<', response.text, re.DOTALL)
    assert re.search(r'id="tab-succeeded".*?count">3<', response.text, re.DOTALL)
    card = re.search(r'<article id="batch-msgbatch_twin.*?</article>', response.text, re.DOTALL)[0]
    assert f"<bdi>{twins[0].workspace.name}</bdi>" in card


@pytest.mark.parametrize("slug", ["research", "production"])
def test_each_workspace_lists_the_twin_when_it_is_chosen(lead, twins, slug):
    assert "msgbatch_twin" in shown(lead.get("/", {"workspace": slug}))


def test_a_member_of_one_workspace_sees_its_twin(sign_in, twins, other_workspace):
    response = sign_in("lead", other_workspace).get("/")

    assert sorted(shown(response)) == ["msgbatch_b", "msgbatch_twin"]
    assert "$4.00" in sign_in("lead", other_workspace, name="eve").get("/spend/").text


def test_the_lists_csv_has_a_twin_once(lead, twins):
    rows = csv_table(lead.get("/batches.csv"))

    assert sorted(row["api_id"] for row in rows) == ["msgbatch_a", "msgbatch_b", "msgbatch_twin"]


@pytest.mark.parametrize("group", ["workspace", "model", "label", "owner", "canceled"])
def test_spend_has_a_twin_once_however_it_is_grouped(lead, twins, group):
    page = lead.get("/spend/", {"group": group}).text
    *groups, total = csv_table(lead.get("/spend.csv", {"group": group}))
    *days, _ = csv_table(lead.get("/spend.csv", {"group": group, "table": "days"}))

    assert "$5.00" in page
    assert "$8.00" not in page
    assert sum(float(row["cost (USD)"]) for row in groups) == 5
    assert sum(int(row["batches"]) for row in groups) == 3
    assert (total["cost (USD)"], total["batches"]) == ("5", "3")
    assert sum(float(row["total (USD)"]) for row in days) == 5


def test_the_batches_csv_of_spend_has_a_twin_once(lead, twins):
    rows = csv_table(lead.get("/spend.csv", {"table": "batches"}))

    assert sorted(row["id"] for row in rows) == ["msgbatch_a", "msgbatch_b", "msgbatch_twin"]


def test_results_about_to_expire_have_a_twin_once(lead, november, workspace, other_workspace):
    old = {"results_state": "pending", "api_id": "msgbatch_twin"}
    spent(workspace, date(2026, 10, 28), **old)
    spent(other_workspace, date(2026, 10, 28), **old, twin_of=workspace.pk)
    Workspace.objects.filter(pk=other_workspace.pk).update(has_twins=True)

    assert lead.get("/spend/").context["expiring_count"] == 1


def test_a_twin_has_one_page(lead, twins):
    assert lead.get("/batches/msgbatch_twin/").context["batch"] == twins[0]


@pytest.fixture
def namesakes(row, workspace, other_workspace) -> tuple[Batch, Batch]:
    """Batches of one ID, as two addresses list them."""
    other_workspace.base_url = "http://gateway"
    other_workspace.save(update_fields=["base_url"])
    return row("msgbatch_same", processing=5), row(
        "msgbatch_same", processing=7, workspace=other_workspace
    )


def test_every_element_of_a_page_with_namesakes_has_an_id_of_its_own(lead, namesakes):
    page = lead.get("/").text

    ids = re.findall(r'\sid="([^"]+)"', page)
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    assert page.count('data-batch="msgbatch_same"') == 2


def test_each_namesake_has_its_page_and_its_own_cancel(lead, namesakes, sandbox):
    first = lead.get("/batches/msgbatch_same/")
    second = lead.get("/batches/msgbatch_same@production/")

    assert first.context["batch"] == namesakes[0]
    assert second.context["batch"] == namesakes[1]
    assert 'action="/batches/msgbatch_same@production/cancel/"' in lead.get("/").text
    links = re.findall(r'(?:href|action|hx-get)="(/batches/msgbatch_same[^"]*)"', second.text)
    assert {link.partition("?")[0].split("/")[2] for link in links} == {"msgbatch_same@production"}


def test_canceling_a_namesake_cancels_that_one_and_answers_with_its_card(lead, namesakes):
    card = lead.post("/batches/msgbatch_same@production/cancel/", headers=HTMX).text

    assert 'id="batch-msgbatch_same--production"' in card
    assert not namesakes[0].cancellations.exists()
    assert namesakes[1].cancellations.exists()


def test_a_poll_swaps_the_namesake_that_changed(lead, namesakes, change):
    change(namesakes[1], processing=6, succeeded=1)

    page = lead.get(
        "/live/",
        {"v": f"{namesakes[1].revision - 1}.x", "shown": [each.pk for each in namesakes]},
        headers=HTMX,
    ).text

    assert re.findall(r'<article id="([^"]+)"', page) == ["batch-msgbatch_same--production"]


def test_no_workspace_of_another_team_can_be_named(sign_in, namesakes):
    assert sign_in("viewer").get("/batches/msgbatch_same@production/").status_code == 404
