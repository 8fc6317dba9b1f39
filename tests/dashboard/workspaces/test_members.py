"""Adding and removing the members of a workspace."""

from batches.models import AuditEvent
from tests.dashboard.batch.batch_page import words
from tests.dashboard.workspaces.page import fields, fill, second_press


def test_members_are_added_and_removed_with_an_event_each(admin, person, workspace, url):
    ada, bob = person("viewer", workspace, name="ada"), person("viewer", name="bob")
    form = fields(admin.get(url).text)
    grace = next(number for number in form["members"] if number != str(ada.pk))

    admin.post(url, form | {"members": [grace, bob.pk]})

    assert sorted(workspace.members.values_list("username", flat=True)) == ["bob", "grace"]
    events = AuditEvent.objects.filter(action__startswith="member").order_by("pk")
    assert [(event.action, event.person, event.workspace) for event in events] == [
        ("member added", "bob", "Research"),
        ("member removed", "ada", "Research"),
    ]


def test_members_whom_the_admin_cannot_see_stay(admin, admin_user, workspace, url):
    workspace.members.add(admin_user)

    fill(admin, url, workspace_name="Evals")

    assert workspace.members.filter(pk=admin_user.pk).exists()
    assert f"> {admin_user.username}" not in admin.get(url).text


def test_a_member_who_is_deactivated_stays_a_member(admin, person, workspace, url):
    bob = person("viewer", workspace, name="bob")
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)

    page = admin.get(url).text
    fill(admin, url, workspace_name="Evals")

    assert "bob (deactivated)" in words(page)
    assert workspace.members.filter(pk=bob.pk).exists()


def test_leaving_a_workspace_needs_a_second_press(admin, workspace, url):
    asked = fill(admin, url, members=[])

    assert "You would no longer be a member of Research." in words(asked.text)
    assert workspace.members.count() == 1

    admin.post(url, second_press(asked.text))

    assert workspace.members.count() == 0
    assert admin.get(url).status_code == 404


def test_the_form_takes_the_same_queries_for_many_people(
    admin, url, person, workspace, django_assert_max_num_queries
):
    for number in range(40):
        person("viewer", *[workspace][: number % 2], name=f"person{number}")

    with django_assert_max_num_queries(6):
        admin.get(url)
