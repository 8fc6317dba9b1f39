"""What survives a restart, and what the demo's batches look like."""

import contextlib
import json
import sqlite3
import threading
from collections import Counter
from datetime import datetime, timedelta

import pytest

from batches.sandbox import SandboxApi
from tests.sandbox.conftest import BATCHES, create, results


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sandbox.sqlite3"


def test_creates_cancels_and_deletes_survive_a_restart(make_api, ask, clock, path):
    before = make_api(state_path=path)
    http = ask(before)
    running, canceled = create(http, "one", "two")["id"], create(http, "three")["id"]
    deleted = before.add_batch(status="ended")
    http.post(f"{BATCHES}/{canceled}/cancel")
    http.delete(f"{BATCHES}/{deleted}")
    # No close(), as with kill -9: everything acknowledged must be on disk already.

    after = make_api(state_path=path)

    assert after.batches == before.batches
    assert set(after.batches) == {running, canceled}
    assert after.accepted_cancels(canceled) == 1
    clock.forward(hours=24)
    assert {line["custom_id"] for line in results(ask(after), running)} == {"one", "two"}


def test_results_are_the_same_after_a_restart(make_api, ask, path):
    before = make_api(state_path=path)
    batch_id = before.add_batch(status="ended", requests=50)

    after = make_api(state_path=path)

    assert results(ask(after), batch_id) == results(ask(before), batch_id)


def test_the_clock_continues_while_the_sandbox_is_down_and_never_goes_back(make_api, clock, path):
    first = make_api(state_path=path, speed=60)
    clock.forward(minutes=1)
    shown = first.now()
    clock.forward(minutes=1)

    second = make_api(state_path=path, speed=1)

    assert shown == datetime.fromisoformat("2026-11-24T13:00:00+00:00")
    assert second.now() == datetime.fromisoformat("2026-11-24T14:00:00+00:00")
    clock.forward(minutes=1)
    assert second.now() == datetime.fromisoformat("2026-11-24T14:01:00+00:00")


def test_a_world_is_seeded_once(make_api, path):
    before = make_api(state_path=path, batches=10)
    after = make_api(state_path=path, batches=10)

    assert len(after.batches) == 10
    assert after.batches == before.batches


def test_bills_survive_a_restart(make_api, path):
    before = make_api(state_path=path)
    batch_id = before.add_batch(status="ended")
    cost = before.billed(batch_id)
    before.remove(batch_id)

    after = make_api(state_path=path)

    assert after.billed(batch_id) == cost > 0


def test_state_without_a_table_of_bills_is_resumed(make_api, ask, path):
    before = make_api(state_path=path)
    batch_id = before.add_batch(status="ended", requests=20)
    lines, cost = results(ask(before), batch_id), before.billed(batch_id)
    before.close()
    new_facts = ("prompt_tokens", "odd_lines")
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        facts = json.loads(db.execute("SELECT facts FROM batches").fetchone()[0])
        old = json.dumps({name: facts[name] for name in facts if name not in new_facts})
        db.execute("UPDATE batches SET facts = ?", [old.encode()])
        db.execute("DROP TABLE bills")

    after = make_api(state_path=path)

    assert results(ask(after), batch_id) == lines
    assert after.billed(batch_id) == cost


def test_state_of_another_seed_is_refused(make_api, path):
    make_api(state_path=path, seed=1)

    with pytest.raises(ValueError, match="created with seed 1, not 2"):
        make_api(state_path=path, seed=2)


def test_a_file_that_is_not_a_database_is_refused_and_not_changed(make_api, path):
    path.write_text("This is a diary, not a database. " * 10)
    before = path.read_text()

    with pytest.raises(sqlite3.DatabaseError):
        make_api(state_path=path)

    assert path.read_text() == before


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_an_invalid_speed_is_refused(make_api, speed):
    with pytest.raises(ValueError, match="speed"):
        make_api(speed=speed)


