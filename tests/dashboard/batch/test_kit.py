"""What failed, what can be sent again, and with what."""

import html
import json
import os
import re
import subprocess
import sys

import anthropic
import pytest

from batches.models import Batch, FailedRequest
from batches.sandbox import SandboxApi, SandboxServer
from tests.dashboard.batch.batch_page import page_of, section, words
from tests.sandbox.conftest import good_params

FIRST = "msgbatch_1"


@pytest.fixture
def failed(row):
    """A function that adds failures to an ended batch that has been read."""
    batch = row(FIRST, processing_status="ended", succeeded=1, errored=9, results_state="read")

    def failed(
        number: int, outcome: str = "errored", error_type: str = "", message: str = ""
    ) -> Batch:
        FailedRequest.objects.bulk_create(
            FailedRequest(
                batch=batch,
                custom_id=f"{error_type or outcome}-{each}",
                outcome=outcome,
                error_type=error_type,
                message=message,
            )
            for each in range(number)
        )
        return batch

    return failed


@pytest.fixture
def mixed(failed) -> Batch:
    failed(1, error_type="invalid_request_error", message="prompt is too long")
    failed(2, error_type="api_error", message="Internal server error")
    failed(1, outcome="expired")
    return failed(1, error_type="brand_new_error")


def snippet(page: str) -> str:
    return html.unescape(re.search(r'<pre id="snippet"[^>]*>(.*?)</pre>', page, re.DOTALL)[1])


def test_failures_come_first_split_by_what_helps(sign_in, mixed):
    page = page_of(sign_in("viewer"), mixed)

    panel = section(page, "failures-title")
    assert page.index('id="failures-title"') < page.index('id="usage-title"')
    assert re.findall(r"(Worth retrying|Fix first|Other failures) (\d+)", panel) == [
        ("Worth retrying", "3"),
        ("Fix first", "1"),
        ("Other failures", "1"),
    ]
    assert "2 api_error Internal server error 1 expired not started within 24 hours" in panel


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        ("retryable", ["api_error-0", "api_error-1", "expired-0"]),
        ("fix_first", ["invalid_request_error-0"]),
        ("other", ["brand_new_error-0"]),
        (
            "unsuccessful",
            [
                "api_error-0",
                "api_error-1",
                "brand_new_error-0",
                "expired-0",
                "invalid_request_error-0",
            ],
        ),
    ],
)
def test_the_ids_of_each_kind_can_be_downloaded(sign_in, mixed, kind, ids):
    answer = sign_in("viewer").get(f"/batches/{FIRST}/results/", {"kind": kind, "format": "ids"})

    assert sorted(answer.getvalue().decode().split()) == ids
    assert f'filename="{FIRST}-{kind}-ids.txt"' in answer["Content-Disposition"]


def test_the_api_s_own_lines_of_a_kind_can_be_downloaded(sign_in, answering):
    lines = [
        b'{"custom_id":"a","result":{"type":"succeeded","message":{}}}\n',
        (
            b'{"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":'
            b'{"type":"invalid_request_error","message":"No."}}}}\n'
        ),
        b'{"custom_id":"c","result":{"type":"canceled"}}\n',
    ]
    batch = answering(b"".join(lines), requests=3)
    browser = sign_in("viewer")

    got = {
        kind: browser.get(f"{batch.get_absolute_url()}results/", {"kind": kind}).getvalue()
        for kind in ("retryable", "fix_first", "unsuccessful")
    }

    assert got == {
        "retryable": lines[2],
        "fix_first": lines[1],
        "unsuccessful": lines[1] + lines[2],
    }


def test_an_unknown_kind_is_named_with_the_known_ones(sign_in, mixed):
    answer = sign_in("viewer").get(f"/batches/{FIRST}/results/", {"kind": "all"})

    assert answer.status_code == 400
    assert "retryable, fix_first, other, unsuccessful" in answer.text


