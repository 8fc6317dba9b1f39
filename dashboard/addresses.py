"""IP addresses as web servers and proxies write them."""

from ipaddress import ip_address


def address_in(text: str) -> str:
    """The IP address in text such as `192.0.2.1:4711` or `[2001:db8::1]:80`; empty without one.

    It has no zone. An IPv4 address within IPv6 becomes an IPv4 address.
    """
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)
