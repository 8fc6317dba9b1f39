from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from batches.models import AuditEvent, Batch
from batches.resubmit import CannotLink, find, link, resubmissions, unlink
from tests.mirroring import mirror


@pytest.fixture
def ada(person) -> User:
    return person("operator", name="ada")


@pytest.fixture
def made(workspace):
    """A function that mirrors a batch, each a minute younger than the one before."""

    def made(api_id: str, *, into=workspace, **columns) -> Batch:
        created_at = timezone.now() + timedelta(minutes=Batch.objects.count())
        return mirror(into, api_id, now=created_at, created_at=created_at, processing=1, **columns)

    return made


def test_a_link_is_stored_with_its_author_and_can_be_undone(made, ada):
    old, new = made("old"), made("new")

    link(new, old, actor=ada, address="192.0.2.9")
    linked = [batch.api_id for batch in old.resubmissions.all()]
    undone = unlink(new, actor=ada, address="192.0.2.9")

    assert linked == ["new"]
    assert undone
    assert not old.resubmissions.exists()
    events = AuditEvent.objects.filter(actor="ada", batch_api_id="new").order_by("id")
    assert [(event.action, event.outcome) for event in events] == [
        ("retry linked", "This batch retries old."),
        ("retry unlinked", "This batch no longer retries old."),
    ]


def test_both_pages_learn_of_a_link(made, ada):
    old, new = made("old"), made("new")
    before = Batch.objects.values_list("revision", flat=True).order_by("revision").last()

    link(new, old, actor=ada, address="")

    assert all(batch.revision > before for batch in Batch.objects.all())


def test_the_same_link_twice_is_one_event(made, ada):
    old, new = made("old"), made("new")

    link(new, old, actor=ada, address="")
    link(new, old, actor=ada, address="")

    assert AuditEvent.objects.filter(action="retry linked").count() == 1


def test_no_link_leads_to_itself_a_younger_batch_or_another_workspace(made, ada, other_workspace):
    first, elsewhere, second = (
        made("first"),
        made("elsewhere", into=other_workspace),
        made("second"),
    )
    link(second, first, actor=ada, address="")

    for batch, old, problem in (
        (first, first, "can’t retry itself"),
        (first, second, "created before it"),
        (second, elsewhere, "same workspace"),
    ):
        with pytest.raises(CannotLink, match=problem):
            link(batch, old, actor=ada, address="")

    assert list(resubmissions(Batch.objects.all())) == [second]


@pytest.mark.parametrize(
    "text",
    [
        "msgbatch_01abc",
        " 01abc\n",
        "https://board.example/batches/msgbatch_01abc/?from=mail",
        "/batches/msgbatch_01abc/requests/",
        "Nightly Eval",
    ],
)
def test_a_batch_is_found_by_id_address_or_label(made, workspace, text):
    batch = made("msgbatch_01abc", label="nightly eval")

    assert find(text, workspace.pk) == batch


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "Enter the ID"), ("a\0b", "Enter the ID"), ("theirs", "no batch"), ("twice", "Several")],
)
def test_what_names_no_batch_of_the_workspace_is_refused(
    made, workspace, other_workspace, text, problem
):
    made("theirs", into=other_workspace, label="theirs")
    made("one", label="twice")
    made("two", label="twice")

    with pytest.raises(CannotLink, match=problem):
        find(text, workspace.pk)
