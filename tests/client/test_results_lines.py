"""The results file line by line: whole lines whatever the pieces, and no line hides another."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.client import results
from batches.client.results import (
    OddLine,
    ResultLine,
    UnreadableResults,
    blocks_of,
    decode_line,
    read_lines,
)

USED = b'{"custom_id":"a","result":{"type":"succeeded","message":{"model":"m","usage":%s}}}'
CANCELED = b'{"custom_id":"a","result":{"type":"canceled"}}'


def cut_at(content: bytes, places: list[int]) -> list[bytes]:
    """The bytes in pieces that end at these places."""
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in pairwise(edges)]


@given(
    lines=st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), max_size=8),
    places=st.lists(st.integers(0, 10_000), max_size=12),
    ends_with_line_end=st.booleans(),
)
def test_blocks_hold_every_byte_and_end_with_a_line(lines, places, ends_with_line_end):
    content = b"\n".join(lines) + (b"\n" if ends_with_line_end else b"")

    blocks = list(blocks_of(cut_at(content, places)))

    assert b"".join(blocks) == content
    assert all(block.endswith(b"\n") for block in blocks[:-1])


@given(places=st.lists(st.integers(0, 10_000), max_size=20))
def test_where_the_pieces_end_changes_no_line(places):
    text = '{"custom_id":"%d – \u2028\u0085 😀","result":{"type":"canceled"}}'
    content = "\n".join(text % number for number in range(9)).encode()

    lines = [line for some in read_lines(cut_at(content, places)) for line in some]

    assert [line.custom_id for line in lines] == [f"{n} – \u2028\u0085 😀" for n in range(9)]


def test_one_garbled_line_hides_no_other():
    content = b"\n".join([CANCELED, b'{"custom_id": oops', b"\xff\xfe", CANCELED, b""])

    (lines,) = list(read_lines([content]))

    assert [type(line) for line in lines] == [ResultLine, OddLine, OddLine, ResultLine]
    assert all(line.problem for line in lines if isinstance(line, OddLine))


def test_empty_lines_are_no_lines():
    lines = [line for some in read_lines([CANCELED + b"\n\n\n" + CANCELED]) for line in some]

    assert [line.custom_id for line in lines] == ["a", "a"]


def test_a_line_without_end_is_given_up_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr(results, "LONGEST_LINE_BYTES", 1_000)
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield b"x" * 100

    with pytest.raises(UnreadableResults, match="longer than 1,000 bytes"):
        list(blocks_of(endless()))
    assert len(taken) <= 12


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"null",
        b'{"result":{"type":"canceled"}}',
        b'{"custom_id":7,"result":{"type":"canceled"}}',
        b'{"custom_id":"a"}',
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"model":"m"}}}',
        USED % b'{"input_tokens":-1,"output_tokens":0}',
        USED % b'{"input_tokens":1e3,"output_tokens":0.5}',
        USED % b'{"input_tokens":99999999999999999999,"output_tokens":0}',
        b'{"custom_id":"%s","result":{"type":"canceled"}}' % (b"x" * 1_001),
        b"[" * 100_000,
    ],
)
def test_a_line_whose_figures_are_not_known_is_odd_and_never_zero(line):
    assert isinstance(decode_line(line), OddLine)


def test_a_result_of_a_new_type_is_kept_by_its_word():
    line = decode_line(b'{"custom_id":"a","result":{"type":"withheld","message":"x","error":1}}')

    assert isinstance(line, ResultLine)
    assert (line.custom_id, line.result.type, line.result.message) == ("a", "withheld", None)


@pytest.mark.parametrize(
    "error",
    [
        b'{"type":"error","error":{"type":"api_error","message":"No"},"request_id":"req_1"}',
        b'{"type":"api_error","message":"No","request_id":"req_1"}',
    ],
    ids=["nested twice, as documented", "nested once"],
)
def test_the_error_is_found_wherever_it_stands(error):
    text = b'{"custom_id":"a","result":{"type":"errored","error":%s}}' % error

    line = decode_line(text)

    assert isinstance(line, ResultLine)
    assert line.result.error
    problem = line.result.error.problem
    assert (problem.type, problem.message, line.result.error.request_id) == (
        "api_error",
        "No",
        "req_1",
    )
