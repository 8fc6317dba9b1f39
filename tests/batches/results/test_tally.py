import itertools
import json
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.client.results import UnreadableResults, read_lines
from batches.results import tally as module
from batches.results.tally import Failed, FileUsage, Tally

BOUNDARIES = (100_000, 200_000)
figures = st.integers(0, 300_000)
missing = st.one_of(st.none(), figures)


class Counted(NamedTuple):
    """All that a tally tells at its end."""

    lines: int
    odd_lines: int
    problem: str
    repeated_lines: int
    repeated_ids: list[str]
    succeeded: int
    outcomes: dict[str, int]
    stop_reasons: dict[str, int]
    usage: list[FileUsage]
    failed: list[Failed]


def counted(pieces: bytes | Sequence[bytes], *, most_lines: int = 10**6) -> Counted:
    with Tally(BOUNDARIES, most_lines) as tally:
        for lines in read_lines([pieces] if isinstance(pieces, bytes) else pieces):
            tally.add(lines)
        return Counted(
            tally.lines,
            tally.odd_lines,
            tally.problem,
            tally.repeated_lines,
            tally.repeated_ids,
            tally.succeeded,
            tally.outcomes,
            tally.stop_reasons,
            tally.usage(),
            list(tally.failed()),
        )


_numbers = itertools.count()


def succeeded(custom_id: str = "", *, model: str = "m", stop: str | None = "end_turn", **usage):
    """A line whose ID is its own unless one is given."""
    usage = {"input_tokens": 1, "output_tokens": 1} | usage
    message = {"model": model, "stop_reason": stop, "content": [], "usage": usage}
    result = {"type": "succeeded", "message": message}
    return {"custom_id": custom_id or f"line-{next(_numbers)}", "result": result}


def failed(custom_id: str = "", outcome: str = "canceled", **error):
    result = {"type": outcome} | ({"error": {"type": "error", "error": error}} if error else {})
    return {"custom_id": custom_id or f"line-{next(_numbers)}", "result": result}


def as_file(*lines: dict) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


passes = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["message", "fallback_message", "compaction", "advisor_message", "new_step"]
        ),
        "input_tokens": figures,
        "output_tokens": figures,
        "cache_read_input_tokens": figures,
    },
    optional={"model": st.sampled_from([None, "m", "n"])},
)
usages = st.fixed_dictionaries(
    {"input_tokens": figures, "output_tokens": figures},
    optional={
        "cache_creation_input_tokens": missing,
        "cache_read_input_tokens": missing,
        "cache_creation": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {},
                optional={
                    "ephemeral_5m_input_tokens": missing,
                    "ephemeral_1h_input_tokens": missing,
                },
            ),
        ),
        "server_tool_use": st.one_of(
            st.none(), st.fixed_dictionaries({"web_search_requests": missing})
        ),
        "inference_geo": st.sampled_from([None, "us", "global"]),
        "service_tier": st.sampled_from([None, "batch", "standard", "priority"]),
        "speed": st.sampled_from([None, "standard", "fast"]),
        "iterations": st.none() | st.lists(passes, max_size=4),
        "new_tokens": st.integers(0, 2),
    },
)
lines_of_a_file = st.lists(
    st.one_of(
        st.builds(
            lambda usage, model, stop: succeeded(model=model, stop=stop, **usage),
            usages,
            st.sampled_from(["m", "n", "o\u2028p"]),
            st.sampled_from([None, "end_turn", "refusal"]),
        ),
        st.builds(failed, st.text(), st.sampled_from(["canceled", "expired", "withheld"])),
    ),
    max_size=20,
    unique_by=lambda line: line["custom_id"],
)


@given(lines=lines_of_a_file, seed=st.integers(0, 2**32), size=st.integers(1, 700))
def test_neither_the_lines_order_nor_the_pieces_change_what_they_add_up_to(lines, seed, size):
    shuffled = lines[:]
    Random(seed).shuffle(shuffled)
    content = as_file(*shuffled)
    pieces = [bytes(piece) for piece in itertools.batched(content, size)]

    one, other = counted(pieces), counted(as_file(*lines))
    assert sorted(one.failed) == sorted(other.failed)
    assert one._replace(failed=[]) == other._replace(failed=[])


@given(lines=lines_of_a_file)
def test_every_request_is_counted_exactly_once(lines):
    tally = counted(as_file(*lines))

    assert sum(tally.outcomes.values()) == len(lines)
    assert sum(row.requests for row in tally.usage) == tally.succeeded
    assert sum(tally.stop_reasons.values()) == tally.succeeded
    assert len(tally.failed) == len(lines) - tally.succeeded


@pytest.mark.parametrize(
    ("usage", "bracket"),
    [
        ({"input_tokens": 100_000}, (0, 100_000)),
        ({"input_tokens": 100_001}, (100_000, 200_000)),
        ({"input_tokens": 1, "cache_read_input_tokens": 200_000}, (200_000, None)),
        ({"input_tokens": 1, "cache_creation_input_tokens": 100_000}, (100_000, 200_000)),
        ({"input_tokens": 1, "output_tokens": 300_000}, (0, 100_000)),
    ],
    ids=["at the edge", "one above", "by cache reads", "by cache writes", "output does not count"],
)
def test_the_whole_prompt_decides_the_bracket(usage, bracket):
    (row,) = counted(as_file(succeeded(**usage))).usage

    assert (row.prompt_over, row.prompt_up_to) == bracket


