"""Links between a batch and those that retry it."""

from datetime import timedelta

import pytest

from batches.models import AuditEvent, Batch
from tests.dashboard.batch.batch_page import page_of, words
from tests.dashboard.reading import csv_table


@pytest.fixture
def old(row) -> Batch:
    return row("old", age=timedelta(hours=3), processing_status="ended", label="nightly")


@pytest.fixture
def new(row) -> Batch:
    return row("new", age=timedelta(hours=1))


def links(page: str) -> str:
    return words(page.partition('id="links"')[2].partition('id="running"')[0])


@pytest.mark.parametrize(
    ("address", "form"),
    [("/batches/new/", {"retries": "nightly"}), ("/batches/old/", {"retried_by": "new"})],
)
def test_either_page_links_the_two_and_both_show_it(sign_in, old, new, address, form):
    browser = sign_in("operator", name="ada")

    answer = browser.post(f"{address}resubmits/", form, follow=True)

    assert answer.redirect_chain == [(address, 302)]
    assert "Linked: " in answer.text
    assert "This batch retries nightly" in links(page_of(browser, new))
    assert "Retried by new" in links(page_of(browser, old))
    event = AuditEvent.objects.get(action="retry linked")
    assert (event.actor, event.batch_api_id, event.outcome) == (
        "ada", "new", "This batch retries old.",
    )  # fmt: skip


def test_a_link_can_be_removed_again(sign_in, old, new):
    browser = sign_in("operator")
    browser.post("/batches/new/resubmits/", {"retries": "old"})

    answer = browser.post("/batches/new/resubmits/", {"undo": "1"}, follow=True)

    assert "The link was removed." in answer.text
    assert "retries" not in links(answer.text)
    assert AuditEvent.objects.filter(action="retry unlinked").count() == 1


def test_what_cannot_be_linked_is_refused_in_words(sign_in, old, new, row, other_workspace):
    row("theirs", workspace=other_workspace, age=timedelta(hours=9))
    browser = sign_in("operator")

    said = [
        browser.post("/batches/new/resubmits/", {"retries": text}, follow=True).text
        for text in ("theirs", "new", "")
    ]

    assert "This workspace has no batch “theirs”." in said[0]
    assert "A batch can’t retry itself." in said[1]
    assert "Enter the ID, the address or the label of a batch." in said[2]
    assert not Batch.objects.filter(resubmits__isnull=False).exists()


def test_viewers_see_links_and_can_not_change_them(sign_in, old, new):
    sign_in("operator").post("/batches/new/resubmits/", {"retries": "old"})
    viewer = sign_in("viewer")

    answer = viewer.post("/batches/new/resubmits/", {"undo": "1"})

    page = page_of(viewer, new)
    assert answer.status_code == 403
    assert "This batch retries nightly" in links(page)
    assert "resubmits/" not in page


def test_many_retries_take_no_more_queries(sign_in, old, row, django_assert_num_queries):
    for number in range(30):
        row(f"again-{number}", age=timedelta(minutes=number + 1))
    Batch.objects.exclude(pk=old.pk).update(resubmits=old)
    browser = sign_in("viewer")

    # The session, the person, the batch; its reading, links, usage, cancellations, history.
    with django_assert_num_queries(8):
        page = page_of(browser, old)

    assert links(page).count("Retried by") == 10
    assert "Only the newest 10" in links(page)


def test_the_list_as_csv_names_the_batch_that_was_retried(sign_in, old, new):
    sign_in("operator").post("/batches/new/resubmits/", {"retries": "old"})

    rows = csv_table(sign_in("lead").get("/batches.csv"))

    assert {row["api_id"]: row["resubmits"] for row in rows} == {"old": "", "new": "old"}