@pytest.mark.parametrize("speed", [1, 60])
def test_each_workspace_of_the_demo_has_batches_in_every_state(make_api, ask, clock, speed):
    api = make_api(batches=42, speed=speed)

    for key in (api.key, api.other_key):
        batches = ask(api, key).get(BATCHES, params={"limit": 1000}).json()["data"]
        states = Counter(batch["processing_status"] for batch in batches)
        ended = [batch for batch in batches if batch["processing_status"] == "ended"]
        counts = [batch["request_counts"] for batch in ended]
        assert states["in_progress"] >= 5
        assert states["canceling"] == 1
        assert any(each["succeeded"] == sum(each.values()) for each in counts)
        assert any(each["errored"] == sum(each.values()) for each in counts)
        assert any(each["errored"] and each["succeeded"] for each in counts)
        assert any(each["canceled"] and each["succeeded"] for each in counts)
        assert any(each["expired"] for each in counts)
        assert any(b["cancel_initiated_at"] and not b["request_counts"]["canceled"] for b in ended)
        assert any(batch["archived_at"] for batch in ended)


@pytest.mark.parametrize("speed", [1, 60])
def test_after_ten_minutes_the_demo_still_has_batches_to_cancel(make_api, clock, speed):
    api = make_api(batches=42, speed=speed)

    clock.forward(minutes=10)

    running = [b for b in api.batches.values() if b["processing_status"] == "in_progress"]
    assert len(running) >= 6


def test_some_batches_of_the_demo_end_within_ten_minutes(make_api, clock):
    api = make_api(batches=42)
    before = Counter(batch["processing_status"] for batch in api.batches.values())

    clock.forward(minutes=10)

    after = Counter(batch["processing_status"] for batch in api.batches.values())
    assert after["ended"] >= before["ended"] + 4


def test_the_demos_batches_follow_the_apis_rules(make_api):
    api = make_api(batches=400)

    for batch in api.batches.values():
        created_at, expires_at = (
            datetime.fromisoformat(batch[name]) for name in ("created_at", "expires_at")
        )
        assert expires_at - created_at == timedelta(hours=24)
        assert created_at <= api.now()
        if batch["ended_at"]:
            assert created_at < datetime.fromisoformat(batch["ended_at"]) <= expires_at
        if batch["request_counts"]["expired"]:
            assert batch["ended_at"] == batch["expires_at"]
        if batch["request_counts"]["canceled"]:
            assert batch["cancel_initiated_at"]


def test_the_demo_can_have_more_than_a_page_of_batches(make_api, ask):
    api = make_api(batches=2000)

    page = ask(api).get(BATCHES, params={"limit": 1000}).json()

    assert len(page["data"]) == 1000
    assert page["has_more"]


def test_new_batches_appear_at_the_chosen_interval(make_api, ask, clock):
    api = make_api(drip=timedelta(minutes=3))
    http = ask(api)
    http.get(BATCHES)
    before = len(api.batches)

    clock.forward(minutes=30)
    http.get(BATCHES)

    assert before == 0
    assert len(api.batches) == 10


def test_after_a_long_pause_only_the_latest_batches_are_added(make_api, ask, clock):
    api = make_api(drip=timedelta(minutes=3))

    clock.forward(days=300)
    ask(api).get(BATCHES)

    assert len(api.batches) == 51


def test_counts_move_in_the_chosen_workspaces(make_api, clock):
    api = make_api(moving_counts=["sandbox-production"])
    still, moving = (
        api.add_batch(key=key, requests=100, duration=timedelta(hours=1))
        for key in (api.key, api.other_key)
    )

    clock.forward(minutes=30)

    assert api.describe(still)["request_counts"]["succeeded"] == 0
    assert api.describe(moving)["request_counts"]["succeeded"] == 50


def test_many_threads_cancel_a_batch_once(make_api, ask, path):
    api = make_api(state_path=path)
    ids = [api.add_batch() for _ in range(10)]
    clients = [ask(api) for _ in range(8)]

    def cancel_all(http):
        for batch_id in ids:
            http.post(f"{BATCHES}/{batch_id}/cancel")

    threads = [threading.Thread(target=cancel_all, args=[http]) for http in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [api.accepted_cancels(batch_id) for batch_id in ids] == [1] * 10
    assert len(api.calls) == 80


def test_the_same_seed_gives_the_same_batches(clock):
    def world():
        api = SandboxApi(7, clock=clock, batches=30)
        batches = api.batches
        api.close()
        return batches

    assert world() == world()
