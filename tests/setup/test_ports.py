import socket

import pytest

from dashboard.launch.ports import PortRefused, claim_ports, wanted_port


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named_with_the_way_out(taken):
    with pytest.raises(PortRefused) as refused:
        claim_ports({"SANDBOX_PORT": taken})

    assert str(refused.value).startswith(f"Port {taken} is in use by another program")
    assert "SANDBOX_PORT=" in str(refused.value)


def test_a_free_port_stays_free(taken):
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]

    claim_ports({"PORT": free})

    socket.create_server(("127.0.0.1", free)).close()


def test_two_processes_cannot_share_a_port():
    with pytest.raises(PortRefused, match="PORT and SANDBOX_PORT must differ"):
        claim_ports({"PORT": 8000, "SANDBOX_PORT": 8000})


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80a", "eighty", "８０", "1e3"])
def test_what_is_no_port_is_refused_by_its_variable(text):
    with pytest.raises(PortRefused, match=r"^PORT is "):
        wanted_port({"PORT": text}, "PORT", 8000)


@pytest.mark.parametrize("environ", [{}, {"PORT": ""}, {"PORT": " "}])
def test_without_a_wish_the_default_port_is_taken(environ):
    assert wanted_port(environ, "PORT", 8000) == 8000
