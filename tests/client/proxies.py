"""Proxies on this machine for tests, and certificates."""

import datetime
import socket
import ssl
import threading
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.client.loopback import head, read_head

ESTABLISHED = head(status="200 Connection established")


def certificate_for(*names: str) -> bytes:
    """A key and a self-signed certificate for these names, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False), True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(pem)


class TlsServer:
    """Does TLS on the server's side of connections."""

    def __init__(self, pem_file: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem_file)

    def wrap(self, connection: socket.socket) -> socket.socket:
        return self._context.wrap_socket(connection, server_side=True)

    def served_inside(self, connection: socket.socket, answer: bytes) -> bytes:
        """Answer a request that arrives through TLS inside this connection, and return it."""
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(received, sent, server_side=True)

        def run(operation: Callable[[], object]) -> object:
            while True:
                try:
                    value = operation()
                except ssl.SSLWantReadError:
                    connection.sendall(sent.read())
                    received.write(connection.recv(65_536))
                else:
                    connection.sendall(sent.read())
                    return value

        run(tls.do_handshake)
        request = run(lambda: tls.read(65_536))
        run(lambda: tls.write(answer))
        return request if isinstance(request, bytes) else b""


def socks5(connection: socket.socket, seen: list[bytes], *, is_login: bool = False) -> None:
    """Do the server's side of a SOCKS5 handshake."""
    connection.recv(100)
    connection.sendall(b"\x05\x02" if is_login else b"\x05\x00")
    if is_login:
        seen.append(connection.recv(1000))
        connection.sendall(b"\x01\x00")
    seen.append(connection.recv(1000))
    connection.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")


class Proxy:
    """Accepts connections one by one, runs a script for each, and counts them."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if not connection.recv(1, socket.MSG_PEEK):
                    return
                self.connections += 1
                connection.settimeout(5)
                try:
                    self._script(connection)
                except OSError:
                    continue

    def close(self) -> None:
        # A connection without data ends the thread.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(timeout=10)
        self._listener.close()


def forwarding(answer: bytes, requests: list[bytes]) -> Callable[[socket.socket], None]:
    """A script that answers a request in absolute form."""

    def serve(connection: socket.socket) -> None:
        requests.append(read_head(connection))
        connection.sendall(answer)

    return serve
