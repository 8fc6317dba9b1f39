"""Reads proxies and certificate authorities from the environment.

Every ValueError raised here names the variable that is wrong, but never a proxy's address, which
may contain a password.
"""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import httpx

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
# SOCKS5 sends the length of a name or password in one byte (RFC 1929).
LONGEST_SOCKS_CREDENTIAL = 255

type Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """A proxy to send calls through. Has no repr, as the URL may contain a password."""

    url: httpx.URL

    @property
    def is_socks(self) -> bool:
        """Whether it is a SOCKS5 proxy, not an HTTP proxy."""
        return self.url.scheme.startswith("socks")

    @property
    def credentials(self) -> tuple[bytes, bytes] | None:
        """The username and password in its URL."""
        if not self.url.userinfo:
            return None
        return self.url.username.encode(), self.url.password.encode()


def proxy_for(url: httpx.URL, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names for this URL.

    None for a host in NO_PROXY and for this machine. Raises ValueError for a proxy that cannot
    be used.
    """
    if is_loopback(url) or _is_excluded(url, _value(environment, "no_proxy")[1]):
        return None
    for name in (f"{url.scheme}_proxy", "all_proxy"):
        variable, value = _value(environment, name)
        if value:
            return _checked_proxy(variable, value)
    return None


def is_loopback(url: httpx.URL) -> bool:
    """Whether the URL is on this machine, which is never called through a proxy."""
    host = _host(url)
    if address := _address(host):
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """A context that trusts SSL_CERT_FILE and SSL_CERT_DIR, or certifi's certificates.

    Raises ValueError if they cannot be read.
    """
    file = environment.get("SSL_CERT_FILE", "").strip() or None
    folders = environment.get("SSL_CERT_DIR", "").strip() or None
    if folders and not any(Path(each).is_dir() for each in folders.split(os.pathsep) if each):
        raise ValueError(
            f"SSL_CERT_DIR does not name an existing folder ({folders}). Correct or unset it."
        )
    if not file and not folders:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=file, capath=folders)
    except (OSError, ValueError):
        raise ValueError(
            f"SSL_CERT_FILE does not name a readable file of PEM certificates ({file})."
            " Correct or unset it."
        ) from None


def _value(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """The name of the variable that is set, and its value. Like curl, prefers lower case."""
    for variable in (name, name.upper()):
        if value := environment.get(variable, "").strip():
            return variable, value
    return name.upper(), ""


def _checked_proxy(variable: str, value: str) -> Proxy:
    scheme, has_scheme, _ = value.partition("://")
    if has_scheme and scheme.lower() not in PROXY_SCHEMES:
        raise ValueError(
            f"{variable} names an unsupported type of proxy."
            f" Start it with {', '.join(f'{each}://' for each in PROXY_SCHEMES)}, or unset it."
        )
    not_an_address = (
        f"{variable} is not the address of a proxy. Set it to http://host:port, or unset it."
    )
    try:
        url = httpx.URL(value if has_scheme else f"http://{value}")
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError(not_an_address) from None
    if not url.host or "%" in url.host or not (url.port is None or 0 < url.port < 65_536):
        raise ValueError(not_an_address)
    proxy = Proxy(url)
    if proxy.is_socks and proxy.credentials and not _are_valid_for_socks(proxy.credentials):
        raise ValueError(
            f"{variable} contains a username or password that SOCKS5 cannot send:"
            f" each must have between 1 and {LONGEST_SOCKS_CREDENTIAL} bytes."
        )
    return proxy


def _are_valid_for_socks(credentials: tuple[bytes, bytes]) -> bool:
    return all(0 < len(each) <= LONGEST_SOCKS_CREDENTIAL for each in credentials)


def _is_excluded(url: httpx.URL, no_proxy: str) -> bool:
    """Whether NO_PROXY names the URL's host. Invalid entries match no host."""
    port = url.port or (443 if url.scheme == "https" else 80)
    return any(_names(entry, _host(url), port) for entry in re.split(r"[\s,]+", no_proxy))


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, only_port = _without_port(entry.rpartition("://")[2].rstrip("/"))
    if only_port and only_port != str(port):
        return False
    try:
        network = ip_network(name, strict=False)
    except ValueError:
        suffix = name.lower().removeprefix("*").strip(".")
        return bool(suffix) and (host == suffix or host.endswith(f".{suffix}"))
    address = _address(host)
    return address is not None and address in network


def _without_port(entry: str) -> tuple[str, str]:
    bracketed = re.fullmatch(r"\[([^]]*)\](?::(\d+))?", entry)
    if bracketed:
        return bracketed[1], bracketed[2] or ""
    # More than one colon is an IPv6 address.
    name, _, port = entry.partition(":") if entry.count(":") == 1 else (entry, "", "")
    return name, port


def _host(url: httpx.URL) -> str:
    # As sent: international names are in ASCII.
    return url.raw_host.decode("ascii").lower().rstrip(".")


def _address(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
