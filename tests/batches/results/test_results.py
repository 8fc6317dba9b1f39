import json
import re
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
import time_machine
from django.utils import timezone

from batches.models import Batch, BatchUsage, FailedRequest, Reading, Revision, Workspace
from batches.results.reading import due_readings, mark_lost
from batches.spend.costs import cost_of
from tests.batches.results.files import SUCCEEDED, fresh
from tests.working import read_now

pytestmark = pytest.mark.usefixtures("no_waits")


def figures(batch: Batch) -> tuple:
    """All that a reading writes, without row numbers and times."""
    reading = Reading.objects.get(batch=batch)
    return (
        fresh(batch).results_state,
        sorted(map(tuple, batch.usage.values_list(*USAGE))),
        list(batch.failed_requests.order_by("id").values_list(*FAILED)),
        reading.lines,
        reading.outcomes,
        reading.stop_reasons,
    )


def succeeded(custom_id: str, echo: str) -> dict:
    usage = {"input_tokens": 1, "output_tokens": 1, "inference_geo": f"g{echo}"}
    message = {"model": f"m{echo}", "stop_reason": f"s{echo}", "usage": usage}
    return {"custom_id": custom_id, "result": {"type": "succeeded", "message": message}}


USAGE = [f.name for f in BatchUsage._meta.fields if f.name != "id"]
FAILED = ("custom_id", "outcome", "error_type", "message", "request_id")


def test_what_the_file_holds_is_what_the_row_says(ended, sandbox):
    batch = ended(requests=300, succeeded=200, errored=60, canceled=40)

    assert read_now(batch)

    batch = fresh(batch)
    assert batch.results_state == "read"
    assert batch.reading.outcomes == {"succeeded": 200, "errored": 60, "canceled": 40}
    assert batch.reading.problem == ""
    assert sum(batch.reading.stop_reasons.values()) == 200
    assert sum(row.requests for row in batch.usage.all()) == 200
    assert batch.failed_requests.filter(outcome="canceled").count() == 40
    assert not batch.failed_requests.filter(outcome="errored", error_type="").exists()


def test_the_figures_are_the_sandbox_s_own(ended, sandbox):
    batch = ended(requests=400, models=["claude-haiku-5-5"])

    read_now(batch)

    assert cost_of(fresh(batch)).total == sandbox.billed(batch.api_id)


def test_a_second_reading_changes_nothing(ended):
    batch = ended(requests=50, succeeded=30, errored=20)
    read_now(batch)
    before = figures(batch)
    Batch.objects.update(results_state="pending")

    assert read_now(fresh(batch))

    assert figures(batch) == before


def test_a_reading_shows_itself_to_polls(ended):
    batch = ended()
    before = Revision.current()

    read_now(batch)

    assert fresh(batch).revision > before
    assert Workspace.objects.get().latest_revision == fresh(batch).revision


def test_nothing_of_what_was_said_is_kept(answering):
    line = json.loads(SUCCEEDED)
    line["result"]["message"]["content"] = [{"type": "text", "text": "a secret of the customer's"}]
    batch = answering(json.dumps(line).encode(), requests=1)

    read_now(batch)

    kept = [
        *BatchUsage.objects.values(),
        *FailedRequest.objects.values(),
        *Reading.objects.values(),
    ]
    assert "secret" not in repr(kept)


def test_a_key_echoed_in_a_results_file_is_stored_nowhere(answering, workspace):
    key = workspace.api_key
    # Cut off at 500 characters, it would no longer be recognized.
    message = "x" * (500 - len(key) + 2) + key
    error = {"type": f"e-{key}", "message": message}
    lines = [
        {"custom_id": f"1-{key}", "result": {"type": f"t-{key}"}},
        {
            "custom_id": "2",
            "result": {"type": "errored", "error": {"error": error, "request_id": f"r-{key}"}},
        },
        succeeded("3", key),
        succeeded("4", ""),
    ]
    batch = answering(b"".join(json.dumps(line).encode() + b"\n" for line in lines), requests=4)

    assert read_now(batch)

    stored = repr(figures(batch))
    assert key[:14] not in stored
    # The result's type, its custom_id, the error's two and its request ID; model, geo and reason.
    assert stored.count("[API key]") >= 8
    assert "'2', 'errored', 'e-[API key]', 'xxx" in stored


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([SUCCEEDED], "short: 1 lines for 2 requests"),
        ([b""], "short: 0 lines"),
        ([SUCCEEDED, b"\n", SUCCEEDED[:50]], "ends in the middle of a line"),
        ([SUCCEEDED, b"\n", httpx.ReadError("reset")], "cut off: .*reset"),
        ([SUCCEEDED, b"\n", httpx.ReadTimeout("silence")], "cut off: .*no data arrived in time"),
        ([b"{oops\n", b"{again\n"], "garbled: 2 of 2 lines"),
        ([SUCCEEDED + b"\n"] * 3, "more lines than the batch has requests"),
        ([b"\xff\xfe\xfd\n" * 2], "garbled: 2 of 2 lines"),
    ],
    ids=["short", "empty", "half a line", "cut", "stalled", "garbled", "long", "binary"],
)
def test_a_file_that_is_not_whole_leaves_no_figures_and_is_tried_again(answering, pieces, words):
    batch = answering(pieces, requests=2)

    assert not read_now(batch)

    reading = Reading.objects.get()
    assert re.search(words, reading.error)
    assert (fresh(batch).results_state, reading.unreadable_attempts) == ("pending", 1)
    assert reading.next_attempt_at > timezone.now()
    assert not BatchUsage.objects.exists()
    assert not FailedRequest.objects.exists()


