"""What failed and what can be sent again: groups of failures, downloads of IDs, and a snippet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batches.models import Batch, Workspace
from batches.results.failures import UNSUCCESSFUL, FailureGroup, FailureKind, Remedy, failure_groups
from dashboard.batch.downloads import ids_file

# The largest kinds of a group are shown, the others folded.
KINDS_SHOWN = 10
TITLES = {
    Remedy.RETRY: "Worth retrying",
    Remedy.FIX: "Fix first",
    Remedy.UNKNOWN: "Other failures",
}
ADVICE = {
    Remedy.RETRY: "These may succeed when sent again unchanged.",
    Remedy.FIX: "Sent again unchanged, these fail again.",
    Remedy.UNKNOWN: "Batchboard doesn’t know whether these can succeed unchanged.",
}
SNIPPET = """\
import json
import anthropic

REQUESTS = "requests.jsonl"  # yours: one {{"custom_id": …, "params": …}} per line
IDS = {ids!r}

with open(IDS, encoding="utf-8") as file:
    wanted = {{line.strip() for line in file}}
with open(REQUESTS, encoding="utf-8") as file:
    every = [json.loads(line) for line in file if line.strip()]
again = [request for request in every if request["custom_id"] in wanted]
if len(again) != len(wanted):
    raise SystemExit(f"{{REQUESTS}} has {{len(again)}} of the {{len(wanted)}} requests.")
client = anthropic.Anthropic({arguments})
print(client.messages.batches.create(requests=again).id)
"""
ANTHROPIC: str = Workspace._meta.get_field("base_url").get_default()


@dataclass(frozen=True, slots=True)
class Group:
    """The failures with one remedy as the page shows them."""

    found: FailureGroup

    @property
    def remedy(self) -> str:
        return self.found.remedy.value

    @property
    def title(self) -> str:
        return TITLES[self.found.remedy]

    @property
    def advice(self) -> str:
        return ADVICE[self.found.remedy]

    @property
    def requests(self) -> int:
        return self.found.requests

    @property
    def top(self) -> Sequence[FailureKind]:
        return self.found.kinds[:KINDS_SHOWN]

    @property
    def folded(self) -> Sequence[FailureKind]:
        return self.found.kinds[KINDS_SHOWN:]

    @property
    def more(self) -> int:
        return self.found.more


@dataclass(frozen=True, slots=True)
class IdsFile:
    """A download of custom_ids."""

    kind: str
    requests: int
    words: str


@dataclass(frozen=True, slots=True)
class Kit:
    """All that a person needs to send unsuccessful requests again."""

    files: Sequence[IdsFile]
    snippet: str
    # Nothing is worth sending again unchanged.
    fix_first: bool


def unsuccessful_context(batch: Batch) -> dict[str, Any]:
    """Takes two queries if the results have been read, otherwise none."""
    found = failure_groups(batch) if batch.has_figures else []
    return {
        "groups": [Group(each) for each in found],
        "kit": kit(batch, found),
        "has_unsuccessful": bool(found) or (batch.has_ended and batch.succeeded < batch.total),
    }


def kit(batch: Batch, found: Sequence[FailureGroup]) -> Kit | None:
    """None if no request is known to have failed."""
    if not found:
        return None
    retryable = sum(group.requests for group in found if group.remedy == Remedy.RETRY)
    everything = sum(group.requests for group in found)
    files = []
    if retryable:
        files.append(IdsFile(Remedy.RETRY.value, retryable, "worth retrying"))
    if everything > retryable:
        files.append(IdsFile(UNSUCCESSFUL, everything, "unsuccessful"))
    return Kit(files, snippet(batch, files[0].kind), fix_first=not retryable)


def snippet(batch: Batch, kind: str) -> str:
    """A Python program that reads the downloaded IDs, so that it is short for any number of them.

    It creates nothing if the caller's file lacks a request.
    """
    return SNIPPET.format(ids=ids_file(batch, kind), arguments=client_arguments(batch.workspace))


def client_arguments(workspace: Workspace) -> str:
    """What the official SDK's client needs besides a key; the key stays in the environment."""
    address = workspace.base_url.rstrip("/")
    return "" if address == ANTHROPIC else f"base_url={address!r}"
