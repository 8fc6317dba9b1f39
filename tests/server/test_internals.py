"""What WebWorker needs from gunicorn. When this fails, read docs/decisions/slow-clients.md."""

import inspect

from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.unreader import Unreader
from gunicorn.workers import gthread

from dashboard import gunicorn as project
from dashboard import streams
from dashboard.server.connection import MOST_UNSENT_BYTES, ClientConnection
from dashboard.server.worker import WebWorker
from tests.processes.crew import ROOT


def names_in(function) -> set[str]:
    return set(function.__code__.co_names)


def test_what_worker_overrides_is_what_gunicorn_calls():
    overridden = {"accept", "finish_request", "murder_keepalived", "_cap_keepalive", "check_config"}

    assert overridden <= vars(gthread.ThreadWorker).keys()
    assert {"murder_keepalived", "_cap_keepalive"} <= names_in(gthread.ThreadWorker.run)
    assert "accept" in names_in(gthread.ThreadWorker.set_accept_enabled)
    for name in overridden:
        ours, theirs = getattr(WebWorker, name), getattr(gthread.ThreadWorker, name)
        assert len(inspect.signature(ours).parameters) == len(inspect.signature(theirs).parameters)


def test_no_thread_waits_for_a_first_byte():
    assert {"initialized", "data_ready"} <= names_in(gthread.ThreadWorker.handle)
    assert "data_ready" in names_in(gthread.TConn.__init__)
    assert issubclass(ClientConnection, gthread.TConn)


def test_gunicorn_sends_only_by_sendall_except_for_100_continue():
    assert "sendall" in names_in(util.write)
    assert "send" in names_in(wsgi.create)
    assert "send" not in names_in(wsgi.Response.write) | names_in(wsgi.Response.close)


def test_bytes_that_the_parser_read_too_far_can_be_taken_back():
    unreader = Unreader()
    unreader.unread(b"GET")

    assert unreader.take_buffered() == b"GET"
    assert unreader.take_buffered() == b""


def test_downloads_leave_half_of_the_threads_for_pages():
    assert project.threads >= 2 * streams.MOST_AT_ONCE


def test_no_static_file_occupies_a_thread():
    largest = max(path.stat().st_size for path in (ROOT / "static").rglob("*") if path.is_file())

    assert largest < MOST_UNSENT_BYTES


def test_files_are_sent_as_pages_are():
    assert project.sendfile is False
    assert project.worker_class == f"{WebWorker.__module__}.{WebWorker.__qualname__}"
