"""The head of a batch's page, its order, its tab and its way back."""

import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from batches.models import Observation, Workspace
from tests.dashboard.batch.batch_page import add_cancellation, fact, page_of, section, words
from tests.dashboard.conftest import HTMX

ID = "msgbatch_01"


def head(page: str) -> str:
    return page.partition('<div id="cards"')[2].partition("</article>")[0]


def tab(page: str) -> str:
    return html.unescape(re.search("<title>(.*?) · Batchboard</title>", page)[1])


def test_a_batch_is_called_by_its_label_and_nothing_is_said_twice(sign_in, row):
    row(ID, processing_status="ended", succeeded=1234, label="nightly eval", owner="ada")

    page = sign_in("operator").get(f"/batches/{ID}/").text

    shown = words(page.partition("<main")[2].partition('<details class="panel fold"')[0])
    assert words(re.search("<h1.*?</h1>", page, re.DOTALL)[0]) == "nightly eval"
    assert "<button" not in re.search("<h1.*?</h1>", page, re.DOTALL)[0]
    assert [shown.count(text) for text in ("nightly eval", ID, "ada", "2 min")] == [1, 1, 1, 1]


def test_the_head_keeps_the_hooks_of_a_card(sign_in, row):
    row(ID, processing=7, succeeded=3, label="nightly", owner="ada")

    shown = head(sign_in("operator").get(f"/batches/{ID}/").text)

    article = re.search("<article[^>]*>", shown, re.DOTALL)[0]
    for hook in (
        f'id="batch-{ID}"', 'class="card ', f'data-batch="{ID}"', 'data-status="in_progress"',
        'data-outcome=""', 'data-processing="7"', 'data-succeeded="3"', 'data-errored="0"',
        'data-canceled="0"', 'data-expired="0"', 'data-cost="pending"',
    ):  # fmt: skip
        assert hook in article
    fields = re.findall(r'data-field="(\w+)"', shown)
    assert fields == ["state", "name", "workspace", "owner", "requests", "elapsed"]
    assert '<form class="head-action" data-cancel' in shown


def test_the_five_counts_are_figures_in_a_row_and_zeros_are_marked(sign_in, row):
    row(ID, processing_status="ended", succeeded=1200, errored=34)

    shown = head(sign_in("viewer").get(f"/batches/{ID}/").text)

    assert re.findall(r'<div data-count="(\w+)"( data-zero)?>', shown) == [
        ("succeeded", ""),
        ("errored", ""),
        ("canceled", " data-zero"),
        ("expired", " data-zero"),
        ("processing", " data-zero"),
    ]
    assert "Succeeded 1,200 Errored 34 Canceled 0 Expired 0 Processing 0" in words(shown)


def test_a_cancel_on_the_page_is_answered_with_its_head(sign_in, mirrored):
    mirrored(ID)
    browser = sign_in("operator")
    address = f"/batches/{ID}/"

    here = browser.post(
        f"{address}cancel/", headers=HTMX | {"HX-Current-URL": f"http://testserver{address}"}
    ).text
    on_list = browser.post(
        f"{address}cancel/", headers=HTMX | {"HX-Current-URL": "http://testserver/"}
    ).text

    assert 'class="card batch-head"' in here
    assert 'data-status="canceling"' in here
    assert 'class="card batch-head"' not in on_list


@pytest.mark.parametrize(
    ("columns", "title"),
    [
        ({"processing": 1200}, "… 1,200 nightly"),
        ({"processing": 156, "succeeded": 444}, "… 444/600 nightly"),
        ({"processing_status": "ended", "succeeded": 400}, "✓ 400/400 nightly"),
        ({"processing_status": "ended", "succeeded": 371, "errored": 29}, "! 371/400 nightly"),
        ({"processing_status": "ended", "succeeded": 0, "errored": 40}, "✗ 0/40 nightly"),
        ({"processing_status": "ended", "succeeded": 3, "canceled": 37}, "⊘ 3/40 nightly"),
        ({"processing_status": "ended", "succeeded": 3, "expired": 37}, "⌛ 3/40 nightly"),
    ],
)
def test_the_tab_begins_with_the_outcome(sign_in, row, columns, title):
    row(ID, label="nightly", **columns)
    browser = sign_in("viewer")

    page = browser.get(f"/batches/{ID}/").text
    poll = browser.get(f"/batches/{ID}/live/", {"v": "0"}, headers=HTMX).text

    assert tab(page) == tab(poll) == title


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        (
            "http://testserver/?status=failed&workspace=research",
            "/?status=failed&workspace=research",
        ),
        ("http://testserver/", "/"),
        ("http://elsewhere/?status=failed", "/"),
        ("http://testserver/spend/?group=label", "/"),
        ("http://[broken", "/"),
        (f"http://testserver/?q={'x' * 300}&status=failed", "/?status=failed"),
        ('http://testserver/?q="><script>', "/?q=%22%3E%3Cscript%3E"),
    ],
)
def test_the_way_back_keeps_the_list_s_filters(sign_in, row, referer, back):
    row(ID)

    page = sign_in("viewer").get(f"/batches/{ID}/", headers={"Referer": referer}).text

    assert html.unescape(re.search('<a id="back" href="([^"]*)"', page)[1]) == back


