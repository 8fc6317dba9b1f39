"""Reading the results file line by line, however its bytes are divided."""

from itertools import batched, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.client import results, skim
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
    """The content in pieces that end at these places."""
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in pairwise(edges)]


@given(
    lines=st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), max_size=8),
    places=st.lists(st.integers(0, 10_000), max_size=12),
    ends_with_line_end=st.booleans(),
)
def test_blocks_contain_every_byte_and_end_with_a_line(lines, places, ends_with_line_end):
    content = b"\n".join(lines) + (b"\n" if ends_with_line_end else b"")

    blocks = list(blocks_of(cut_at(content, places)))

    assert b"".join(blocks) == content
    assert all(block.endswith(b"\n") for block in blocks[:-1])


@given(places=st.lists(st.integers(0, 10_000), max_size=20))
def test_the_division_into_pieces_changes_no_line(places):
    text = '{"custom_id":"%d – \u2028\u0085 😀","result":{"type":"canceled"}}'
    content = "\n".join(text % number for number in range(9)).encode()

    lines = [line for some in read_lines(cut_at(content, places)) for line in some]

    assert [line.custom_id for line in lines] == [f"{n} – \u2028\u0085 😀" for n in range(9)]


def test_an_invalid_line_hides_no_other():
    content = b"\n".join([CANCELED, b'{"custom_id": oops', b"\xff\xfe", CANCELED, b""])

    (lines,) = list(read_lines([content]))

    assert [type(line) for line in lines] == [ResultLine, OddLine, OddLine, ResultLine]
    assert all(line.problem for line in lines if isinstance(line, OddLine))


def test_empty_lines_are_skipped():
    lines = [line for some in read_lines([CANCELED + b"\n\n\n" + CANCELED]) for line in some]

    assert [line.custom_id for line in lines] == ["a", "a"]


LONG = USED % b'{"input_tokens":7,"output_tokens":1}'
LONG = LONG.replace(b'"model"', b'"content":[{"text":"%s"}],"model"' % (b"never mind " * 200))


def read_all(pieces: list[bytes]) -> list[ResultLine | OddLine]:
    return [line for some in read_lines(pieces) for line in some]


@given(places=st.lists(st.integers(0, 10_000), max_size=30), ends=st.booleans())
def test_a_line_too_long_for_memory_is_read_too(places, ends):
    content = b"\n".join([CANCELED, LONG, LONG, CANCELED, LONG]) + (b"\n" if ends else b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "LONGEST_HELD_BYTES", 500)
        lines = read_all(cut_at(content, places))

    types = [line.result.type for line in lines]
    assert types == ["canceled", "succeeded", "succeeded", "canceled", "succeeded"]
    assert [line.result.message.usage.input_tokens for line in lines if line.result.message] == [
        7
    ] * 3


def test_an_endless_line_is_never_in_memory(monkeypatch):
    monkeypatch.setattr(results, "LONGEST_HELD_BYTES", 1_000)

    def endless():
        yield b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":"'
        for _ in range(1_000):
            yield b"x" * 100

    assert max(len(block) for block in blocks_of(endless())) <= 1_100


@pytest.mark.parametrize("size", [1, 70])
def test_a_line_with_too_long_values_is_odd_and_hides_no_other(monkeypatch, size):
    monkeypatch.setattr(skim, "LONGEST_KEPT_BYTES", 1_000)
    monkeypatch.setattr(results, "LONGEST_HELD_BYTES", 1_000)
    endless = b'{"custom_id":"a","result":{"type":"%s"}}' % (b"y" * 5_000)
    content = b"\n".join([CANCELED, endless, CANCELED, b""])

    lines = read_all([bytes(piece) for piece in batched(content, size)])

    assert [type(line) for line in lines] == [ResultLine, OddLine, ResultLine]
    assert lines[1].problem == "its ID, error or usage is too long"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + CANCELED + b"\n" + LONG + b"\n",
        CANCELED + b"\r\n" + LONG + b"\r\n",
        CANCELED + b"\n" + LONG,
        b"\n \t\r\n" + CANCELED + b"\n\r\n\n" + LONG + b"\n\n",
        b"\xef\xbb\xbf\r\n" + CANCELED + b"\r\n" + LONG,
    ],
    ids=["byte order mark", "CRLF", "no last line end", "blank lines", "all of it"],
)
@pytest.mark.parametrize("longest", [100, 10**6])
def test_line_ends_make_no_difference(monkeypatch, content, longest):
    monkeypatch.setattr(results, "LONGEST_HELD_BYTES", longest)
    pieces = [bytes(piece) for piece in batched(content, 50)]

    lines = read_all(pieces)

    assert [line.result.type for line in lines] == ["canceled", "succeeded"]


@pytest.mark.parametrize("longest", [20, 10**6])
def test_a_file_that_ends_in_the_middle_of_a_line_is_unreadable(monkeypatch, longest):
    monkeypatch.setattr(results, "LONGEST_HELD_BYTES", longest)
    content = CANCELED + b"\n" + LONG[:-3]

    with pytest.raises(UnreadableResults, match="ends in the middle"):
        read_all([bytes(piece) for piece in batched(content, 10)])


def test_a_last_line_with_invalid_figures_is_odd_and_not_cut_off():
    lines = read_all([CANCELED + b"\n" + USED % b'{"input_tokens":-1}'])

    assert [type(line) for line in lines] == [ResultLine, OddLine]
    assert (lines[1].custom_id, lines[1].outcome) == ("a", "succeeded")


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
def test_a_line_with_unknown_figures_is_odd(line):
    assert isinstance(decode_line(line), OddLine)


def test_a_result_of_a_new_type_keeps_its_type():
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
def test_an_error_is_found_at_either_depth(error):
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
