from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from batches import cancel
from batches.models import Cancellation
from tests.browser.accessibility import overflows, violations
from tests.working import read_now

PAGES = (
    "/",
    "/?status=canceled",
    "/?q=nothing-like-it",
    "/spend/",
    "/spend/?group=label&stack=workspace",
    "/audit/",
    "/account/",
    "detail",
    "/batches/msgbatch_read/",
    "/batches/msgbatch_read/requests/",
    "cancel",
    "/nowhere/",
)


@pytest.fixture
def every_state(mirrored, sandbox, person, workspace):
    """A batch in each state, one of them canceled by a person."""
    chosen = mirrored(requests=1234)
    mirrored(status="ended", requests=10, succeeded=10)
    read_now(mirrored("msgbatch_read", status="ended", requests=10, succeeded=7, errored=3))
    mirrored(status="ended", requests=10, errored=10)
    mirrored(status="ended", requests=10, succeeded=4, canceled=6)
    mirrored(status="ended", requests=10, succeeded=4, expired=6)
    mirrored(requests=100, moving_counts=True)
    stopped = mirrored(requests=50)
    cancel.cancel_batch(stopped, actor=person("admin", name="grace"), address="", reason="late")
    return chosen


def path_of(name: str, batch) -> str:
    named = {"detail": batch.get_absolute_url(), "cancel": f"{batch.get_absolute_url()}cancel/"}
    return named.get(name, name)


def test_no_page_breaks_a_rule_of_axe_or_scrolls_sideways(
    page, context, board, every_state, sign_in, person, workspace, complaints
):
    sign_in(context, person("lead", workspace))
    found, sideways = {}, {}

    def look(name: str, path: str) -> None:
        # One load for all widths and schemes: what it loads doesn't depend on them.
        board(path)
        sideways[name] = overflows(page, (320, 768))
        for width in (360, 1440):
            sideways[name] |= overflows(page, (width,))
            found[name, width] = violations(page)

    for name in PAGES:
        look(name, path_of(name, every_state))
    context.clear_cookies()
    look("login", "/accounts/login/")

    # Chromium reports the 404 that one of the pages is.
    complaints[:] = [text for text in complaints if "404" not in text]
    assert len(found) == 2 * (len(PAGES) + 1)
    assert {key: rules for key, rules in found.items() if rules} == {}
    assert {name: widths for name, widths in sideways.items() if widths} == {}


def test_the_open_menu_and_the_open_dialog_are_clean_too(page, board, every_state):
    board()

    page.locator("#menu-button").click()
    menu = violations(page)
    page.locator(f"#cancel-{every_state.api_id}").click()

    assert (menu, violations(page)) == ([], [])


# Parts that stick out of their row, whose text is cut, or that lie on each other.
MISFITS = """() => [...document.querySelectorAll("#cards > .card")].flatMap(card => {
  const parts = [...card.children].map(part => [part, part.getBoundingClientRect()])
    .filter(([, box]) => box.width && box.height);
  const around = card.getBoundingClientRect();
  const name = part => `${part.className || part.dataset.field} ${part.textContent.trim()}`;
  const isCut = part => part.matches(".card-times, [data-field=requests]") &&
    part.scrollWidth > part.clientWidth + 1;
  return parts.flatMap(([part, box], at) => [
    ...(box.right > around.right + 1 || box.left < around.left - 1 ? [`out: ${name(part)}`] : []),
    ...(isCut(part) ? [`cut: ${name(part)}`] : []),
    ...parts.slice(at + 1)
      .filter(([other, its]) => !other.matches("[data-usual]") && its.left < box.right - 1 &&
        box.left < its.right - 1 && its.top < box.bottom - 1 && box.top < its.bottom - 1)
      .map(([other]) => `over: ${name(part)} and ${name(other)}`),
  ]);
})"""


def test_no_part_of_a_row_sticks_out_or_lies_on_another(page, board, every_state, mirrored):
    created_at = timezone.now() - timedelta(hours=18)
    mirrored(status="ended", requests=1200, created_at=created_at, duration=timedelta(minutes=6))
    board()
    misfits = {}

    for width, text in ((1440, 100), (1280, 100), (1024, 100), (768, 100), (360, 100), (320, 100),
                        (1440, 200), (1024, 200)):  # fmt: skip
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(f"document.documentElement.style.fontSize = '{text}%'")
        misfits[width, text] = page.evaluate(MISFITS)

    assert misfits == {key: [] for key in misfits}


def test_paper_has_a_head_and_no_controls(
    page, board, every_state, context, sign_in, person, workspace
):
    sign_in(context, person("lead", workspace))
    page.emulate_media(media="print")

    for path in ("/?label=nightly", "/audit/?action=signed+in", "/batches/msgbatch_read/"):
        board(path)
        head = page.locator(".print-head")
        expect(head).to_be_visible()
        expect(head).to_contain_text("UTC by lead")
        controls = page.locator("main :is(button, input, select, .get):visible, .top:visible")
        expect(controls).to_have_count(0)
    board("/?label=nightly")
    expect(head).to_contain_text("Label: contains “nightly”")
    board("/audit/?action=signed+in")
    expect(head).to_contain_text("Action: signed in")


def test_what_a_figure_counts_is_said_whole_at_every_width(
    page, board, every_state, context, sign_in, person, workspace
):
    sign_in(context, person("lead", workspace))
    board("/spend/")
    cut = "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.id)"

    for width in (360, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(".spend-tiles dt").evaluate_all("all => all.every(e => e.offsetHeight)")
        assert page.locator(".spend-tiles .tile").evaluate_all(cut) == []
    board("/batches/msgbatch_read/")
    head = page.locator(".head-counts").bounding_box()
    assert page.locator(".head-counts .bar").bounding_box()["width"] == head["width"]


def test_cancel_is_a_big_target_on_a_phone(page, board, every_state):
    page.set_viewport_size({"width": 360, "height": 800})
    board()

    box = page.locator(f"#cancel-{every_state.api_id}").bounding_box()

    assert box["height"] >= 44
    assert box["width"] >= 44


def test_an_uncounted_batch_shows_no_percentage(board, mirrored):
    batch = mirrored(requests=10)
    page = board()

    bar = page.locator(f"#batch-{batch.api_id} [role=progressbar]")

    expect(bar).to_have_count(1)
    assert bar.get_attribute("aria-valuenow") is None
    expect(page.locator(f"#batch-{batch.api_id}")).not_to_contain_text("%")


def test_hostile_text_is_shown_and_not_run(page, board, mirrored, operator):
    evil = "<img src=x onerror=document.title='pwned'>"
    batch = mirrored()
    cancel.cancel_batch(batch, actor=operator, address="", reason=evil)

    board()

    expect(page.locator(f"#batch-{batch.api_id}")).to_contain_text(evil)
    assert "pwned" not in page.title()
    assert Cancellation.objects.get().reason == evil


def test_axe_finds_text_without_contrast_in_each_scheme(page):
    page.set_content("<html lang=en><title>x</title><main><h1 style='color: #ccc'>Pale</h1></main>")
    both = violations(page)
    page.set_content(
        "<html lang=en><title>x</title><style>@media (prefers-color-scheme: dark)"
        " { h1 { color: #ccc } }</style><main><h1>Pale</h1></main>"
    )

    assert both == ["color-contrast, dark", "color-contrast, light"]
    assert violations(page) == ["color-contrast, dark"]


def test_what_scrolls_sideways_is_found_at_the_widths_at_which_it_does(page):
    page.set_content("<body style='margin: 0'><main style='width: 500px'>Wide</main>")

    assert overflows(page, (320, 500, 768)) == {320: 180}
