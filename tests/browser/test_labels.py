from playwright.sync_api import expect

from batches.labels import Labels, label_batch
from batches.models import Batch


def open_form(page) -> None:
    page.locator("#edit-labels").click()
    expect(page.locator("#labels-label")).to_be_focused()


def test_a_label_is_edited_in_place_by_keyboard_alone(page, board, mirrored):
    batch = mirrored()
    board(batch.get_absolute_url())

    page.locator("#edit-labels").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#labels-label")).to_be_focused()
    page.keyboard.type("nightly eval")
    page.keyboard.press("Enter")

    expect(page.locator("h1")).to_have_text("nightly eval")
    expect(page.locator("#edit-labels")).to_be_focused()
    assert Batch.objects.get().label == "nightly eval"


def test_escape_leaves_the_form_and_changes_nothing(page, board, mirrored):
    batch = mirrored()
    board(batch.get_absolute_url())

    open_form(page)
    page.locator("#labels-label").fill("half a thou")
    page.keyboard.press("Escape")

    expect(page.locator("section#labels")).to_contain_text("none")
    assert Batch.objects.get().label == ""


def test_no_poll_takes_the_form_away_and_the_wait_ends_with_it(
    page, board, mirrored, finish, operator
):
    batch = mirrored()
    board(batch.get_absolute_url())
    open_form(page)
    page.locator("#labels-note").fill("still typing")
    # The field has lost the focus; the form is still open.
    page.locator("h1").click()

    finish(batch)
    page.evaluate("htmx.trigger('#live', 'poll')")
    expect(page.locator("#labels-note")).to_have_value("still typing")
    expect(page.locator(".card")).to_have_attribute("data-status", "in_progress")
    page.locator("#labels-leave").click()

    expect(page.locator(".card")).to_have_attribute("data-status", "ended")


def test_another_person_s_change_is_shown_before_it_is_overwritten(page, board, mirrored, operator):
    batch = mirrored()
    board(batch.get_absolute_url())
    open_form(page)
    label_batch(batch, Labels("theirs"), actor=operator, address="")

    page.locator("#labels-label").fill("mine")
    page.locator("#labels-save").click()

    expect(page.locator("#labels-conflict")).to_contain_text("“theirs”")
    expect(page.locator("#labels-label")).to_have_value("mine")
    assert Batch.objects.get().label == "theirs"


def test_without_scripts_the_form_is_a_page(browser, live_server, sign_in, operator, mirrored):
    batch = mirrored()
    context = browser.new_context(java_script_enabled=False)
    sign_in(context, operator)
    page = context.new_page()
    page.goto(live_server.url + batch.get_absolute_url())

    page.locator("#edit-labels").click()
    page.locator("#labels-label").fill("by hand")
    page.locator("#labels-save").click()

    expect(page.locator("h1")).to_have_text("by hand")
    expect(page.locator(".messages")).to_contain_text("Saved.")
    context.close()
