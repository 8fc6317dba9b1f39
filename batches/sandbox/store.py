"""Stores the sandbox's state in SQLite, in a file or in memory."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from batches.sandbox.life import StoredBatch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REQUESTS_AT_ONCE = 1000
SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    facts BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS newest ON batches (workspace, created_at, seq);
CREATE TABLE IF NOT EXISTS requests (
    batch_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    facts BLOB NOT NULL,
    PRIMARY KEY (batch_id, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cancels (
    batch_id TEXT NOT NULL,
    accepted_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS bills (
    seq INTEGER PRIMARY KEY,
    batch_id TEXT NOT NULL,
    workspace TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    charges BLOB NOT NULL
);
"""

_decode_batch = msgspec.json.Decoder(StoredBatch).decode


class StoredRequest(msgspec.Struct, frozen=True, array_like=True):
    """One request of a created batch.

    `rank` determines how it ends: the lowest ranks end as errored, the next as succeeded, then
    canceled, then expired, as many as the final counts say. Requests with a `problem` have the
    lowest ranks.
    """

    custom_id: str
    rank: int
    model: str = ""
    error_type: str = ""
    problem: str = ""


class ModelCharge(msgspec.Struct, frozen=True, array_like=True):
    """What one model's requests at one tier cost, in picodollars, and how many there were.

    `list_amount` is what the same would have cost outside a batch.
    """

    model: str
    amount: int
    list_amount: int
    requests: int
    tier: str = "batch"


class Bill(NamedTuple):
    """What one batch cost. `created_at` is when the batch was created."""

    workspace: str
    created_at: datetime
    charges: tuple[ModelCharge, ...]


_decode_request = msgspec.json.Decoder(StoredRequest).decode
_decode_charges = msgspec.json.Decoder(tuple[ModelCharge, ...]).decode


