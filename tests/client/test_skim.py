"""Reading the needed members of a line and skipping its content."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.client.results import DoubtfulLine, OddLine, ResultLine, decode_line
from batches.client.skim import Skimmer, skimmed

LINE = (
    '{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","content":%s,'
    '"model":"m","stop_reason":"pause_turn","usage":{"input_tokens":3,"output_tokens":4}}}}'
)
# Content that strict parsers refuse or that confuses careless ones.
ODD_CONTENTS = [
    r'"\ud82d"',
    r'["\ud82d", "\ude00\ud83d"]',
    '"\0 and \x1b and \t"',
    "NaN",
    "-Infinity",
    "1e400",
    "9" * 5_000,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    r'"a quote \" and a backslash \\"',
    '{"usage":{"input_tokens":9},"usage":{"input_tokens":8}}',
    '"}],\\"usage\\":{\\"input_tokens\\":9}"',
    '{"custom_id":"b","type":"errored"}',
    r'"\q is no escape"',
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(line: bytes) -> tuple:
    decoded = decode_line(line)
    assert type(decoded) is ResultLine
    message = decoded.result.message
    usage = message.usage
    return (
        *(decoded.custom_id, decoded.result.type, message.model, message.stop_reason),
        *(usage.input_tokens, usage.output_tokens),
    )


def with_usage(more: str) -> bytes:
    return (LINE % "[]").replace('"output_tokens":4', f'"output_tokens":4,{more}').encode()


PLAIN = ("a", "succeeded", "m", "pause_turn", 3, 4)


@pytest.mark.parametrize("content", ODD_CONTENTS, ids=range(len(ODD_CONTENTS)))
def test_content_never_makes_a_request_unreadable(content):
    assert read((LINE % content).encode()) == PLAIN


def test_content_that_is_not_utf8_is_skipped():
    assert read((LINE % '"?"').encode().replace(b"?", b"\xff\xfe\xed\xa0\xbd")) == PLAIN


@pytest.mark.parametrize("content", [ODD_CONTENTS[0], *ODD_CONTENTS[9:]], ids=range(6))
def test_a_line_that_arrives_byte_by_byte_is_read_the_same(content):
    line, skimmer = (LINE % content).encode(), Skimmer()

    for at in range(len(line)):
        skimmer.feed(line[at : at + 1])

    assert skimmer.text == skimmed(line).text
    assert read(skimmer.text) == PLAIN


@given(value=json_values, places=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_content_in_any_pieces_leaves_the_needed_members(value, places):
    line = (LINE % json.dumps(value)).encode()
    edges = [0, *sorted(place % (len(line) + 1) for place in places), len(line)]
    skimmer = Skimmer()

    for start, end in pairwise(edges):
        skimmer.feed(line[start:end])

    assert skimmer.is_whole
    assert skimmer.text == skimmed(line).text
    assert read(skimmer.text) == read(line) == PLAIN


@given(value=json_values, cut=st.integers(1, 10_000))
def test_a_line_that_was_cut_off_is_never_complete(value, cut):
    line = (LINE % json.dumps(value)).encode()

    assert not skimmed(line[: -1 - cut % (len(line) - 1)]).is_whole


def test_escaped_and_repeated_names_are_read_as_in_json():
    line = (
        r'{"custom_id":"first","x":NaN,"custom\u005fid":"last","result":{"type":"errored"},'
        r'"result":{"type":"canceled"}}'
    )

    decoded = decode_line(line.encode())

    assert (decoded.custom_id, decoded.result.type) == ("last", "canceled")


def test_half_a_surrogate_pair_in_a_needed_member_is_kept():
    text = (
        r'{"custom_id":"\ud82d","result":{"type":"errored","error":{"type":"error",'
        r'"error":{"type":"api_error","message":"no \ud800"}}}}'
    )

    decoded = decode_line(text.encode())

    assert isinstance(decoded, ResultLine)
    assert decoded.custom_id == "\ud82d"
    assert decoded.result.error.problem.message == "no \ud800"


def test_little_is_kept_of_long_content():
    skimmer = skimmed((LINE % json.dumps(["x" * 100_000])).encode())

    assert len(skimmer.text) < 250


@pytest.mark.parametrize(
    ("more", "unknown"),
    [
        ('"new_tokens":1', "usage.new_tokens"),
        ('"new":{"a":[0.5]}', "usage.new"),
        ('"speed":{"x":1}', "usage.speed"),
        ('"iterations":"many"', "usage.iterations"),
        ('"iterations":[{"type":["x"]}]', "usage.iterations: an entry without a type"),
        (
            '"iterations":[{"type":"compaction","input_tokens":1,"output_tokens":1,"new":2}]',
            "usage.iterations: compaction.new",
        ),
    ],
)
def test_a_field_that_may_change_the_price_is_named(more, unknown):
    decoded = decode_line(with_usage(more))

    assert isinstance(decoded, DoubtfulLine)
    assert decoded.unknown == unknown
    assert decoded.result.message.usage.input_tokens == 3


@pytest.mark.parametrize(
    "more",
    ['"new_tokens":0', '"new":null', '"new":{"a":[]}', '"new":"fast"', '"new":true'],
)
def test_a_field_without_a_figure_changes_no_price(more):
    assert read(with_usage(more)) == PLAIN


def test_a_line_whose_usage_is_nested_too_deeply_is_odd():
    assert isinstance(decode_line(with_usage(f'"new":{"[" * 100_000}{"]" * 100_000}')), OddLine)
