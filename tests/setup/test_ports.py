import socket

import pytest

from dashboard.launch.ports import PortRefused, check_ports, chosen_port


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_named_with_what_to_do(taken):
    with pytest.raises(PortRefused) as refused:
        check_ports({"SANDBOX_PORT": taken})

    assert str(refused.value).startswith(f"Port {taken} is in use by another program")
    assert "SANDBOX_PORT=" in str(refused.value)


def test_checking_a_port_leaves_it_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]

    check_ports({"PORT": free})

    socket.create_server(("127.0.0.1", free)).close()


def test_two_processes_cannot_share_a_port():
    with pytest.raises(PortRefused, match="PORT and SANDBOX_PORT must differ"):
        check_ports({"PORT": 8000, "SANDBOX_PORT": 8000})


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80a", "eighty", "８０", "1e3"])
def test_a_value_that_is_no_port_is_refused_with_its_variable(text):
    with pytest.raises(PortRefused, match=r"^PORT is "):
        chosen_port({"PORT": text}, "PORT")


@pytest.mark.parametrize("environ", [{}, {"PORT": ""}, {"PORT": " "}])
def test_the_default_port_is_used_without_a_value(environ):
    assert chosen_port(environ, "PORT") == 8000
