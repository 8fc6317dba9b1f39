"""What the sandbox remembers, in SQLite: in a file it survives a kill, in memory it doesn't."""

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

    `rank` decides its outcome: ranks count through the batch's outcome from errored to
    succeeded to canceled to expired, and requests with a `problem` have the lowest.
    """

    custom_id: str
    rank: int
    model: str = ""
    error_type: str = ""
    problem: str = ""


class ModelCharge(msgspec.Struct, frozen=True, array_like=True):
    """What one model's requests at one tier cost, in picodollars, and how many there were.

    `list_amount` is what the same would have cost outside of a batch.
    """

    model: str
    amount: int
    list_amount: int
    requests: int
    tier: str = "batch"


class Bill(NamedTuple):
    """What one batch cost; `created_at` is the batch's."""

    workspace: str
    created_at: datetime
    charges: tuple[ModelCharge, ...]


_decode_request = msgspec.json.Decoder(StoredRequest).decode
_decode_charges = msgspec.json.Decoder(tuple[ModelCharge, ...]).decode


class Store:
    """Batches by age, their requests, cancels and bills, and a few notes; safe across threads.

    What `transaction` has left is on disk: kill -9 loses none of it. Raises sqlite3.Error
    for a file that is no database or can't be written.
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
        """Close the database; nothing works afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let one thread in, and keep all of what it does or, after an exception, nothing."""
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
        """Return the note of this name, None if there is none."""
        row = self._one("SELECT value FROM notes WHERE name = ?", name)
        return row[0] if row else None

    def set_note(self, name: str, value: str) -> None:
        """Write or overwrite a note."""
        with self.transaction():
            self._db.execute("REPLACE INTO notes VALUES (?, ?)", (name, value))

    def add(self, batches: Iterable[StoredBatch]) -> None:
        """Add batches; one whose id is taken already is left out, so that a repeat is harmless."""
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
        """Overwrite the facts about a batch; its place in the list stays."""
        with self.transaction():
            self._db.execute(
                "UPDATE batches SET facts = ? WHERE id = ?", (msgspec.json.encode(batch), batch.id)
            )

    def remove(self, batch_id: str) -> None:
        """Forget a batch and its requests; its accepted cancels and its bill stay on record."""
        with self.transaction():
            self._db.execute("DELETE FROM requests WHERE batch_id = ?", (batch_id,))
            self._db.execute("DELETE FROM batches WHERE id = ?", (batch_id,))

    def get(self, batch_id: str) -> StoredBatch | None:
        """Return a batch of any workspace, None if there is none."""
        row = self._one("SELECT facts FROM batches WHERE id = ?", batch_id)
        return _decode_batch(row[0]) if row else None

    def ids(self) -> list[str]:
        """Return every id, oldest entry first."""
        return [row[0] for row in self._all("SELECT id FROM batches ORDER BY seq")]

    def count(self) -> int:
        """Return how many batches were ever added, the removed ones included."""
        row = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'batches'")
        return row[0] if row else 0

    def newest(self, workspace: str, limit: int) -> list[StoredBatch]:
        """Return up to `limit` batches of a workspace, newest first."""
        rows = self._all(
            "SELECT facts FROM batches WHERE workspace = ?"
            " ORDER BY created_at DESC, seq DESC LIMIT ?",
            workspace,
            limit,
        )
        return [_decode_batch(row[0]) for row in rows]

    def older(self, workspace: str, than: str, limit: int) -> list[StoredBatch]:
        """Return up to `limit` batches older than the one with this id, newest first."""
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
        """Return up to `limit` batches newer than the one with this id, the oldest first."""
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
        """Keep a created batch's requests under their positions in the results file."""
        with self.transaction():
            self._db.executemany(
                "INSERT INTO requests VALUES (?, ?, ?)",
                ((batch_id, at, msgspec.json.encode(item)) for at, item in requests.items()),
            )

    def requests(self, batch_id: str) -> Iterator[StoredRequest]:
        """Yield a created batch's requests in the order of its results file, a few at a time."""
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
        """Put an accepted cancel on record."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO cancels VALUES (?, ?)", (batch_id, accepted_at.isoformat())
            )

    def accepted_cancels(self) -> dict[str, int]:
        """Return how often each batch was moved from in_progress to canceling."""
        return dict(self._all("SELECT batch_id, count(*) FROM cancels GROUP BY batch_id"))

    def unbilled(self) -> list[StoredBatch]:
        """Return the batches without a bill, in the order added."""
        rows = self._all(
            "SELECT facts FROM batches WHERE seq NOT IN (SELECT seq FROM bills) ORDER BY seq"
        )
        return [_decode_batch(row[0]) for row in rows]

    def is_billed(self, batch_id: str) -> bool:
        """Tell whether the batch that has this id has a bill."""
        return bool(
            self._one("SELECT 1 FROM bills JOIN batches USING (seq) WHERE id = ?", batch_id)
        )

    def add_bill(self, batch_id: str, charges: Iterable[ModelCharge]) -> None:
        """Put what a batch cost on record; not for one that has a bill, or is gone."""
        with self.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO bills"
                " SELECT seq, id, workspace, created_at, ? FROM batches WHERE id = ?",
                (msgspec.json.encode(list(charges)), batch_id),
            )

    def charges(self, batch_id: str) -> tuple[ModelCharge, ...] | None:
        """Return what the latest batch of this id was billed, None if it was not."""
        row = self._one(
            "SELECT charges FROM bills WHERE batch_id = ? ORDER BY seq DESC LIMIT 1", batch_id
        )
        return _decode_charges(row[0]) if row else None

    def bills(self, since: datetime, until: datetime) -> list[Bill]:
        """Return the bills of batches created in [since, until), removed ones included."""
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