def test_a_failed_second_reading_leaves_the_first_one_s_figures(ended, sandbox):
    batch = ended(requests=50, succeeded=30, errored=20)
    read_now(batch)
    before = figures(batch)
    Batch.objects.update(results_state="pending")
    sandbox.fail_next("cut", path="/results")

    assert not read_now(fresh(batch))

    assert figures(batch)[1:] == before[1:]


def test_one_garbled_line_is_counted_shown_and_hides_no_other(answering):
    other = SUCCEEDED.replace(b'"a"', b'"b"')
    batch = answering(b"\n".join([SUCCEEDED, b"{oops", other, b""]), requests=3)

    assert read_now(batch)

    reading = Reading.objects.get()
    assert (reading.lines, reading.odd_lines) == (3, 1)
    assert reading.outcomes == {"succeeded": 2}
    assert "1 of 3 lines could not be read" in reading.problem
    assert "line 2" in reading.problem


def test_a_file_of_one_line_that_is_garbled_is_not_a_cost_of_nothing(answering):
    batch = answering(b"{oops\n", requests=1)

    assert not read_now(batch)

    assert fresh(batch).results_state == "pending"
    assert "garbled: 1 of 1 lines" in Reading.objects.get().error


def test_a_file_that_disagrees_with_the_counts_says_so(answering):
    batch = answering(SUCCEEDED, requests=1, succeeded=0, errored=1)

    assert read_now(batch)

    problem = Reading.objects.get().problem
    assert "1 succeeded where the batch says 0" in problem
    assert "0 errored where the batch says 1" in problem


def test_after_five_tries_the_results_are_called_unreadable_with_the_reason(answering):
    batch = answering(SUCCEEDED, requests=2)

    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(5):
            assert not read_now(fresh(batch))
            clock.move_to(Reading.objects.get().next_attempt_at)

    reading = Reading.objects.get()
    assert fresh(batch).results_state == "unreadable"
    assert "short: 1 lines for 2 requests" in reading.error
    assert cost_of(fresh(batch)).state == "unreadable"


def test_the_pauses_between_tries_grow(answering):
    batch = answering(SUCCEEDED, requests=2)
    pauses = []

    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(4):
            read_now(fresh(batch))
            due = Reading.objects.get().next_attempt_at
            pauses.append((due - timezone.now()).total_seconds())
            clock.move_to(due)

    assert pauses == [10, 30, 90, 270]


def test_unreadable_results_that_come_whole_after_all_are_read(answering, monkeypatch):
    batch = answering(SUCCEEDED, requests=1)
    Batch.objects.filter(pk=batch.pk).update(results_state="unreadable")

    assert read_now(fresh(batch))

    assert fresh(batch).results_state == "read"


@pytest.mark.parametrize("fault", ["429", "500", "529", "reset", "403"])
def test_an_api_that_cannot_be_reached_costs_no_try(ended, sandbox, fault):
    batch = ended()
    sandbox.fail_next(fault, times=3, path="/results")

    assert not read_now(batch)

    reading = Reading.objects.get()
    assert (fresh(batch).results_state, reading.unreadable_attempts) == ("pending", 0)
    assert reading.error
    assert reading.next_attempt_at > timezone.now()


def test_without_a_key_it_waits_and_says_why(ended, workspace):
    batch = ended()
    Workspace.objects.update(api_key="")

    assert not read_now(fresh(batch))

    assert "has no API key" in Reading.objects.get().error
    assert fresh(batch).results_state == "pending"


def test_a_404_right_after_the_end_is_tried_again(ended, sandbox):
    batch = ended()
    sandbox.fail_next("404", path="/results")

    assert not read_now(batch)
    assert fresh(batch).results_state == "pending"
    assert read_now(batch)

    assert fresh(batch).results_state == "read"


@pytest.mark.parametrize(("minutes", "state"), [(1, "lost"), (-1, "pending")])
def test_past_29_days_unread_results_are_lost_whatever_the_api_says(ended, minutes, state):
    batch = ended(created_at=timezone.now() - timedelta(days=29, minutes=minutes))
    Batch.objects.update(archived_at=None)

    mark_lost(timezone.now())

    assert fresh(batch).results_state == state


