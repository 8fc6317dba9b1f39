"""Which ports the processes take, settled before anything starts."""

import errno
import socket
from collections.abc import Mapping

HOST = "127.0.0.1"
WEB_PORT = 8000
SANDBOX_PORT = 8010


class PortRefused(Exception):
    """A port that cannot be used. Fit to show a person."""


def wanted_port(environ: Mapping[str, str], name: str, default: int) -> int:
    """The port in the variable `name`.

    Raises PortRefused for anything but a number from 1 to 65535.
    """
    text = environ.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise PortRefused(f"{name} is {text[:20]!r}: give a port from 1 to 65535.")
    return int(text)


def wanted_web_port(environ: Mapping[str, str]) -> int:
    """Raises PortRefused as `wanted_port` does."""
    return wanted_port(environ, "PORT", WEB_PORT)


def wanted_sandbox_port(environ: Mapping[str, str]) -> int:
    """Raises PortRefused as `wanted_port` does."""
    return wanted_port(environ, "SANDBOX_PORT", SANDBOX_PORT)


def sandbox_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def claim_ports(ports: Mapping[str, int], *, host: str = HOST) -> None:
    """Checks that each port, by the name of its variable, is free and nobody's twice.

    Raises PortRefused otherwise. Another program may still be quicker; its process then says so.
    """
    if len(set(ports.values())) < len(ports):
        raise PortRefused(f"{' and '.join(ports)} must differ.")
    for name, port in ports.items():
        with socket.socket() as probe:
            # As servers do: a connection of the last run that lingers is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
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