class Store:
    """Batches with their requests, cancels and bills, and named notes. Thread-safe.

    A finished `transaction` is on disk and survives kill -9. Raises sqlite3.Error for a file that
    is not a database or can't be written.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            path or ":memory:", check_same_thread=False, autocommit=True, timeout=10
        )
        self._depth = 0
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(SCHEMA)
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database. The store can't be used afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that the block writes, or nothing after an exception. Blocks other threads."""
        with self._lock:
            if self._depth:
                yield
                return
            self._depth += 1
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._depth -= 1

    def note(self, name: str) -> str | None:
        """The note with this name, None if there is none."""
        row = self._one("SELECT value FROM notes WHERE name = ?", name)
        return row[0] if row else None

    def set_note(self, name: str, value: str) -> None:
        """Add or overwrite a note."""
        with self.transaction():
            self._db.execute("REPLACE INTO notes VALUES (?, ?)", (name, value))

    def add(self, batches: Iterable[StoredBatch]) -> None:
        """Add batches, except those whose ID is in use, so that repeating it is harmless."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO batches (id, workspace, created_at, facts)"
                " VALUES (?, ?, ?, ?)",
                (
                    (b.id, b.workspace, _microseconds(b.created_at), msgspec.json.encode(b))
                    for b in batches
                ),
            )

    def replace(self, batch: StoredBatch) -> None:
        """Overwrite the facts about a batch. Its place in the list stays."""
        with self.transaction():
            self._db.execute(
                "UPDATE batches SET facts = ? WHERE id = ?", (msgspec.json.encode(batch), batch.id)
            )

    def remove(self, batch_id: str) -> None:
        """Delete a batch and its requests, but not its accepted cancels and its bill."""
        with self.transaction():
            self._db.execute("DELETE FROM requests WHERE batch_id = ?", (batch_id,))
            self._db.execute("DELETE FROM batches WHERE id = ?", (batch_id,))

    def get(self, batch_id: str) -> StoredBatch | None:
        """A batch of any workspace, None if there is none."""
        row = self._one("SELECT facts FROM batches WHERE id = ?", batch_id)
        return _decode_batch(row[0]) if row else None

    def ids(self) -> list[str]:
        """The IDs of all batches, in the order added."""
        return [row[0] for row in self._all("SELECT id FROM batches ORDER BY seq")]

    def count(self) -> int:
        """How many batches were ever added, including removed ones."""
        row = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'batches'")
        return row[0] if row else 0

    def newest(self, workspace: str, limit: int) -> list[StoredBatch]:
        """Up to `limit` batches of a workspace, newest first."""
        rows = self._all(
            "SELECT facts FROM batches WHERE workspace = ?"
            " ORDER BY created_at DESC, seq DESC LIMIT ?",
            workspace,
            limit,
        )
        return [_decode_batch(row[0]) for row in rows]

    def older(self, workspace: str, than: str, limit: int) -> list[StoredBatch]:
        """Up to `limit` batches older than the one with this ID, newest first."""
        rows = self._all(
            "SELECT facts FROM batches WHERE workspace = ? AND (created_at, seq) <"
            " (SELECT created_at, seq FROM batches WHERE id = ?)"
            " ORDER BY created_at DESC, seq DESC LIMIT ?",
            workspace,
            than,
            limit,
        )
        return [_decode_batch(row[0]) for row in rows]

    def newer(self, workspace: str, than: str, limit: int) -> list[StoredBatch]:
        """Up to `limit` batches newer than the one with this ID, oldest first."""
        rows = self._all(
            "SELECT facts FROM batches WHERE workspace = ? AND (created_at, seq) >"
            " (SELECT created_at, seq FROM batches WHERE id = ?)"
            " ORDER BY created_at, seq LIMIT ?",
            workspace,
            than,
            limit,
        )
        return [_decode_batch(row[0]) for row in rows]

    def add_requests(self, batch_id: str, requests: Mapping[int, StoredRequest]) -> None:
        """Add a created batch's requests by their positions in the results file."""
        with self.transaction():
            self._db.executemany(
                "INSERT INTO requests VALUES (?, ?, ?)",
                ((batch_id, at, msgspec.json.encode(item)) for at, item in requests.items()),
            )

    def requests(self, batch_id: str) -> Iterator[StoredRequest]:
        """A created batch's requests in the order of its results file, loaded in parts."""
        after = -1
        while True:
            rows = self._all(
                "SELECT position, facts FROM requests WHERE batch_id = ? AND position > ?"
                " ORDER BY position LIMIT ?",
                batch_id,
                after,
                REQUESTS_AT_ONCE,
            )
            yield from (_decode_request(facts) for _, facts in rows)
            if len(rows) < REQUESTS_AT_ONCE:
                return
            after = rows[-1][0]

    def record_cancel(self, batch_id: str, accepted_at: datetime) -> None:
        """Add an accepted cancel."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO cancels VALUES (?, ?)", (batch_id, accepted_at.isoformat())
            )

    def accepted_cancels(self) -> dict[str, int]:
        """How often each batch was moved from in_progress to canceling, by its ID."""
        return dict(self._all("SELECT batch_id, count(*) FROM cancels GROUP BY batch_id"))

    def unbilled(self) -> list[StoredBatch]:
        """The batches without a bill, in the order added."""
        rows = self._all(
            "SELECT facts FROM batches WHERE seq NOT IN (SELECT seq FROM bills) ORDER BY seq"
        )
        return [_decode_batch(row[0]) for row in rows]

    def is_billed(self, batch_id: str) -> bool:
        """Whether the batch with this ID has a bill."""
        return bool(
            self._one("SELECT 1 FROM bills JOIN batches USING (seq) WHERE id = ?", batch_id)
        )

    def add_bill(self, batch_id: str, charges: Iterable[ModelCharge]) -> None:
        """Add a batch's bill, unless it has one or was deleted."""
        with self.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO bills"
                " SELECT seq, id, workspace, created_at, ? FROM batches WHERE id = ?",
                (msgspec.json.encode(list(charges)), batch_id),
            )

    def charges(self, batch_id: str) -> tuple[ModelCharge, ...] | None:
        """What the latest batch with this ID was billed, None if it has no bill."""
        row = self._one(
            "SELECT charges FROM bills WHERE batch_id = ? ORDER BY seq DESC LIMIT 1", batch_id
        )
        return _decode_charges(row[0]) if row else None

    def bills(self, since: datetime, until: datetime) -> list[Bill]:
        """The bills of batches created in [since, until), including removed ones."""
        rows = self._all(
            "SELECT workspace, created_at, charges FROM bills"
            " WHERE created_at >= ? AND created_at < ? ORDER BY created_at",
            _microseconds(since),
            _microseconds(until),
        )
        return [
            Bill(workspace, EPOCH + timedelta(microseconds=created_at), _decode_charges(charges))
            for workspace, created_at, charges in rows
        ]

    def _all(self, statement: str, *values: object) -> list[Any]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    def _one(self, statement: str, *values: object) -> Any:
        with self._lock:
            return self._db.execute(statement, values).fetchone()


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
