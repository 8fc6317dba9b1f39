"""The unmodified official SDK, used with the sandbox."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import anthropic
import httpx2
import pytest

from batches.sandbox import SandboxApi, SandboxServer
from tests.sandbox.conftest import good_params

# The unpacked source distribution of the SDK, and a Python with the packages of its tests.
SDK_SOURCE = os.environ.get("SDK_SOURCE", "")
SDK_PYTHON = os.environ.get("SDK_PYTHON", sys.executable)
SDK_TESTS = (
    "tests/api_resources/messages/test_batches.py",
    "tests/api_resources/beta/messages/test_batches.py",
)


@pytest.fixture
def sdk(api: SandboxApi) -> Iterator[anthropic.Anthropic]:
    """The SDK, connected to the sandbox."""
    with httpx2.Client(transport=httpx2.WSGITransport(app=api)) as http:
        yield anthropic.Anthropic(
            api_key=api.key, base_url=api.base_url, http_client=http, max_retries=2
        )


def test_the_sdk_creates_cancels_reads_and_deletes(sdk, clock):
    batches = sdk.messages.batches

    created = batches.create(requests=[{"custom_id": "one", "params": good_params()}])
    canceled = batches.cancel(created.id)
    clock.forward(minutes=2)
    ended = batches.retrieve(created.id)
    lines = list(batches.results(created.id))
    deleted = batches.delete(created.id)

    assert created.processing_status == "in_progress"
    assert canceled.processing_status == "canceling"
    assert ended.processing_status == "ended"
    assert ended.expires_at - ended.created_at == timedelta(hours=24)
    assert [line.custom_id for line in lines] == ["one"]
    assert deleted.type == "message_batch_deleted"


def test_the_sdk_reads_every_kind_of_result(api, sdk):
    batch_id = api.add_batch(status="ended", succeeded=40, errored=5, canceled=3, expired=2)

    lines = list(sdk.messages.batches.results(batch_id))

    kinds = sorted({line.result.type for line in lines})
    assert kinds == ["canceled", "errored", "expired", "succeeded"]
    assert len(lines) == 50


def test_the_sdk_pages_through_more_than_a_thousand(api, sdk):
    added = [api.add_batch() for _ in range(1203)]

    listed = [batch.id for batch in sdk.messages.batches.list(limit=1000)]

    assert listed == added[::-1]


def test_the_sdk_pages_backwards(api, sdk):
    added = [api.add_batch() for _ in range(5)]

    listed = [b.id for b in sdk.messages.batches.list(limit=2, before_id=added[0])]

    assert sorted(listed) == sorted(added[1:])


def test_the_beta_endpoints_work_too(api, sdk):
    batch_id = api.add_batch()

    assert sdk.beta.messages.batches.retrieve(batch_id).id == batch_id
    assert sdk.beta.messages.batches.cancel(batch_id).processing_status == "canceling"


def test_the_sdk_retries_transient_errors_and_raises_others(api, sdk):
    batch_id = api.add_batch()
    api.fail_next("529")

    batch = sdk.messages.batches.retrieve(batch_id)
    with pytest.raises(anthropic.NotFoundError) as missing:
        sdk.messages.batches.retrieve("msgbatch_never")
    api.fail_next("401")
    with pytest.raises(anthropic.AuthenticationError):
        sdk.messages.batches.retrieve(batch_id)

    assert batch.id == batch_id
    assert missing.value.request_id.startswith("req_")


def test_the_sdk_reads_the_cost_report_page_by_page(api):
    for days_ago in (1, 2, 3):
        api.add_batch(status="ended", created_at=api.now() - timedelta(days=days_ago))

    with httpx2.Client(transport=httpx2.WSGITransport(app=api)) as http:
        admin = anthropic.Anthropic(
            api_key=api.admin_key, base_url=api.base_url, http_client=http
        ).beta.organization
        rows = list(
            admin.analytics.cost.list(
                starting_at=api.now() - timedelta(days=7),
                ending_at=api.now(),
                time_bucket_width="1d",
                group_by=["workspace_id", "model"],
                products=["message_batches_api"],
                service_tiers=["batch"],
                limit=1,
            )
        )
        names = [workspace.name for workspace in admin.workspaces.list()]

    assert len({row.starting_at for row in rows}) == 3
    assert {row.group.workspace_id for row in rows} == {api.keys[api.key]}
    assert all(float(row.cost.amount) > 0 for row in rows)
    assert names == ["Research", "Production"]


@pytest.mark.processes
@pytest.mark.skipif(
    not Path(SDK_SOURCE, SDK_TESTS[0]).is_file(),
    reason="SDK_SOURCE does not name the SDK's unpacked source distribution",
)
def test_the_sdks_own_batch_tests_pass(make_api):
    server = SandboxServer()
    server.start(make_api(lenient=True, base_url=server.base_url, clock=None))

    outcome = subprocess.run(
        [SDK_PYTHON, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", *SDK_TESTS],
        cwd=SDK_SOURCE,
        env={**os.environ, "TEST_API_BASE_URL": server.base_url},
        capture_output=True,
        text=True,
        check=False,
    )
    server.stop()

    assert outcome.returncode == 0, outcome.stdout[-5000:]
