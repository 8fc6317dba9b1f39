import io
import json

import httpx
import pytest

from batches.models import Batch
from batches.results.download import BrokenOff
from tests.dashboard.reading import csv_table
from tests.working import read_now

pytestmark = pytest.mark.usefixtures("no_waits")


def upstream(sandbox, batch_id: str = "one") -> bytes:
    """The file as the API gives it out."""
    client = httpx.Client(transport=sandbox.transport(), base_url="http://sandbox")
    with client:
        return client.get(
            f"/v1/messages/batches/{batch_id}/results", headers={"x-api-key": sandbox.key}
        ).content


def outcome_of(line: bytes) -> str:
    return json.loads(line)["result"]["type"]


def read(batch_id: str = "one") -> Batch:
    batch = Batch.objects.select_related("workspace").get(api_id=batch_id)
    assert read_now(batch)
    return batch


def test_the_whole_file_is_sent_byte_for_byte(sign_in, sandbox, results_url):
    answer = sign_in("viewer").get(results_url)

    assert answer.getvalue() == upstream(sandbox)
    assert answer["Content-Type"] == "application/x-jsonl"
    assert answer["Content-Disposition"] == 'attachment; filename="one-results.jsonl"'


@pytest.mark.parametrize(
    ("outcome", "count"), [("succeeded", 20), ("errored", 6), ("canceled", 3), ("expired", 1)]
)
def test_one_outcome_has_the_original_bytes_of_its_lines(
    sign_in, sandbox, results_url, outcome, count
):
    answer = sign_in("viewer").get(results_url, {"outcome": outcome})

    lines = [
        line for line in io.BytesIO(upstream(sandbox)).readlines() if outcome_of(line) == outcome
    ]
    assert len(lines) == count
    assert answer.getvalue() == b"".join(lines)
    assert answer["Content-Disposition"] == f'attachment; filename="one-{outcome}.jsonl"'


def test_text_that_holds_other_line_ends_stays_on_its_line(sign_in, answering):
    line = '{"custom_id":"a\u2028\u0085b","result":{"type":"canceled"}}\r\n'.encode()
    batch = answering(line + b'{"custom_id":"c","result":{"type":"expired"}}', requests=2)

    answer = sign_in("viewer").get(
        f"{batch.get_absolute_url()}results/", {"outcome": "canceled", "format": "jsonl"}
    )

    assert answer.getvalue() == line


def test_a_new_outcome_can_be_downloaded(sign_in, answering):
    batch = answering(
        b'{"custom_id":"a","result":{"type":"withheld","why":[1]}}\n'
        b'{"custom_id":"b","result":{"type":"canceled"}}\n',
        requests=2,
    )

    answer = sign_in("viewer").get(f"{batch.get_absolute_url()}results/", {"outcome": "withheld"})

    assert answer.getvalue() == b'{"custom_id":"a","result":{"type":"withheld","why":[1]}}\n'


USAGE = {
    "input_tokens": 100,
    "output_tokens": 40,
    "cache_creation_input_tokens": 70,
    "cache_read_input_tokens": 5,
    "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 20},
    "output_tokens_details": {"thinking_tokens": 30},
    "server_tool_use": {"web_search_requests": 2},
    "inference_geo": "us",
}
LINES = [
    {
        "custom_id": "=1+1",
        "result": {
            "type": "succeeded",
            "message": {"model": "claude-x", "stop_reason": "end_turn", "usage": USAGE},
        },
    },
    {
        "custom_id": "b",
        "result": {
            "type": "errored",
            "error": {
                "type": "error",
                "error": {"type": "api_error", "message": "-broken\nhere"},
                "request_id": "req_1",
            },
        },
    },
    {"custom_id": "c", "result": {"type": "canceled"}},
]


@pytest.fixture
def by_hand(answering) -> str:
    """The address of the results of three requests: one succeeded, one failed, one canceled."""
    body = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)
    batch = answering(body, requests=3, succeeded=1, errored=1, canceled=1)
    return f"{batch.get_absolute_url()}results/"


