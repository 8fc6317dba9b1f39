"""A typed key that the page keeps while it asks a question about it."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from batches.models import Workspace
from tests.dashboard.batch.batch_page import words
from tests.dashboard.workspaces.page import (
    PRODUCTION_KEY,
    RESEARCH_KEY,
    WRONG_KEY,
    edit_url,
    fields,
    fill,
    second_press,
)


def test_a_typed_key_is_kept_for_ten_minutes_and_no_longer(admin, workspace, url):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        asked = fill(admin, url, new_key=WRONG_KEY)
        clock.shift(timedelta(minutes=10, seconds=1))
        late = admin.post(url, second_press(asked.text))

    workspace.refresh_from_db()
    assert "Paste the key again" in words(late.text)
    assert workspace.api_key == RESEARCH_KEY


@pytest.mark.parametrize("change", [{"base_url": "https://evil.example"}, {"auth": "bearer"}])
def test_a_kept_key_is_not_sent_to_another_address(admin, workspace, url, sandbox, change):
    asked = fill(admin, url, new_key=WRONG_KEY)
    calls = len(sandbox.calls)

    refused = admin.post(url, second_press(asked.text) | change)

    workspace.refresh_from_db()
    assert "Paste the key again" in words(refused.text)
    assert workspace.api_key == RESEARCH_KEY
    assert len(sandbox.calls) == calls


def test_a_kept_key_is_only_valid_for_its_person_and_workspace(
    admin, sign_in, workspace, other_workspace, url
):
    held = second_press(fill(admin, url, new_key=WRONG_KEY).text)
    eve = sign_in("admin", workspace, other_workspace, name="eve")
    Workspace.objects.update(base_url=workspace.base_url)
    elsewhere = edit_url(other_workspace)

    as_eve = eve.post(url, fields(eve.get(url).text) | {"held": held["held"]})
    for_other = eve.post(elsewhere, fields(eve.get(elsewhere).text) | {"held": held["held"]})
    forged = admin.post(url, fields(admin.get(url).text) | {"held": "gAAAAA"})

    for answer in (as_eve, for_other, forged):
        assert "Paste the key again" in words(answer.text)
    assert {each.api_key for each in Workspace.objects.all()} == {RESEARCH_KEY, PRODUCTION_KEY}


def test_a_stored_secret_is_not_accepted_as_a_kept_key(admin, workspace, url):
    fill(admin, url, new_key=RESEARCH_KEY)
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key FROM batches_workspace WHERE id = %s", [workspace.pk])
        (stored,) = cursor.fetchone()

    refused = admin.post(url, fields(admin.get(url).text) | {"held": stored})

    assert "Paste the key again" in words(refused.text)
