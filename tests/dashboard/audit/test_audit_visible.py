"""Who sees which events, and which names in them."""

import pytest
from django.contrib.auth.models import User

from batches.models import AuditEvent
from tests.dashboard.audit.audit_page import all_events, event

Action = AuditEvent.Action
NOBODY = AuditEvent.Actor.NOBODY


@pytest.fixture
def cast(person, workspace, other_workspace) -> dict[str, User]:
    """People of Research, of Production, of both, of neither; and a superuser."""
    return {
        "lead": person("lead", workspace, name="lea"),
        "admin": person("admin", workspace, name="ann"),
        "colleague": person("viewer", workspace, name="mia"),
        "both": person("lead", workspace, other_workspace, name="ben"),
        "other": person("admin", other_workspace, name="otto"),
        "unplaced": person("viewer", name="una"),
        "root": User.objects.create_superuser("root"),
    }


@pytest.fixture
def see(client, cast):
    """A function that returns the text of every event that one of the cast sees, by its ID."""

    def see(name: str) -> dict[int, str]:
        client.force_login(cast[name], backend="dashboard.roles.RoleBackend")
        return all_events(client, {})

    return see


def test_a_lead_sees_the_events_of_their_workspaces_and_their_own(
    see, cast, workspace, other_workspace
):
    here = event(Action.EXPORTED, actor=cast["colleague"], workspace=workspace)
    own = event(Action.SIGNED_IN, actor=cast["lead"])
    about = event(Action.PERSON_CHANGED, actor=cast["admin"], person=cast["lead"])
    event(Action.EXPORTED, actor=cast["both"], workspace=other_workspace)
    event(Action.SIGNED_IN, actor=cast["colleague"])
    event(Action.SIGN_IN_FAILED, by=NOBODY)

    assert set(see("lead")) == {here.pk, own.pk, about.pk}


def test_a_superuser_sees_everything(see, cast, workspace, other_workspace):
    events = [
        event(Action.EXPORTED, actor=cast["other"], workspace=other_workspace),
        event(Action.SIGNED_IN, actor=cast["other"]),
        event(Action.SIGN_IN_FAILED, by=NOBODY),
    ]

    assert set(see("root")) == {each.pk for each in events}


@pytest.mark.parametrize("actor", ["colleague", "both", "unplaced", "other", "root", ""])
@pytest.mark.parametrize("subject", ["colleague", "both", "unplaced", "other", "root", ""])
def test_an_admin_sees_events_of_people_they_may_see(see, cast, actor, subject):
    """Events without a workspace are visible if they are about a visible person, or about no one
    and by a visible person or no one."""
    known = {"colleague", "both", "unplaced"}
    recorded = event(
        Action.PERSON_CHANGED, actor=cast.get(actor), person=cast.get(subject), by=NOBODY
    )

    seen = see("admin")

    is_visible = subject in known or (not subject and actor in {*known, ""})
    assert set(seen) == ({recorded.pk} if is_visible else set())


@pytest.mark.parametrize("actor", ["other", "root"])
def test_an_admin_sees_that_something_was_done_but_not_by_whom(see, cast, client, actor):
    done = event(Action.LINK_MADE, actor=cast[actor], person=cast["colleague"], address="192.0.2.9")

    words = see("admin")[done.pk]
    sheet = client.get("/audit.csv").getvalue().decode()
    found = all_events(client, {"person": cast[actor].username})

    name = cast[actor].username
    assert "another admin" in words
    assert "mia" in words
    assert name not in words + sheet
    assert "192.0.2.9" not in words + sheet
    assert found == {}


def test_no_search_reveals_the_name_that_a_stranger_has_now(see, cast, client, workspace):
    """A former colleague is only found by the name that they had then."""
    before = event(Action.EXPORTED, actor=cast["other"], workspace=workspace)
    cast["other"].username = "otis"
    event(Action.LINK_MADE, actor=cast["other"], person=cast["colleague"])
    cast["other"].username = "oscar"
    cast["other"].save()
    see("admin")

    assert set(all_events(client, {"person": "otto"})) == {before.pk}
    assert all_events(client, {"person": "otis"}) == {}
    assert all_events(client, {"person": "oscar"}) == {}


def test_no_page_of_an_admin_names_another_teams_people_or_workspaces(
    see, cast, client, workspace, other_workspace
):
    # Without the admin's own events, which they always see.
    others = [each for name, each in cast.items() if name != "admin"]
    for actor in others:
        for subject in others:
            event(Action.PERSON_CHANGED, actor=actor, person=subject)
        event(Action.MEMBER_ADDED, actor=actor, person=actor, workspace=other_workspace)
        event(Action.SIGNED_IN, actor=actor)

    words = " ".join(see("admin").values())
    page = client.get("/audit/").text + client.get("/audit.csv").getvalue().decode()

    assert "mia" in words
    for secret in ("otto", "root", "Production", "production"):
        assert secret not in words + page


def test_events_of_a_deleted_workspace_are_for_superusers_and_their_actors(
    see, cast, other_workspace
):
    other_workspace.members.add(cast["lead"])
    deleted = event(Action.WORKSPACE_DELETED, actor=cast["other"], workspace=other_workspace)
    event(Action.EXPORTED, actor=cast["both"], workspace=other_workspace)
    other_workspace.delete()

    assert set(see("other")) == {deleted.pk}
    assert len(see("root")) == 2
    assert see("lead") == see("admin") == {}


def test_a_person_who_leaves_a_workspace_still_sees_only_their_own_events(
    see, cast, row, other_workspace
):
    batch = row("one", label="secret", workspace=other_workspace)
    asked = event(Action.CANCEL_REQUESTED, actor=cast["both"], batch=batch, cancellation_id=1)
    event(Action.CANCEL_REPEATED, actor=cast["other"], batch=batch, cancellation_id=1, is_step=True)
    other_workspace.members.remove(cast["both"])

    seen = see("both")

    assert set(seen) == {asked.pk}
    assert "secret" not in seen[asked.pk]
    assert "Not confirmed yet" not in seen[asked.pk]


def test_deleted_and_renamed_people_stay_readable(see, cast, workspace):
    done = event(Action.EXPORTED, actor=cast["colleague"], workspace=workspace)
    renamed = event(Action.EXPORTED, actor=cast["both"], workspace=workspace)
    cast["colleague"].delete()
    cast["both"].username = "benedict"
    cast["both"].save()

    seen = see("lead")

    assert "mia" in seen[done.pk]
    assert "ben CSV exported" in seen[renamed.pk]


@pytest.mark.parametrize(("role", "status"), [("operator", 403), ("lead", 200), ("admin", 200)])
@pytest.mark.parametrize("address", ["/audit/", "/audit.csv"])
def test_leads_and_admins_see_the_audit(sign_in, role, status, address):
    assert sign_in(role).get(address).status_code == status
