"""Proxies and certificates from the environment."""

import ssl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.client import BatchClient
from batches.client.environment import proxy_for, tls_context
from tests.client.upstream import KEY

PROXY = {"https_proxy": "http://proxy.corp:3128"}


def proxy(url, **environment):
    found = proxy_for(httpx.URL(url), environment)
    return found and str(found.url)


def is_excluded(url, no_proxy):
    return proxy(url, **PROXY, NO_PROXY=no_proxy) is None


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://a.corp"}, "http://a.corp"),
        ({"https_proxy": "http://a.corp"}, "http://a.corp"),
        ({"https_proxy": "a.corp:3128"}, "http://a.corp:3128"),
        ({"https_proxy": " http://a.corp "}, "http://a.corp"),
        ({"https_proxy": "http://a.corp", "HTTPS_PROXY": "http://b.corp"}, "http://a.corp"),
        ({"https_proxy": "http://a.corp", "ALL_PROXY": "http://b.corp"}, "http://a.corp"),
        ({"https_proxy": "", "ALL_PROXY": "http://b.corp"}, "http://b.corp"),
        ({"all_proxy": "socks5h://b.corp:1080"}, "socks5h://b.corp:1080"),
        ({"HTTP_PROXY": "http://a.corp"}, None),
        ({"FTP_PROXY": "http://a.corp"}, None),
    ],
)
def test_the_proxy_for_https(environment, found):
    assert proxy("https://api.test", **environment) == found


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost",
        "https://LOCALHOST:8010",
        "https://localhost.:8010",
        "https://api.localhost",
        "https://127.0.0.1:8010",
        "https://127.8.9.1",
        "https://[::1]:8010",
        "https://[::ffff:127.0.0.1]",
    ],
)
def test_this_machine_is_called_without_a_proxy(url):
    assert proxy(url, **PROXY, ALL_PROXY="socks5://a.corp") is None


@pytest.mark.parametrize("url", ["https://localhost.test", "https://128.0.0.1", "https://[::2]"])
def test_what_only_looks_like_this_machine_is_called_through_the_proxy(url):
    assert proxy(url, **PROXY) == "http://proxy.corp:3128"


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("https://api.test", "*"),
        ("https://api.test", "a.test, * "),
        ("https://api.test", "api.test"),
        ("https://api.test", "API.Test"),
        ("https://api.test.", "api.test"),
        ("https://api.test", ".test"),
        ("https://api.test", "test"),
        ("https://api.test", "*.test"),
        ("https://api.test", "a.corp b.corp\tapi.test"),
        ("https://api.test", "api.test:443"),
        ("https://api.test:8443", "api.test:8443"),
        ("https://api.test", "https://api.test/"),
        ("https://10.1.2.3", "10.1.2.3"),
        ("https://10.1.2.3", "10.0.0.0/8"),
        ("https://10.1.2.3", "10.1.2.3/8"),
        ("https://10.1.2.3:8443", "10.1.2.3:8443"),
        ("https://[2001:db8::5]", "2001:db8::5"),
        ("https://[2001:db8::5]", "[2001:db8::5]"),
        ("https://[2001:db8::5]", "2001:0db8:0::5"),
        ("https://[2001:db8::5]", "2001:db8::/32"),
        ("https://[2001:db8::5]:8443", "[2001:db8::5]:8443"),
        ("https://bücher.test", "xn--bcher-kva.test"),
    ],
)
def test_no_proxy_names_the_host(url, no_proxy):
    assert is_excluded(url, no_proxy)


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("https://api.test", ""),
        ("https://api.test", " , ,"),
        ("https://api.test", "pi.test"),
        ("https://api.test", "x.api.test"),
        ("https://api.test", "."),
        ("https://api.test", "*."),
        ("https://api.test", "api.test:80"),
        ("https://api.test", "api.test:none"),
        ("https://api.test", "10.0.0.0/8"),
        ("https://api.test", "10.0.0.0/99"),
        ("https://10.1.2.3", "11.0.0.0/8"),
        ("https://10.1.2.3", "2001:db8::/32"),
        ("https://[2001:db8::5]", "[2001:db8::5]:80"),
        ("https://[2001:db8::5]", "[2001:db8"),
        ("https://[2001:db8::5]", "::::"),
    ],
)
def test_no_proxy_names_another_host_or_none(url, no_proxy):
    assert not is_excluded(url, no_proxy)


@given(
    st.text(), st.sampled_from(["https://api.test", "https://10.1.2.3", "https://[2001:db8::5]"])
)
def test_any_text_in_no_proxy_is_accepted(no_proxy, url):
    assert is_excluded(url, no_proxy) in {True, False}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "value",
    [
        "socks4://me:hidden@proxy.corp",
        "socks://me:hidden@proxy.corp",
        "ftp://me:hidden@proxy.corp",
        "me:hidden://proxy.corp",
        "http://me:hidden@",
        "http://me:hidden@proxy.corp:port",
        "http://me:hidden@proxy.corp:99999",
        "http://me:hidden@proxy..corp",
        "http://me:hidden@[::1",
        "http://me:hidden@pro xy",
        "socks5://me@hidden-proxy.corp",
        f"socks5://me:{'hidden' * 50}@proxy.corp",
    ],
)
def test_an_unusable_proxy_raises_an_error_that_names_the_variable(monkeypatch, variable, value):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)

    with pytest.raises(ValueError, match=f"^{variable} ") as caught:
        BatchClient("https://api.test", KEY)

    assert "hidden" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("value", ["http://a:b@proxy.corp", "socks5://a:b@proxy.corp:1080", "x:1"])
def test_a_usable_proxy_is_accepted_without_calling_it(monkeypatch, value):
    monkeypatch.setenv("ALL_PROXY", value)

    BatchClient("https://api.test", KEY).close()


def test_missing_certificates_raise_an_error_that_names_the_variable(monkeypatch, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)

    for file in ("/no/such.pem", str(tmp_path), str(empty), "\x01"):
        monkeypatch.setenv("SSL_CERT_FILE", file)
        with pytest.raises(ValueError, match=r"^SSL_CERT_FILE does not name a readable file"):
            BatchClient("https://api.test", KEY)


def test_a_missing_folder_of_certificates_raises_an_error_that_names_the_variable(monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", "/no/such/folder")

    with pytest.raises(ValueError, match=r"^SSL_CERT_DIR does not name an existing folder"):
        BatchClient("https://api.test", KEY)


def test_without_tls_no_certificates_are_loaded(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such.pem")

    BatchClient("http://127.0.0.1:8010", KEY).close()


def test_without_variables_certifis_certificates_are_trusted():
    context = tls_context({})

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509_ca"] > 50
