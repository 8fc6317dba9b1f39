"""The time zone of a person and the theme of a browser."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dashboard.display import exact_words
from dashboard.models import Preferences

EVENING = datetime(2026, 11, 24, 23, 18, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        (None, "24 Nov 2026, 23:18:05 UTC"),
        ("Europe/Berlin", "24 Nov 2026, 23:18:05 UTC · 25 Nov, 00:18:05 Berlin"),
        ("America/New_York", "24 Nov 2026, 23:18:05 UTC · 18:18:05 New York"),
        ("Asia/Kolkata", "24 Nov 2026, 23:18:05 UTC · 25 Nov, 04:48:05 Kolkata"),
    ],
)
def test_a_time_is_in_utc_and_beside_it_in_the_zone(zone, words):
    assert exact_words(EVENING, zone and ZoneInfo(zone)) == words


@pytest.fixture
def viewer(sign_in):
    return sign_in("viewer", name="ada")


def titles(browser, row) -> str:
    row("one", created_at=EVENING)
    return browser.get("/batches/one/").text


def test_a_person_chooses_a_zone_for_all_their_browsers(viewer, row):
    viewer.post(reverse("display"), {"zone": "Europe/Berlin"})

    page = titles(viewer, row)

    assert 'title="24 Nov 2026, 23:18:05 UTC · 25 Nov, 00:18:05 Berlin"' in page
    assert 'data-zone="Europe/Berlin"' in page
    assert "<option selected>Europe/Berlin</option>" in viewer.get(reverse("account")).text


def test_a_person_goes_back_to_utc_alone(viewer, row):
    viewer.post(reverse("display"), {"zone": "Europe/Berlin"})
    viewer.post(reverse("display"), {"zone": ""})

    assert 'title="24 Nov 2026, 23:18:05 UTC"' in titles(viewer, row)


def test_an_unknown_zone_is_refused(viewer):
    answer = viewer.post(reverse("display"), {"zone": "Mars/Olympus"}, follow=True)

    assert "This time zone is not known." in answer.text
    assert not Preferences.objects.exists()


@pytest.mark.parametrize(
    ("sent", "title"),
    [
        ("Asia/Kolkata", "24 Nov 2026, 23:18:05 UTC · 25 Nov, 04:48:05 Kolkata"),
        ("../../etc/passwd", "24 Nov 2026, 23:18:05 UTC"),
        ("", "24 Nov 2026, 23:18:05 UTC"),
    ],
)
def test_the_browsers_zone_is_what_its_cookie_says_if_that_is_one(viewer, row, sent, title):
    viewer.post(reverse("display"), {"zone": "browser"})
    viewer.cookies["batchboard_zone"] = sent

    assert f'title="{title}"' in titles(viewer, row)


def test_a_cookie_is_nothing_to_a_person_who_did_not_choose_it(viewer, row):
    viewer.cookies["batchboard_zone"] = "Asia/Kolkata"

    assert "Kolkata" not in titles(viewer, row)


def test_the_zone_costs_no_query(viewer, row):
    row("one")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            viewer.get("/")
        return len(seen)

    viewer.get("/")
    before = queries()
    viewer.post(reverse("display"), {"zone": "Europe/Berlin"})

    assert queries() == before


def test_the_theme_is_a_cookie_of_the_browser(viewer):
    answer = viewer.post(reverse("display"), {"theme": "dark", "next": "/?status=active"})

    assert answer.url == "/?status=active"
    cookie = answer.cookies["batchboard_theme"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    page = viewer.get("/").text
    assert 'data-theme="dark"' in page
    assert '<meta name="color-scheme" content="dark">' in page
    viewer.logout()
    viewer.cookies["batchboard_theme"] = "dark"
    assert 'data-theme="dark"' in viewer.get(reverse("login")).text


@pytest.mark.parametrize("theme", ["", "blue", '"><script>'])
def test_another_theme_is_the_systems(viewer, theme):
    viewer.cookies["batchboard_theme"] = theme

    answer = viewer.post(reverse("display"), {"theme": theme})

    assert "batchboard_theme" not in answer.cookies
    assert 'data-theme="system"' in viewer.get("/").text


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_the_form_leads_to_no_other_site(viewer, next_):
    answer = viewer.post(reverse("display"), {"theme": "dark", "next": next_})

    assert answer.url == reverse("account")


def test_the_menu_says_who_is_signed_in_with_which_role(viewer):
    page = viewer.get("/").text

    assert '<p class="menu-who"><bdi>ada</bdi> <span class="tag">viewer</span></p>' in page


def test_a_page_below_another_marks_it_in_the_navigation(viewer, row):
    row("one")

    page = viewer.get("/batches/one/").text

    assert '<a href="/" aria-current="true">Batches</a>' in page


@pytest.mark.parametrize("is_demo", [True, False])
def test_only_a_demo_says_that_its_data_is_invented(viewer, settings, is_demo):
    settings.IS_DEMO = is_demo

    page = viewer.get("/").text

    assert ("The batches and prices are invented." in page) == is_demo


def test_the_refusal_of_spend_names_the_role_that_it_needs(viewer):
    answer = viewer.get("/spend/")

    assert answer.status_code == 403
    assert "You need the lead role to see spend. Ask an admin." in answer.text
    assert "Go to the batches" in answer.text


@pytest.mark.parametrize("address", ["/nowhere/", "/spend/"])
def test_an_error_page_has_the_theme_of_the_browser(viewer, address):
    viewer.cookies["batchboard_theme"] = "dark"

    assert '<html lang="en" data-theme="dark">' in viewer.get(address).text
