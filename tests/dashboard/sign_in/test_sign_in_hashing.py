"""Hashing a password takes a third of a second of a core. Pages must not wait for it."""

import threading
import time

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from batches.models import AuditEvent
from dashboard.sign_in import hashing

LOGIN = "/accounts/login/"
PASSWORD = "correct horse 9"
AT_ONCE = 8


@pytest.fixture
def real_hasher(settings) -> None:
    settings.PASSWORD_HASHERS = ["dashboard.sign_in.hashing.BoundedHasher"]


@pytest.fixture
def full(monkeypatch) -> None:
    """As many passwords as allowed are being hashed or waiting."""
    entered = threading.BoundedSemaphore(1)
    entered.acquire()
    monkeypatch.setattr(hashing, "_entered", entered)


def sign_in(name: str = "ada", password: str = PASSWORD):
    return Client().post(LOGIN, {"username": name, "password": password})


def test_pages_answer_while_many_sign_in_and_those_over_the_limit_get_503(
    committed, person, workspace, real_hasher
):
    viewer = Client()
    viewer.force_login(person("viewer", workspace, name="ada"))
    barrier = threading.Barrier(AT_ONCE)
    answers = []

    def press() -> None:
        barrier.wait()
        answers.append(sign_in())
        connections.close_all()

    threads = [threading.Thread(target=press) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    waits = []
    while any(thread.is_alive() for thread in threads) and len(waits) < 1000:
        began = time.monotonic()
        assert viewer.get("/").status_code == 200
        waits.append(time.monotonic() - began)
    for thread in threads:
        thread.join(timeout=60)

    statuses = sorted(answer.status_code for answer in answers)
    assert len(statuses) == AT_ONCE
    # Each of them either signed in or was refused by the limit.
    assert set(statuses) == {302, 503}
    assert statuses.count(302) >= hashing.MOST_AT_ONCE + hashing.MOST_WAITING
    # Several pages for each password. A page that waits for passwords would take seconds.
    assert len(waits) > statuses.count(302)
    assert sorted(waits)[len(waits) * 9 // 10] < 1
    assert not AuditEvent.objects.filter(action="sign-in failed").exists()


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_one_sign_in_too_many_is_refused_at_once_with_a_time_to_retry(db, real_hasher, full, name):
    User.objects.create(username="ada", password="pbkdf2_sha256$1$salt$hash")

    response = sign_in(name)

    assert response.status_code == 503
    assert response["Retry-After"] == "3"
    assert "Too many sign-ins at the same moment" in response.text
    assert "Try again in a few seconds." in response.text
    assert not AuditEvent.objects.exists()


class CountingHasher(hashing.BoundedHasher):
    """The bounded hasher with fewer iterations. It keeps a list of what it hashes."""

    iterations = 1000
    hashed: list[str] = []

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        self.hashed.append(password)
        return super().encode(password, salt, iterations)


@pytest.mark.parametrize("name", ["ada", "deactivated", "invited", "nobody"])
def test_every_kind_of_failure_takes_one_hash(person, settings, name):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    person(name="ada")
    User.objects.create_user("deactivated", password=PASSWORD, is_active=False)
    User.objects.create_user("invited")
    CountingHasher.hashed.clear()

    response = sign_in(name, "guess")

    assert response.status_code == 200
    assert len(CountingHasher.hashed) == 1


def test_an_exception_while_hashing_frees_the_place(monkeypatch):
    monkeypatch.setattr(hashing, "_entered", threading.BoundedSemaphore(1))

    for _ in range(3):
        with pytest.raises(ZeroDivisionError), hashing.hashing_place():
            1 / 0  # noqa: B018
    with hashing.hashing_place(), pytest.raises(hashing.TooManySignIns), hashing.hashing_place():
        pass


def test_stored_hashes_are_the_same_as_djangos(real_hasher, settings):
    bounded = make_password("battery")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    djangos = make_password("battery")

    assert check_password("battery", bounded)
    settings.PASSWORD_HASHERS = ["dashboard.sign_in.hashing.BoundedHasher"]
    assert check_password("battery", djangos)
    assert not check_password("horse", djangos)


def test_the_settings_use_the_bounded_hasher():
    from dashboard import settings as product

    assert product.PASSWORD_HASHERS == ["dashboard.sign_in.hashing.BoundedHasher"]
