"""Pages are sent compressed; downloads and empty answers as they are."""

import gzip

import pytest

GZIP = {"Accept-Encoding": "gzip, br"}


def test_a_page_is_compressed_and_caches_know_that_it_depends_on_the_browser(sign_in, row):
    row("one")
    browser = sign_in("viewer")

    answer = browser.get("/", headers=GZIP)

    assert answer["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer["Vary"]
    assert int(answer["Content-Length"]) == len(answer.content)
    assert 'id="batch-one"' in gzip.decompress(answer.content).decode()
    assert "Content-Encoding" not in browser.get("/", headers={"Accept-Encoding": "identity"})


def test_two_answers_to_the_same_request_differ_in_length(sign_in, row):
    """So that the length is no clue to what a page has besides what was sent in (BREACH)."""
    row("one")
    browser = sign_in("viewer")

    lengths = {len(browser.get("/?q=x", headers=GZIP).content) for _ in range(12)}

    assert len(lengths) > 3


def test_an_unchanged_poll_has_no_body_to_compress(sign_in, row):
    row("one")
    browser = sign_in("viewer")
    version = browser.get("/").text.split('data-version="')[1].split('"')[0]

    answer = browser.get("/live/", {"v": version}, headers={**GZIP, "HX-Request": "true"})

    assert answer.status_code == 204
    assert "Content-Encoding" not in answer


@pytest.mark.parametrize("address", ["/batches.csv", "/audit.csv", "/spend.csv"])
def test_a_download_is_the_stream_that_the_view_made(sign_in, row, address):
    row("one")

    answer = sign_in("lead").get(address, headers=GZIP)

    assert answer.streaming
    assert "Content-Encoding" not in answer
    assert answer.getvalue().startswith(b"\xef\xbb\xbf")
