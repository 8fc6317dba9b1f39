"""Calls through proxies, which run on this machine."""

import base64
import json
import logging
import traceback

import pytest

from batches.client import ApiError, ApiRefused, BatchClient, Unreachable
from tests.client.loopback import head, read_head
from tests.client.proxies import (
    ESTABLISHED,
    Proxy,
    TlsServer,
    certificate_for,
    forwarding,
    socks5,
)
from tests.client.upstream import KEY, batch_json

BODY = json.dumps(batch_json()).encode()
ANSWER = head(f"content-length: {len(BODY)}", "connection: close") + BODY
NAMES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def proxied():
    """A function that starts a proxy with a script for its connections."""
    started = []

    def start(script):
        started.append(Proxy(script))
        return started[-1]

    yield start
    for proxy in started:
        proxy.close()


@pytest.fixture
def tls(tmp_path, monkeypatch):
    pem = tmp_path / "api.pem"
    pem.write_bytes(certificate_for("api.test", "localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return TlsServer(str(pem))


def retrieved(base_url, **options):
    with BatchClient(base_url, KEY, attempts=1, **options) as client:
        return client.retrieve("msgbatch_1", within=5).id


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_http_is_sent_through_the_proxy_in_absolute_form(proxied, monkeypatch, name):
    requests = []
    proxy = proxied(forwarding(ANSWER, requests))
    monkeypatch.setenv(name, f"http://me:p%40ss@127.0.0.1:{proxy.port}")

    assert retrieved("http://api.test:8000") == "msgbatch_1"

    (request,) = requests
    assert request.startswith(b"GET http://api.test:8000/v1/messages/batches/msgbatch_1 HTTP/1.1")
    login = base64.b64encode(b"me:p@ss")
    assert b"proxy-authorization: basic " + login.lower() in request.lower()
    assert proxy.connections == 1


def test_https_is_sent_through_a_tunnel_that_does_not_see_the_key(proxied, monkeypatch, tls):
    seen = []

    def tunnel(connection):
        seen.append(read_head(connection))
        connection.sendall(ESTABLISHED)
        with tls.wrap(connection) as inner:
            seen.append(read_head(inner))
            inner.sendall(ANSWER)

    proxy = proxied(tunnel)
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")

    assert retrieved("https://api.test") == "msgbatch_1"

    assert seen[0].startswith(b"CONNECT api.test:443 HTTP/1.1")
    assert KEY.encode() not in seen[0]
    assert KEY.encode() in seen[1]


def test_a_proxy_can_use_tls_itself(proxied, monkeypatch, tls):
    seen = []

    def tunnel(connection):
        with tls.wrap(connection) as outer:
            seen.append(read_head(outer))
            outer.sendall(ESTABLISHED)
            seen.append(tls.served_inside(outer, ANSWER))

    proxy = proxied(tunnel)
    monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{proxy.port}")

    assert retrieved("https://api.test") == "msgbatch_1"

    assert seen[0].startswith(b"CONNECT api.test:443")
    assert KEY.encode() in seen[1]


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("login", ["", "me:secret-word@"])
def test_a_socks_proxy_gets_the_name_of_the_host(proxied, monkeypatch, caplog, scheme, login):
    caplog.set_level(logging.DEBUG)
    seen = []

    def tunnel(connection):
        socks5(connection, seen, is_login=bool(login))
        seen.append(read_head(connection))
        connection.sendall(ANSWER)

    proxy = proxied(tunnel)
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://{login}127.0.0.1:{proxy.port}")

    assert retrieved("http://api.test") == "msgbatch_1"

    assert b"api.test" in seen[-2]
    assert not login or b"secret-word" in seen[0]
    assert "secret-word" not in caplog.text


@pytest.mark.parametrize("reply", [b"", b"\x05", b"HTTP/1.1 400 Bad\r\n\r\n", b"\x05\xff"])
def test_what_is_not_a_socks_proxy_is_unreachable(proxied, monkeypatch, reply):
    def script(connection):
        connection.recv(100)
        if reply:
            connection.sendall(reply)

    proxy = proxied(script)
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{proxy.port}")

    with pytest.raises(Unreachable):
        retrieved("http://api.test")


def test_the_text_of_a_refusing_proxy_is_not_shown(proxied, monkeypatch):
    refusal = head(status=f"407 Not {KEY} at secret-host")
    proxy = proxied(lambda connection: (read_head(connection), connection.sendall(refusal)))
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret-word@127.0.0.1:{proxy.port}")

    with pytest.raises(Unreachable, match=r"the proxy refused to connect \(407\)") as caught:
        retrieved("https://api.test")

    shown = "".join(traceback.format_exception(caught.value))
    assert "secret" not in shown
    assert KEY not in shown


def test_a_proxy_that_requires_a_password_is_reported(proxied, monkeypatch):
    proxy = proxied(forwarding(head("content-length: 0", status="407 Who?"), []))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")

    with pytest.raises(ApiRefused, match="the proxy requires a username and password"):
        retrieved("http://api.test")


@pytest.mark.parametrize("drips", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_tunnel_that_opens_too_slowly_ends_at_the_deadline(proxied, monkeypatch, drips):
    def drip(connection):
        while True:
            connection.sendall(drips)

    proxy = proxied(drip)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")

    with BatchClient("https://api.test", KEY, attempts=1) as client, pytest.raises(ApiError):
        client.retrieve("msgbatch_1", within=0.3)


def test_a_silent_socks_proxy_ends_at_the_deadline(proxied, monkeypatch):
    proxy = proxied(lambda connection: [None for _ in iter(lambda: connection.recv(100), b"")])
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{proxy.port}")

    with (
        BatchClient("http://api.test", KEY) as client,
        pytest.raises(Unreachable, match="did not finish"),
    ):
        client.retrieve("msgbatch_1", within=0.3)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_never_called_through_a_proxy(loopback, proxied, monkeypatch, host):
    proxy = proxied(forwarding(ANSWER, []))
    for name in NAMES[:3]:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    address = loopback(lambda connection, stop: connection.sendall(ANSWER))

    assert retrieved(address.replace("127.0.0.1", host)) == "msgbatch_1"

    assert proxy.connections == 0


def test_a_host_in_no_proxy_is_called_directly(proxied, monkeypatch):
    proxy = proxied(forwarding(ANSWER, []))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    # Longer than any name in the DNS, so no resolver is called.
    host = f"{'.'.join(['a' * 60] * 5)}.corp"
    monkeypatch.setenv("NO_PROXY", ".corp")

    with pytest.raises(ApiError):
        retrieved(f"http://{host}")

    assert proxy.connections == 0


def test_an_unknown_certificate_is_not_trusted(proxied, monkeypatch, tls, tmp_path):
    other = tmp_path / "other.pem"
    other.write_bytes(certificate_for("api.test"))
    monkeypatch.setenv("SSL_CERT_FILE", str(other))

    def tunnel(connection):
        read_head(connection)
        connection.sendall(ESTABLISHED)
        with tls.wrap(connection):
            pytest.fail("no handshake should succeed")

    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxied(tunnel).port}")

    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        retrieved("https://api.test")