def test_a_csv_has_a_row_for_each_request_and_no_formula(sign_in, by_hand):
    rows = csv_table(sign_in("viewer").get(by_hand, {"format": "csv"}))

    assert [row["outcome"] for row in rows] == ["succeeded", "errored", "canceled"]
    assert rows[0] == {
        "custom_id": "'=1+1", "outcome": "succeeded", "error_type": "", "error_message": "",
        "request_id": "", "model": "claude-x", "stop_reason": "end_turn", "input (tokens)": "100",
        "output (tokens)": "40", "cache write 5 min (tokens)": "50",
        "cache write 1 h (tokens)": "20", "cache read (tokens)": "5", "web searches": "2",
    }  # fmt: skip
    assert rows[1]["error_type"] == "api_error"
    assert rows[1]["error_message"] == "'-broken here"
    assert rows[1]["request_id"] == "req_1"
    assert rows[1]["input (tokens)"] == ""


def test_ids_are_plain_text_one_per_line(sign_in, by_hand):
    answer = sign_in("viewer").get(by_hand, {"format": "ids"})

    assert answer.getvalue() == b"=1+1\nb\nc\n"
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"].endswith('-results-ids.txt"')


def test_an_id_with_line_breaks_stays_on_one_line(sign_in, answering):
    line = json.dumps({"custom_id": "a\nb\u2028c é", "result": {"type": "canceled"}}).encode()
    batch = answering(line, requests=1, canceled=1)

    answer = sign_in("viewer").get(f"{batch.get_absolute_url()}results/", {"format": "ids"})

    assert answer.getvalue().decode() == "a\\nb\\u2028c é\n"


ODD = b'{"custom_id":"a","result":{"type":"canceled"}}\n{"odd":1}\n'


def test_a_line_that_cannot_be_understood_is_a_row_that_says_so(sign_in, answering):
    batch = answering(ODD, requests=2)

    rows = csv_table(
        sign_in("viewer").get(f"{batch.get_absolute_url()}results/", {"format": "csv"})
    )

    assert rows[1]["outcome"] == "unreadable"
    assert rows[1]["error_message"].startswith("This line cannot be understood: ")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"outcome": "canceled", "format": "ids"}, b"a\n"),
        ({"outcome": "expired", "format": "ids"}, b""),
        ({"format": "ids"}, b"a\n"),
    ],
)
def test_a_line_skipped_by_a_filter_is_logged(sign_in, answering, caplog, query, expected):
    batch = answering(ODD, requests=2)

    answer = sign_in("viewer").get(f"{batch.get_absolute_url()}results/", query)

    assert answer.getvalue() == expected
    assert "unreadable lines skipped in a download" in caplog.text
    assert batch.api_id in caplog.text


@pytest.mark.parametrize("kind", ["csv", "ids"])
@pytest.mark.parametrize("outcome", ["errored", "canceled", "expired"])
def test_stored_requests_equal_those_of_the_file(sign_in, sandbox, results_url, kind, outcome):
    browser = sign_in("viewer")
    asked = {"outcome": outcome, "format": kind}
    from_api = browser.get(results_url, asked).getvalue()
    read()
    before = len(sandbox.calls)

    from_rows = browser.get(results_url, asked)

    assert from_rows.getvalue() == from_api
    assert len(sandbox.calls) == before


def test_stored_requests_are_sent_in_blocks_without_gaps(sign_in, results_url, monkeypatch):
    monkeypatch.setattr("batches.results.download.ROWS_AT_ONCE", 4)
    read()

    rows = csv_table(sign_in("viewer").get(results_url, {"outcome": "errored", "format": "csv"}))

    ids = Batch.objects.get().failed_requests.filter(outcome="errored").order_by("pk")
    assert [row["custom_id"] for row in rows] == list(ids.values_list("custom_id", flat=True))
    assert len(rows) == 6


def test_a_new_reading_breaks_the_download_of_stored_requests_off(
    sign_in, results_url, monkeypatch
):
    monkeypatch.setattr("batches.results.download.ROWS_AT_ONCE", 4)
    monkeypatch.setattr("dashboard.batch.downloads.LINES_AT_ONCE", 1)
    batch = read()
    blocks = iter(sign_in("viewer").get(results_url, {"outcome": "errored", "format": "ids"}))
    next(filter(None, blocks))

    Batch.objects.update(results_state="pending")
    assert read_now(batch)

    with pytest.raises(BrokenOff, match="read again"):
        list(blocks)


