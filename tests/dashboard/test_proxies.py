"""The log warns once about a proxy that the settings don't count."""

import pytest
import structlog
from django.core import checks
from django.http import HttpResponse
from django.test import Client
from structlog.testing import capture_logs

from dashboard import proxies

FORWARDED = {"X-Forwarded-For": "192.0.2.1"}
BY_HTTPS = {"X-Forwarded-Proto": "https"}


@pytest.fixture(autouse=True)
def _this_machine_alone(settings, monkeypatch):
    settings.SECURE_SSL_REDIRECT = False
    settings.BATCHBOARD_PROXIES = 0
    # What one that another test has used writes can't be captured.
    monkeypatch.setattr(proxies, "log", structlog.get_logger())


def warnings_of(request, *, times: int = 2) -> list[str]:
    """The warnings that a new process logs when such a request comes that many times."""
    with capture_logs() as logs:
        middleware = proxies.ProxyMiddleware(lambda request: HttpResponse())
        for _ in range(times):
            middleware(request)
    return [log["event"] for log in logs if log["log_level"] == "warning"]


def ids(found: list[checks.CheckMessage]) -> list[str]:
    return [each.id for each in found if str(each.id).startswith("batchboard")]


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "172.18.0.5", "::1", "fd00::5"])
def test_a_proxy_that_is_not_counted_is_warned_of_once(rf, peer):
    (warning,) = warnings_of(rf.get("/", REMOTE_ADDR=peer, headers=FORWARDED))

    assert "BATCHBOARD_PROXIES is 0" in warning


@pytest.mark.parametrize(
    ("peer", "headers"), [("127.0.0.1", {}), ("8.8.8.8", FORWARDED), ("", FORWARDED)]
)
def test_a_stranger_s_header_is_no_sign_of_a_proxy(rf, peer, headers):
    assert warnings_of(rf.get("/", REMOTE_ADDR=peer, headers=headers)) == []


def test_https_without_a_counted_proxy_is_warned_of_before_any_request(rf, settings):
    settings.SECURE_SSL_REDIRECT = True

    (warning,) = warnings_of(rf.get("/"), times=0)

    assert "BATCHBOARD_PROXIES is 0" in warning
    assert ids(checks.run_checks(tags=[checks.Tags.security])) == ["batchboard.W001"]


def test_a_counted_proxy_is_not_warned_of(rf, settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.BATCHBOARD_PROXIES = 1

    assert warnings_of(rf.get("/", headers=FORWARDED)) == []
    assert ids(checks.run_checks(tags=[checks.Tags.security])) == []


def test_an_endless_redirect_becomes_a_page_and_the_log_names_the_proxy(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.BATCHBOARD_PROXIES = 1

    with capture_logs() as logs:
        browser = Client(REMOTE_ADDR="172.18.0.5", headers=BY_HTTPS)
        answers = [browser.get("/"), browser.post("/accounts/login/")]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "FORWARDED_ALLOW_IPS" in answers[0].text
    assert "172.18.0.5" not in answers[0].text
    (warning,) = [log for log in logs if "FORWARDED_ALLOW_IPS" in log["event"]]
    assert warning["proxy"] == "172.18.0.5"


@pytest.mark.parametrize(
    ("path", "options", "leads_to"),
    [
        ("/", {}, "https://testserver/"),
        ("/", {"headers": {"X-Forwarded-Proto": "http"}}, "https://testserver/"),
        ("/spend", {"headers": BY_HTTPS, "secure": True}, "/spend/"),
    ],
)
def test_other_permanent_redirects_are_unchanged(client, db, settings, path, options, leads_to):
    settings.SECURE_SSL_REDIRECT = True

    response = client.get(path, **options)

    assert (response.status_code, response["Location"]) == (301, leads_to)


def test_a_probe_through_an_untrusted_proxy_is_answered(client, settings):
    settings.SECURE_SSL_REDIRECT = True

    assert client.get("/healthz", headers=BY_HTTPS).status_code == 200
