"""The audit's page: its rows, steps, filters and paging."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from batches.models import AuditEvent
from dashboard.audit import filters
from tests.dashboard.audit.audit_page import all_events, event, events_on

Action = AuditEvent.Action
ANTHROPIC = AuditEvent.Actor.ANTHROPIC
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def ada(person, workspace) -> User:
    return person("operator", workspace, name="ada")


@pytest.fixture
def bob(person, workspace) -> User:
    return person("operator", workspace, name="bob")


@pytest.fixture
def canceled(row, ada):
    """A function that records ada's cancellation with its answers, and returns the request."""

    def canceled(number: int = 1, *, actor=None, at: datetime = NOON) -> AuditEvent:
        batch = row(f"msgbatch_{number}", label=f"nightly {number}")
        of = {"batch": batch, "cancellation_id": number}
        request = event(
            Action.CANCEL_REQUESTED, actor=actor or ada, reason="wrong prompt", at=at, **of
        )
        answer = {"by": ANTHROPIC, "is_step": True, **of}
        event(Action.CANCEL_ACCEPTED, outcome="Accepted.", request_id="req_7", at=at, **answer)
        event(Action.BATCH_ENDED, outcome="canceled: 37 of 40", at=at + DAY, **answer)
        return request

    return canceled


def shown(browser, **query: str) -> set[int]:
    return set(events_on(browser.get("/audit/", query).text))


def test_a_cancellation_is_one_row_with_its_steps_and_final_outcome(sign_in, canceled):
    recorded = canceled()

    page = sign_in("lead").get("/audit/").text

    assert page.count("<tr role") == 2
    request, accepted, ended = events_on(page).values()
    assert list(events_on(page)) == [recorded.pk, recorded.pk + 1, recorded.pk + 2]
    assert request.startswith("24 Nov 2026, 12:00:00 UTC ada Cancel requested nightly 1")
    assert re.search(r"<summary[^>]*>\s*canceled: 37 of 40\s*</summary>", page)
    assert "Reason wrong prompt" in request
    assert accepted == (
        "24 Nov 2026, 12:00:00 UTC Anthropic · Cancel accepted Accepted. request ID req_7"
    )
    assert ended == "25 Nov 2026, 12:00:00 UTC Anthropic · Batch ended canceled: 37 of 40"


def test_a_cancellation_without_an_answer_says_so(sign_in, row, ada):
    event(Action.CANCEL_REQUESTED, actor=ada, batch=row("one"), cancellation_id=1)

    [words] = events_on(sign_in("lead").get("/audit/").text).values()

    assert "Not confirmed yet" in words


def test_a_second_persons_cancel_is_a_step_and_not_the_outcome(sign_in, canceled, bob):
    recorded = canceled()
    again = event(
        Action.CANCEL_REPEATED, actor=bob, is_step=True, cancellation_id=1, reason="too expensive",
        workspace=bob.workspaces.get(), outcome="adds no second one", address="192.0.2.8",
    )  # fmt: skip

    page = sign_in("lead").get("/audit/").text

    assert next(iter(events_on(page))) == recorded.pk
    step = events_on(page)[again.pk]
    assert "bob · Cancel requested again · Reason: “too expensive”" in step
    assert "from 192.0.2.8" in step
    assert re.search(r"<summary[^>]*>\s*canceled: 37 of 40\s*</summary>", page)


def test_a_batch_is_shown_with_its_label_and_links_to_its_page(sign_in, row):
    event(Action.BATCH_LABELED, batch=row("msgbatch_01Fy4pheFXU6", label="nightly"))

    page = sign_in("lead").get("/audit/").text

    assert '<a href="/batches/msgbatch_01Fy4pheFXU6/"><bdi>nightly</bdi></a>' in page
    [words] = events_on(page).values()
    assert "nightly 01Fy4pheFXU6" in words


