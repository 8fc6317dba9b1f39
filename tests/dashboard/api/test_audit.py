"""What the audit's page shows of the use of tokens."""

from batches.models import AuditEvent
from tests.dashboard.audit.audit_page import event, events_on

Action = AuditEvent.Action


def test_an_event_names_the_token(sign_in, row, person, workspace):
    ada = person("operator", workspace, name="ada")
    done = event(Action.BATCH_LABELED, actor=ada, batch=row("msgbatch_1"), token="nightly <ci>")

    shown = events_on(sign_in("lead").get("/audit/").text)[done.pk]

    assert "API token nightly <ci>" in shown


def test_the_token_of_a_person_who_may_not_be_named_isnt_named_either(sign_in, person, workspace):
    stranger, colleague = person(name="stranger"), person("viewer", workspace, name="colleague")
    stranger.is_superuser = True
    stranger.save()
    done = event(Action.PERSON_CHANGED, actor=stranger, person=colleague, token="secret plan")

    shown = events_on(sign_in("admin").get("/audit/").text)[done.pk]

    assert "another admin" in shown
    assert "secret plan" not in shown


def test_making_and_revoking_can_be_filtered(sign_in, person, workspace):
    ada = person("viewer", workspace, name="ada")
    event(Action.TOKEN_MADE, actor=ada, person=ada, outcome="“ci”: read")

    page = sign_in("admin").get("/audit/", {"action": "token made"}).text

    assert "“ci”: read" in page