def test_requests_alike_but_for_their_stop_reason_are_one_row():
    tally = counted(as_file(succeeded(stop="end_turn"), succeeded(stop="max_tokens")))

    assert [row.requests for row in tally.usage] == [2]
    assert tally.stop_reasons == {"end_turn": 1, "max_tokens": 1}


def test_more_lines_than_requests_are_no_file_of_this_batch():
    with pytest.raises(UnreadableResults, match="more lines than the batch has requests"):
        counted(as_file(*[failed() for _ in range(4)]), most_lines=3)


@pytest.mark.parametrize(
    "lines",
    [
        [succeeded(model=f"model-{number}") for number in range(1_001)],
        [failed(outcome=f"outcome{number}") for number in range(1_001)],
    ],
    ids=["models", "outcomes"],
)
def test_a_file_that_names_a_thousand_kinds_is_not_believed(lines):
    with pytest.raises(UnreadableResults, match="more than 1,000"):
        counted(as_file(*lines))


def test_hostile_words_are_made_short_and_printable():
    evil = "x\u0000\u202e\x1b[31m\n" + "y" * 2_000
    tally = counted(
        as_file(
            succeeded(model=evil, stop=evil, inference_geo=evil),
            failed("id\u0000", evil, type=evil, message=evil),
        )
    )

    (row,) = tally.usage
    (request,) = tally.failed
    words = [row.model, row.inference_geo, *tally.stop_reasons, *request[1:]]
    assert all(word.isprintable() for word in words)
    assert max(map(len, words)) <= 500
    assert len(row.model) <= 100
    assert request.custom_id == "id\ufffd"


def test_failed_requests_past_what_memory_may_hold_are_all_there(monkeypatch):
    monkeypatch.setattr(module, "SPOOLED_BYTES", 1_000)
    content = as_file(
        *[failed(f"id-{number}", "errored", type="api_error") for number in range(500)]
    )

    found = [request.custom_id for request in counted(content).failed]

    assert found == [f"id-{number}" for number in range(500)]


def test_the_first_odd_line_is_named_by_its_number():
    content = as_file(failed(), failed()) + b"{oops\n" + as_file(failed()) + b"{again\n"

    tally = counted(content)

    assert (tally.lines, tally.odd_lines) == (5, 2)
    assert tally.problem.startswith("line 3: ")
    assert tally.outcomes == {"canceled": 3}


def test_a_success_without_a_message_is_odd_and_not_free():
    tally = counted(b'{"custom_id":"a","result":{"type":"succeeded"}}\n')

    assert (tally.succeeded, tally.odd_lines) == (0, 1)


contents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(lines=lines_of_a_file, content=contents)
def test_no_content_changes_a_figure(lines, content):
    plain = counted(as_file(*lines))

    for line in lines:
        if "message" in line["result"]:
            line["result"]["message"]["content"] = content

    assert counted(as_file(*lines)) == plain


@given(usage=usages)
def test_what_a_request_used_of_its_own_is_what_its_message_says(usage):
    rows = counted(as_file(succeeded(**usage))).usage

    own = [row for row in rows if row.part == "message"]
    fields = ("input_tokens", "output_tokens", "cache_read_tokens")
    assert [sum(getattr(row, name) for row in own) for name in fields] == [
        usage["input_tokens"],
        usage["output_tokens"],
        usage.get("cache_read_input_tokens") or 0,
    ]
    assert sum(row.requests for row in rows) == 1
    assert all(row.uses == 1 for row in rows)


def test_a_second_line_of_one_id_adds_nothing_and_is_named():
    tally = counted(
        as_file(
            succeeded("twice", input_tokens=3),
            succeeded("once", input_tokens=5),
            succeeded("twice", input_tokens=7),
            failed("failed"),
            failed("failed"),
            failed("twice"),
        )
    )

    assert (tally.lines, tally.repeated_lines) == (6, 3)
    assert tally.repeated_ids == ["twice", "failed"]
    assert [row.input_tokens for row in tally.usage] == [8]
    assert tally.outcomes == {"succeeded": 2, "canceled": 1}
    assert len(tally.failed) == 1


@pytest.mark.parametrize("size", [1, 10_000])
def test_an_id_of_a_line_without_figures_counts_once_as_well(size):
    odd, whole = succeeded("a", input_tokens=-1), succeeded("a")
    content = as_file(odd) + b"{oops\n{again\n" + as_file(whole, succeeded("b"))

    tally = counted([bytes(piece) for piece in itertools.batched(content, size)])

    assert (tally.odd_lines, tally.repeated_ids, tally.succeeded) == (3, ["a"], 1)


def test_of_many_ids_that_occur_twice_some_are_named():
    lines = [failed(f"id-{number % 10}") for number in range(20)]

    tally = counted(as_file(*lines))

    assert (tally.repeated_lines, tally.repeated_ids) == (10, ["id-0", "id-1", "id-2"])


def test_a_request_with_two_passes_of_one_kind_uses_their_row_once():
    compaction = {"type": "compaction", "input_tokens": 10, "output_tokens": 1}

    tally = counted(as_file(succeeded(iterations=[compaction, compaction])))

    (extra,) = [row for row in tally.usage if row.part == "compaction"]
    assert (extra.requests, extra.uses, extra.input_tokens) == (0, 1, 20)


def test_half_a_character_in_an_error_is_shown_as_what_it_is():
    content = as_file(failed("id-\ud800", "errored", type="api_error", message="no \ud82d"))

    (request,) = counted(content).failed

    assert (request.custom_id, request.message) == ("id-\ufffd", "no \ufffd")