def test_a_deleted_batch_is_shown_with_its_id_alone(sign_in, row):
    deleted = row("msgbatch_deleted", label="nightly")
    event(Action.BATCH_LABELED, batch=deleted)
    deleted.delete()

    page = sign_in("lead").get("/audit/").text

    assert "/batches/msgbatch_deleted/" not in page
    [words] = events_on(page).values()
    assert "msgbatch_deleted" in words
    assert "nightly" not in words


def test_batches_with_one_id_in_two_workspaces_keep_their_labels(lead, row, other_workspace):
    first = event(Action.BATCH_LABELED, batch=row("same", label="first"))
    other = event(Action.BATCH_LABELED, batch=row("same", label="other", workspace=other_workspace))

    words = events_on(lead.get("/audit/").text)

    assert "first" in words[first.pk]
    assert "other" not in words[first.pk]
    assert "other" in words[other.pk]


def test_an_action_of_an_older_version_is_shown_as_it_was_recorded(sign_in, workspace):
    event("unheard of", workspace=workspace)

    [words] = events_on(sign_in("lead").get("/audit/").text).values()

    assert "Unheard of" in words


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"cancel", "label", "member", "other"}),
        ({"action": "batch labeled"}, {"label"}),
        ({"action": "cancel requested"}, {"cancel"}),
        ({"action": "batch ended"}, {"cancel"}),
        ({"person": "ada"}, {"cancel", "member"}),
        ({"person": "ADA"}, {"cancel", "member"}),
        ({"person": "bob"}, {"label", "other"}),
        ({"person": "Anthropic"}, {"cancel"}),
        ({"person": "ad"}, set()),
        ({"person": "ada", "action": "batch ended"}, {"cancel"}),
        ({"workspace": "production"}, {"other"}),
        ({"workspace": "research", "person": "bob"}, {"label"}),
        ({"batch": "msgbatch_1"}, {"cancel"}),
        ({"batch": " msgbatch_1 "}, {"cancel"}),
        ({"batch": "1"}, {"cancel"}),
        ({"batch": "NIGHTLY"}, {"cancel"}),
        ({"batch": "weekly"}, {"label"}),
        ({"since": "2026-11-25"}, {"cancel", "member"}),
        ({"until": "2026-11-23"}, {"label"}),
        ({"since": "2026-11-24", "until": "2026-11-24"}, {"cancel", "other"}),
        ({"since": "2026-11-27"}, set()),
    ],
)
def test_each_filter_keeps_the_events_and_cancellations_that_match(
    lead, canceled, row, ada, bob, workspace, other_workspace, query, expected
):
    events = {
        "cancel": canceled(),
        "label": event(
            Action.BATCH_LABELED, actor=bob, batch=row("two", label="weekly"), at=NOON - DAY
        ),
        "member": event(Action.MEMBER_ADDED, person=ada, workspace=workspace, at=NOON + DAY * 2),
        "other": event(Action.EXPORTED, actor=bob, workspace=other_workspace),
    }

    found = shown(lead, **query)

    heads = {pk for pk in found if not AuditEvent.objects.get(pk=pk).is_step}
    assert heads == {events[name].pk for name in expected}
    # A cancellation is shown with all of its steps, whichever event matched.
    assert len(found) == len(heads) + (2 if "cancel" in expected else 0)


def test_a_renamed_person_is_found_under_both_names(sign_in, ada, workspace):
    before = event(Action.BATCH_LABELED, actor=ada, workspace=workspace)
    ada.username = "grace"
    ada.save()
    after = event(Action.BATCH_LABELED, actor=ada, workspace=workspace)
    event(Action.BATCH_LABELED, workspace=workspace)
    browser = sign_in("lead")

    assert shown(browser, person="ada") == {before.pk, after.pk}
    assert shown(browser, person="grace") == {before.pk, after.pk}


def test_a_deleted_person_is_found_by_name(sign_in, ada, workspace):
    done = event(Action.BATCH_LABELED, actor=ada, workspace=workspace)
    ada.delete()

    assert shown(sign_in("lead"), person="ada") == {done.pk}


