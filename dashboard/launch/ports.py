"""Chooses and checks the ports before any process starts."""

import errno
import socket
from collections.abc import Mapping

HOST = "127.0.0.1"
DEFAULTS = {"PORT": 8000, "SANDBOX_PORT": 8010}


class PortRefused(Exception):
    """A port that cannot be used. `str(error)` is fit to show a person."""


def chosen_port(environ: Mapping[str, str], name: str) -> int:
    """The port in the variable PORT or SANDBOX_PORT, or its default.

    Raises PortRefused for anything but a number from 1 to 65535.
    """
    text = environ.get(name, "").strip() or str(DEFAULTS[name])
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise PortRefused(f"{name} is {text[:20]!r}. Set it to a port from 1 to 65535.")
    return int(text)


def check_ports(ports: Mapping[str, int]) -> None:
    """Raises PortRefused unless the ports, by the names of their variables, are free and differ.

    Another program may still take one afterwards; the process that needs it then says so.
    """
    if len(set(ports.values())) < len(ports):
        raise PortRefused(f"{' and '.join(ports)} must differ.")
    for name, port in ports.items():
        with socket.socket() as probe:
            # As servers do, so that a lingering connection of the last run doesn't count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                probe.listen(1)
            except OSError as error:
                raise PortRefused(_why(error, name, port)) from error


def _why(error: OSError, name: str, port: int) -> str:
    other = port + 1 if port < 65535 else port - 1
    if error.errno == errno.EADDRINUSE:
        reason = f"Port {port} is in use by another program: stop it"
    else:
        reason = f"Port {port} cannot be opened ({error.strerror}): allow it"
    return f"{reason}, or choose another port with {name}={other}."
