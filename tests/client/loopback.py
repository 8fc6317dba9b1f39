"""A server on a real socket of this machine that can misbehave."""

import socket
import threading
from collections.abc import Callable

# What a server does with a connection after reading the request. The event asks it to stop.
type Script = Callable[[socket.socket, threading.Event], None]


def serving(script: Script, stop: threading.Event) -> tuple[str, threading.Thread]:
    """The address of a server that runs the script for each connection, and its thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def accept() -> None:
        with listener:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    serve(connection)

    def serve(connection: socket.socket) -> None:
        try:
            read_head(connection)
            script(connection, stop)
        except (BrokenPipeError, ConnectionResetError):
            # Clients may disconnect at any time.
            return

    thread = threading.Thread(target=accept)
    thread.start()
    return "http://{}:{}".format(*listener.getsockname()), thread


def read_head(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received and (more := connection.recv(4096)):
        received += more
    return received


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()