def test_every_action_can_be_chosen():
    offered = [action for group in filters.ACTIONS.values() for action in group]

    assert sorted(offered) == sorted(Action)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"action": "dance"}, "Action: “dance” is not a valid value. This filter was ignored."),
        ({"workspace": "unknown"}, "Workspace: “unknown” is not a valid value."),
        ({"since": "2026-13-45"}, "From: “2026-13-45” is not a day such as 2026-11-24."),
        ({"until": "x"}, "Until: “x” is not a day such as 2026-11-24."),
        ({"person": "x" * 201}, "Person: text is limited to 200 characters"),
        ({"batch": "a\0b"}, "Batch: it contains an invalid character."),
        ({"after": "x"}, "That page does not exist. This is the first one."),
        ({"after": "9" * 30}, "That page does not exist."),
    ],
)
def test_an_invalid_value_is_named_and_ignored(sign_in, workspace, query, sentence):
    seen = event(Action.EXPORTED, workspace=workspace)
    browser = sign_in("lead")

    response = browser.get("/audit/", query)

    assert response.status_code == 200
    assert sentence in response.text
    assert 'role="alert"' in response.text
    assert set(events_on(response.text)) == {seen.pk}


def test_days_in_the_wrong_order_are_named(sign_in, workspace):
    event(Action.EXPORTED, workspace=workspace)

    page = sign_in("lead").get("/audit/", {"since": "2026-11-25", "until": "2026-11-24"}).text

    assert "From: this day comes after “until”, so no event can match." in page


def test_pages_follow_each_other_and_lead_back_to_the_newest(
    sign_in, canceled, workspace, monkeypatch
):
    monkeypatch.setattr("dashboard.audit.views.PAGE_SIZE", 2)
    for number in range(1, 6):
        canceled(number)
    browser = sign_in("lead")

    first = browser.get("/audit/", {"action": "batch ended"}).text
    assert 'id="newest"' not in first

    everything = all_events(browser, {"action": "batch ended"})

    heads = [pk for pk, words in everything.items() if "Reason" in words]
    assert len(everything) == 15
    assert heads == sorted(heads, reverse=True)
    last = browser.get("/audit/", {"action": "batch ended", "after": heads[3]}).text
    assert 'id="older"' not in last
    assert '<a id="newest" href="/audit/?action=batch+ended">' in last


def test_a_page_takes_the_same_queries_however_many_events_it_has(
    sign_in, canceled, django_assert_num_queries
):
    canceled(1)
    browser = sign_in("lead")
    # Session, person and workspaces; the events, their steps and batches; the names to suggest.
    with django_assert_num_queries(3 + 3 + 1):
        browser.get("/audit/")

    for number in range(2, 30):
        canceled(number)

    with django_assert_num_queries(3 + 3 + 1):
        browser.get("/audit/")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({}, "Cancels, downloads, sign-ins and changes to people and workspaces will appear here."),
        ({"person": "nobody"}, "No event matches these filters"),
        ({"after": "1"}, "No older events"),
    ],
)
def test_an_empty_page_says_what_to_do(sign_in, query, sentence):
    assert sentence in sign_in("lead").get("/audit/", query).text


def test_names_are_suggested_of_people_of_the_same_workspaces(
    sign_in, person, ada, other_workspace
):
    person("operator", other_workspace, name="mallory")
    User.objects.create_superuser("root")

    page = sign_in("lead").get("/audit/").text

    suggested = re.findall(r'<option value="([a-z]+)"></option>', page)
    assert suggested == ["ada", "lead"]


def test_hostile_text_is_escaped(sign_in, row, workspace):
    evil = "<script>alert(1)</script>"
    batch = row("one", label=evil)
    event(
        Action.CANCEL_REQUESTED, batch=batch, actor=User(username=evil), reason=evil, outcome=evil
    )

    page = sign_in("lead").get("/audit/", {"person": evil, "batch": evil}).text

    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") >= 4
