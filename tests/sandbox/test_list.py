"""Pages of batches: newest first, in both directions, and with invalid cursors."""

from datetime import timedelta

import pytest

from tests.sandbox.conftest import BATCHES, error


@pytest.fixture
def five(api, clock):
    """Five batches, newest first."""
    return [
        api.add_batch(f"msgbatch_{at}", created_at=clock() - timedelta(minutes=at))
        for at in (3, 1, 5, 2, 4)
    ] and [f"msgbatch_{at}" for at in (1, 2, 3, 4, 5)]


def page(http, **params):
    body = http.get(BATCHES, params=params).json()
    ids = [batch["id"] for batch in body["data"]]
    assert body["first_id"] == (ids[0] if ids else None)
    assert body["last_id"] == (ids[-1] if ids else None)
    return ids, body["has_more"]


def test_the_list_is_newest_first(http, five):
    assert page(http) == (five, False)


def test_after_id_continues_with_older_batches(http, five):
    assert page(http, limit=2) == (five[:2], True)
    assert page(http, limit=2, after_id=five[1]) == (five[2:4], True)
    assert page(http, limit=2, after_id=five[3]) == (five[4:], False)
    assert page(http, limit=2, after_id=five[4]) == ([], False)


def test_before_id_goes_back_to_newer_batches(http, five):
    assert page(http, limit=2, before_id=five[4]) == (five[2:4], True)
    assert page(http, limit=2, before_id=five[2]) == (five[:2], False)
    assert page(http, limit=2, before_id=five[0]) == ([], False)


def test_a_page_has_twenty_batches_by_default(api, http):
    for _ in range(21):
        api.add_batch()

    ids, has_more = page(http)

    assert len(ids) == 20
    assert has_more


def test_batches_of_the_same_moment_are_neither_lost_nor_repeated(api, http):
    added = [api.add_batch() for _ in range(7)]

    seen, cursor, has_more = [], {}, True
    while has_more:
        ids, has_more = page(http, limit=3, **cursor)
        seen += ids
        cursor = {"after_id": ids[-1]}

    assert seen == added[::-1]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "ten", "", "1e3", "٣", "9" * 400])
def test_a_limit_out_of_range_is_refused(http, limit):
    response = http.get(BATCHES, params={"limit": limit})

    status, kind, message = error(response)
    assert (status, kind) == (400, "invalid_request_error")
    assert message.startswith("limit: ")


@pytest.mark.parametrize("cursor", ["after_id", "before_id"])
def test_an_unknown_cursor_is_refused(http, five, cursor):
    response = http.get(BATCHES, params={cursor: "msgbatch_never"})

    assert error(response)[:2] == (400, "invalid_request_error")


def test_another_workspaces_batch_is_not_a_valid_cursor(api, http):
    others = api.add_batch(key=api.other_key)

    assert http.get(BATCHES, params={"after_id": others}).status_code == 400


def test_both_cursors_at_once_are_refused(http, five):
    response = http.get(BATCHES, params={"after_id": five[0], "before_id": five[4]})

    assert error(response)[:2] == (400, "invalid_request_error")


def test_a_query_of_a_thousand_fields_is_refused(http):
    response = http.get(f"{BATCHES}?{'&'.join(f'a{at}=1' for at in range(1000))}")

    assert error(response)[0] == 400


def test_workspaces_do_not_see_each_other(api, http, ask):
    own, others = api.add_batch(), api.add_batch(key=api.other_key)

    assert page(http) == ([own], False)
    assert page(ask(api, api.other_key)) == ([others], False)
    assert error(http.get(f"{BATCHES}/{others}"))[0] == 404
    assert error(http.post(f"{BATCHES}/{others}/cancel"))[0] == 404
    assert api.describe(others)["processing_status"] == "in_progress"