def test_the_kit_offers_what_is_worth_retrying_and_all(sign_in, mixed):
    page = page_of(sign_in("viewer"), mixed)

    kit = page.partition("Send them again")[2].partition("</section>")[0]
    assert re.findall(r"kind=(\w+)&amp;format=ids", kit) == ["retryable", "unsuccessful"]
    assert "3 worth retrying" in words(kit)
    assert "5 unsuccessful" in words(kit)
    assert f"{FIRST}-retryable-ids.txt" in snippet(page)


def test_what_cannot_succeed_unchanged_is_not_called_worth_retrying(sign_in, failed):
    page = page_of(sign_in("viewer"), failed(2, error_type="invalid_request_error"))

    assert "Fix the requests in your file, then run" in section(page, "failures-title")
    assert "worth retrying" not in words(page)
    assert f"{FIRST}-unsuccessful-ids.txt" in snippet(page)


def test_the_snippet_creates_a_batch_of_those_requests_with_the_official_sdk(
    sign_in, mixed, workspace, tmp_path
):
    server = SandboxServer()
    api = SandboxApi(base_url=server.base_url)
    server.start(api)
    workspace.base_url = server.base_url
    workspace.save()
    browser = sign_in("viewer")
    answer = browser.get(f"/batches/{FIRST}/results/", {"kind": "retryable", "format": "ids"})
    name = re.search(r'filename="([^"]+)"', answer["Content-Disposition"])[1]
    (tmp_path / name).write_bytes(answer.getvalue())
    sent = [f"api_error-{n}" for n in range(3)] + ["expired-0", "invalid_request_error-0"]
    requests = [{"custom_id": custom_id, "params": good_params()} for custom_id in sent]
    own = tmp_path / "requests.jsonl"
    own.write_text("\n".join(map(json.dumps, requests)), encoding="utf-8")
    program = [sys.executable, "-c", snippet(page_of(browser, mixed))]
    environment = os.environ | {"ANTHROPIC_API_KEY": api.key}

    def run() -> subprocess.CompletedProcess:
        return subprocess.run(
            program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    done = run()
    own.write_text(json.dumps(requests[0]), encoding="utf-8")
    lacking = run()
    api.finish(done.stdout.strip())
    with anthropic.Anthropic(api_key=api.key, base_url=server.base_url) as sdk:
        created = [batch.id for batch in sdk.messages.batches.list()]
        lines = list(sdk.messages.batches.results(created[0]))
    server.stop()
    api.close()

    assert done.returncode == 0, done.stderr
    assert created == [done.stdout.strip()]
    assert sorted(line.custom_id for line in lines) == ["api_error-0", "api_error-1", "expired-0"]
    assert "requests.jsonl has 1 of the 3 requests." in lacking.stderr


def test_ten_kinds_are_shown_and_the_others_folded(sign_in, failed):
    for number in range(61):
        batch = failed(1, error_type="invalid_request_error", message=f"messages.{number}: bad")

    page = page_of(sign_in("viewer"), batch)

    shown, _, folded = page.partition('id="more-fix_first"')
    assert shown.count('class="failure-message"') == 10
    assert folded.count('class="failure-message"') == 40
    assert "40 more kinds" in words(folded)
    assert "And 11 smaller kinds" in words(folded)


def test_a_long_message_is_clamped_and_a_short_one_is_not(sign_in, failed):
    failed(1, error_type="api_error", message="short")
    batch = failed(1, error_type="invalid_request_error", message="long " * 90)

    page = page_of(sign_in("viewer"), batch)

    assert page.count('<details class="clamp">') == 1
    assert f"<bdi>{'long ' * 89}long" in page


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("pending", "known once their results have been read"),
        ("unreadable", "unknown, because the results could not be read"),
        ("lost", "unknown, because the results could not be read"),
    ],
)
def test_unread_failures_are_not_called_none(sign_in, row, state, said):
    row(FIRST, processing_status="ended", succeeded=1, errored=9, results_state=state)

    page = sign_in("viewer").get(f"/batches/{FIRST}/").text

    assert said in section(page, "failures-title")
    assert "Send them again" not in page
