"""Filters that apply as they change, with a tidy address."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from batches.labels import Labels, write_labels
from batches.models import Revision


@pytest.fixture
def nightly(mirrored):
    """Two batches, one of them with a label."""
    first, second = mirrored("msgbatch_01nightlyAbcdef"), mirrored("msgbatch_02other")
    with Revision.writing():
        write_labels(first, Labels(label="nightly eval", owner="ada@example.com"))
    return first, second


def query(page) -> str:
    return urlsplit(page.url).query


def test_filters_apply_as_they_change_and_back_undoes_them(board, nightly):
    page = board("/")
    cards = page.locator(".card")
    expect(cards).to_have_count(2)
    expect(page.locator("#apply")).to_be_hidden()

    page.locator("#sort").select_option("largest")
    page.wait_for_url("**/?sort=largest")
    search = page.locator("#search")
    search.press_sequentially("nightlyx")
    expect(page.get_by_text("No batch matches")).to_be_visible()
    search.press("Backspace")
    expect(cards).to_have_count(1)

    expect(search).to_be_focused()
    assert search.evaluate("field => field.selectionStart") == len("nightly")
    assert sorted(query(page).split("&")) == ["q=nightly", "sort=largest"]
    expect(page.locator("#announcements")).to_have_text("Batches found: 1")
    expect(page.locator("#clear")).to_be_visible()
    page.go_back()
    expect(cards).to_have_count(2)
    assert query(page) == ""


def test_a_whole_id_leads_to_its_batch(board, nightly):
    page = board("/")

    page.locator("#search").fill("msgbatch_01nightlyAbcdef")

    page.wait_for_url("**/batches/msgbatch_01nightlyAbcdef/")


def test_a_field_suggests_what_exists(board, nightly):
    page = board("/")
    page.locator("#more-filters").click()

    page.locator("#label").focus()

    option = page.locator("#label-options option")
    expect(option).to_have_attribute("value", "nightly eval")
    expect(option).to_have_attribute("label", "1 batch")


def test_without_a_script_the_form_leads_to_a_tidy_address(
    browser, live_server, operator, sign_in, nightly
):
    with browser.new_context(java_script_enabled=False) as context:
        sign_in(context, operator)
        page = context.new_page()
        page.goto(live_server.url)

        page.locator("#search").fill("nightly")
        page.locator("#apply").click()

        page.wait_for_url("**/?q=nightly")
        expect(page.locator(".card")).to_have_count(1)