def test_a_canceled_batch_shows_its_receipt_before_what_can_be_sent_again(sign_in, row):
    batch = row(ID, processing_status="ended", succeeded=4, canceled=6, results_state="read")
    batch.failed_requests.create(custom_id="a", outcome="canceled")
    add_cancellation(batch)

    page = page_of(sign_in("viewer"), batch)

    order = [page.index(f'id="{each}-title"') for each in ("receipt", "failures", "usage")]
    assert order == sorted(order)


def test_a_running_batch_says_its_speed_and_how_long_it_may_take(sign_in, row, workspace):
    now = timezone.now()
    batch = row(ID, age=timedelta(minutes=30), processing=150, succeeded=450)
    Observation.objects.create(
        batch=batch, seen_from=now - timedelta(minutes=20), seen_until=now - timedelta(minutes=10),
        processing_status="in_progress", processing=450, succeeded=150, errored=0, canceled=0,
        expired=0,
    )  # fmt: skip
    type(batch).objects.filter(pk=batch.pk).update(changed_at=now - timedelta(minutes=10))
    Workspace.objects.filter(pk=workspace.pk).update(last_synced_at=now)

    page = page_of(sign_in("viewer"), batch)

    assert fact(page, "Speed") == "About 20 requests a minute over the last 15 min"
    # Seven and a half.
    assert fact(page, "Time left") == "About 7 min at this speed an estimate"
    assert "Usage and cost are available about a minute after" in section(page, "running-title")


def test_the_history_of_a_batch_that_changed_never_says_that_nothing_did(sign_in, row, change):
    batch = row(ID, age=timedelta(seconds=40))
    unchanged = page_of(sign_in("viewer", name="one"), batch)

    change(batch, processing=8, succeeded=2)
    changed = page_of(sign_in("viewer", name="two"), batch)

    assert "No changes since the batch was first seen" in section(unchanged, "history-title")
    history = section(changed, "history-title")
    assert "No changes" not in history
    assert "now in_progress 8 2 0 0 0" in history


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ("x-api-key", "x-api-key: $ANTHROPIC_API_KEY"),
        ("bearer", "authorization: Bearer $ANTHROPIC_AUTH_TOKEN"),
    ],
)
def test_lines_that_fetch_the_batch_have_its_address_and_no_key(
    sign_in, row, workspace, auth, header
):
    Workspace.objects.filter(pk=workspace.pk).update(auth=auth)
    row(ID)

    page = sign_in("viewer").get(f"/batches/{ID}/").text

    curl, python = (
        html.unescape(re.search(rf'<pre id="{name}"[^>]*>(.*?)</pre>', page)[1])
        for name in ("curl", "python")
    )
    assert curl == (
        f'curl http://sandbox/v1/messages/batches/{ID} -H "{header}"'
        ' -H "anthropic-version: 2023-06-01"'
    )
    assert python == (
        f"anthropic.Anthropic(base_url='http://sandbox').messages.batches.retrieve('{ID}')"
    )
    assert workspace.api_key not in page


def test_the_sdk_s_own_address_is_not_repeated(sign_in, row, workspace):
    Workspace.objects.filter(pk=workspace.pk).update(base_url="https://api.anthropic.com")
    row(ID)

    page = html.unescape(sign_in("viewer").get(f"/batches/{ID}/").text)

    assert f"anthropic.Anthropic().messages.batches.retrieve('{ID}')" in page
