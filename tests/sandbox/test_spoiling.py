"""Results files that look complete and are wrong."""

import json

import pytest

from tests.sandbox.conftest import BATCHES

KINDS = ("short", "half-line", "extra-line", "bad-line")


@pytest.fixture(params=[1, 2, 300], ids=["one-line", "two-lines", "several-blocks"])
def path(api, request):
    """The path of a batch's results, which have one block or several."""
    return f"{BATCHES}/{api.add_batch(status='ended', requests=request.param)}/results"


def spoiled(api, http, kind, path):
    """The whole file, and the body of the spoiled response."""
    whole = http.get(path).content
    api.fail_next(kind)
    response = http.get(path)
    assert response.status_code == 200
    return whole, response.content


def test_a_short_file_lacks_its_last_lines(api, http, path):
    whole, received = spoiled(api, http, "short", path)

    assert whole.startswith(received)
    assert received.count(b"\n") < whole.count(b"\n")
    assert received == b"" or received.endswith(b"}\n")


def test_a_file_with_half_a_line_ends_in_its_last_line(api, http, path):
    whole, received = spoiled(api, http, "half-line", path)

    assert whole.startswith(received)
    assert received.count(b"\n") == whole.count(b"\n") - 1
    assert not received.endswith(b"\n")


def test_an_extra_line_repeats_the_last(api, http, path):
    whole, received = spoiled(api, http, "extra-line", path)

    last = whole.splitlines(keepends=True)[-1]
    assert received == whole + last


def test_a_file_with_a_bad_line_has_only_one(api, http, path):
    whole, received = spoiled(api, http, "bad-line", path)

    pairs = list(zip(whole.split(b"\n"), received.split(b"\n"), strict=True))
    changed = [line for before, line in pairs if before != line]
    assert len(changed) == 1
    with pytest.raises(ValueError, match=r"\w"):
        json.loads(changed[0])


def test_the_next_download_is_complete(api, http, path):
    whole, _ = spoiled(api, http, "short", path)

    assert http.get(path).content == whole


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_of_results_waits_for_a_call_for_results(api, http, kind):
    batch_id = api.add_batch(status="ended", requests=20)
    whole = http.get(f"{BATCHES}/{batch_id}/results").content
    api.fail_next(kind)

    listed = http.get(BATCHES)
    described = http.get(f"{BATCHES}/{batch_id}")
    received = http.get(f"{BATCHES}/{batch_id}/results").content

    assert [batch["id"] for batch in listed.json()["data"]] == [batch_id]
    assert described.json()["id"] == batch_id
    assert received != whole


@pytest.mark.parametrize("kind", KINDS)
def test_missing_results_cannot_be_spoiled(api, http, kind):
    batch_id = api.add_batch()
    api.fail_next(kind)

    assert http.get(f"{BATCHES}/{batch_id}/results").status_code == 404


def test_by_rate_only_results_are_spoiled(make_api, ask):
    api = make_api(faults="short=0.5")
    batch_id = api.add_batch(status="ended", requests=3)
    http = ask(api)

    lists = [http.get(BATCHES).json()["data"] for _ in range(40)]
    lines = [http.get(f"{BATCHES}/{batch_id}/results").content.count(b"\n") for _ in range(40)]

    assert all(len(batches) == 1 for batches in lists)
    assert set(lines) == {2, 3}
    assert 10 < lines.count(2) < 30