def test_stored_requests_outlive_the_file(sign_in, sandbox, sync, workspace, results_url):
    read()
    sandbox.archive("one")
    sync(workspace)
    browser = sign_in("viewer")

    kept = browser.get(results_url, {"outcome": "canceled", "format": "ids"})
    whole = browser.get(results_url)

    assert len(kept.getvalue().splitlines()) == 3
    assert whole.status_code == 404
    assert "no longer has these" in whole.text
    assert "the batch’s page shows" in whole.text


def test_head_names_the_file_and_makes_no_call(sign_in, sandbox, results_url):
    before = len(sandbox.calls)

    answer = sign_in("viewer").head(results_url, {"format": "csv"})

    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="one-results.csv"'
    assert answer.getvalue() == b""
    assert "Content-Length" not in answer
    assert len(sandbox.calls) == before


def test_another_teams_results_are_not_there(sign_in, sandbox, other_workspace, sync):
    theirs = sandbox.add_batch(key=sandbox.other_key, status="ended")
    sync(other_workspace)

    assert sign_in("lead").get(f"/batches/{theirs}/results/").status_code == 404


def test_lines_with_text_that_strict_readers_refuse_come_byte_for_byte(sign_in, answering):
    odd = (
        rb'{"custom_id":"ko-17","result":{"type":"succeeded","message":{"model":"m","content":'
        rb'["\ud82d"],"stop_reason":"tool_use","usage":{"input_tokens":9,"output_tokens":6}}}}'
    )
    error = (
        rb'{"custom_id":"no","result":{"type":"errored","error":{"type":"error","error":'
        rb'{"type":"api_error","message":"no \ud800"},"request_id":null}}}'
    )
    browser = sign_in("viewer")
    batch = answering(b"\r\n".join([odd, error, b""]), requests=2, succeeded=1, errored=1)
    at = f"{batch.get_absolute_url()}results/"

    assert browser.get(at, {"outcome": "succeeded"}).getvalue() == odd + b"\r\n"
    assert browser.get(at, {"outcome": "errored"}).getvalue() == error + b"\r\n"
    assert browser.get(at, {"format": "ids"}).getvalue() == b"ko-17\nno\n"
    rows = csv_table(browser.get(at, {"format": "csv"}))
    assert [row["error_message"] for row in rows] == ["", "no \ufffd"]


def test_a_line_of_many_megabytes_keeps_only_its_outcome(sign_in, answering):
    long = (
        b'{"custom_id":"long","result":{"type":"succeeded","message":{"model":"m","content":["%s"],'
        b'"usage":{"input_tokens":9,"output_tokens":6}}}}\n' % (b"x" * 9_000_000)
    )
    short = b'{"custom_id":"short","result":{"type":"canceled"}}\n'
    content = short + long
    pieces = [content[at : at + 100_000] for at in range(0, len(content), 100_000)]
    browser = sign_in("viewer")
    batch = answering(pieces, requests=2, succeeded=1, canceled=1)
    at = f"{batch.get_absolute_url()}results/"

    assert browser.get(at).getvalue() == content
    assert browser.get(at, {"outcome": "succeeded"}).getvalue() == long
    assert browser.get(at, {"outcome": "canceled"}).getvalue() == short
    assert browser.get(at, {"format": "ids"}).getvalue() == b"short\nlong\n"


def test_a_request_whose_figures_are_odd_keeps_its_id_and_outcome(sign_in, answering):
    line = (
        b'{"custom_id":"odd","result":{"type":"succeeded","message":{"model":"m",'
        b'"usage":{"input_tokens":-1,"output_tokens":6}}}}\n'
    )
    browser = sign_in("viewer")
    batch = answering(line, requests=1)
    at = f"{batch.get_absolute_url()}results/"

    assert browser.get(at, {"outcome": "succeeded"}).getvalue() == line
    assert browser.get(at, {"outcome": "succeeded", "format": "ids"}).getvalue() == b"odd\n"