@pytest.mark.parametrize("fault", ["short", "half-line", "extra-line", "cut"])
def test_a_file_spoiled_on_its_way_leaves_no_figures_and_the_next_try_is_right(
    ended, sandbox, fault
):
    batch = ended(requests=300, errored=30)
    sandbox.fail_next(fault, path="/results")

    assert not read_now(batch)
    assert not BatchUsage.objects.exists()
    assert read_now(fresh(batch))

    assert cost_of(fresh(batch)).total == sandbox.billed(batch.api_id)


def test_a_line_garbled_on_its_way_is_the_only_one_that_is_missing(ended, sandbox):
    batch = ended(requests=300, errored=30)
    sandbox.fail_next("bad-line", path="/results")

    assert read_now(batch)

    reading = Reading.objects.get()
    assert (reading.lines, reading.odd_lines) == (300, 1)
    assert sum(reading.outcomes.values()) == 299
    assert "could not be read" in reading.problem


def test_words_that_the_api_has_added_since_are_kept(ended, sandbox):
    batch = ended(requests=400, errored=100, odd_lines=True)

    assert read_now(batch)

    reading = Reading.objects.get()
    assert reading.odd_lines == 0
    assert reading.outcomes["withheld"] == batch.failed_requests.filter(outcome="withheld").count()
    assert reading.outcomes["errored"] == 100
    assert cost_of(fresh(batch)).total == sandbox.billed(batch.api_id)


def test_every_file_is_read_in_the_end_however_the_network_fails(sandbox, workspace, sync):
    ids = [sandbox.add_batch(status="ended", requests=200, errored=20) for _ in range(12)]
    sync(workspace)
    chance = iter(
        ["cut", "short", "500", "half-line", "429", "extra-line", "reset", "404", "garbage", "html"]
        * 2
    )
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for fault in chance:
            sandbox.fail_next(fault, times=2, path="/results")
            for batch in due_readings(timezone.now()):
                read_now(batch)
            clock.shift(timedelta(minutes=6))

    read = Batch.objects.filter(results_state="read")
    assert {batch.api_id for batch in read} == set(ids)
    assert all(sum(row.requests for row in batch.usage.all()) == 180 for batch in read)
    assert all(cost_of(batch).total == sandbox.billed(batch.api_id) for batch in read)


def line(custom_id: str, *, content: str = "[]", stop: str = "end_turn") -> bytes:
    """A line that costs $1.50: a million tokens in of claude-sonnet-4-6."""
    text = (
        '{"custom_id":"%s","result":{"type":"succeeded","message":{"content":%s,'
        '"model":"claude-sonnet-4-6","stop_reason":"%s",'
        '"usage":{"input_tokens":1000000,"output_tokens":0}}}}\n'
    )
    return (text % (custom_id, content, stop)).encode()


def test_a_line_that_can_not_be_read_leaves_a_cost_that_is_not_whole(answering):
    batch = answering(line("a") + b"{oops\n" + line("b"), requests=3)

    assert read_now(batch)

    cost = cost_of(fresh(batch))
    assert (cost.state, cost.total, cost.known) == ("incomplete", None, 3)
    assert (cost.known_requests, cost.requests) == (2, 3)


def test_an_id_that_occurs_twice_is_named_and_the_cost_is_not_whole(answering):
    batch = answering(line("a") + line("b") + line("a"), requests=3)

    assert read_now(batch)

    cost = cost_of(fresh(batch))
    assert (cost.state, cost.total, cost.known) == ("incomplete", None, 3)
    assert (cost.known_requests, cost.requests) == (2, 3)
    problem = Reading.objects.get().problem
    assert "A second line has the custom_id “a”, so another request is missing" in problem


def test_a_line_of_many_megabytes_is_read_like_any_other(answering):
    long = line("b", content=f'["{"x" * 9_000_000}"]')
    content = line("a") + long + line("c")
    pieces = [content[at : at + 65_536] for at in range(0, len(content), 65_536)]
    batch = answering(pieces, requests=3)

    assert read_now(batch)

    assert cost_of(fresh(batch)).total == Decimal("4.50")


def test_lone_surrogates_leave_no_request_out(ended, sandbox):
    batch = ended(requests=100, quirks=["surrogates"])

    assert read_now(batch)

    assert Reading.objects.get().odd_lines == 0
    assert cost_of(fresh(batch)).total == sandbox.billed(batch.api_id)


def test_requests_without_a_finished_answer_are_counted_on_the_batch(answering):
    stops = ["pause_turn", "pause_turn", "max_tokens", "compaction", "refusal", "end_turn", "new"]
    stops.append("model_context_window_exceeded")
    content = b"".join(line(f"id-{n}", stop=stop) for n, stop in enumerate(stops))

    assert read_now(answering(content, requests=len(stops)))

    batch = Batch.objects.get()
    assert (batch.unfinished, batch.refused) == (5, 1)
    assert batch.unfinished_sentence == "6 unfinished or refused"
