"""Lines that fetch a batch from the API, without a key in them."""

import shlex
from dataclasses import dataclass

from batches.models import Batch
from dashboard.batch.kit import client_arguments

# The version of the API that the SDKs name.
VERSION = "anthropic-version: 2023-06-01"
HEADERS = {
    "x-api-key": "x-api-key: $ANTHROPIC_API_KEY",
    "bearer": "authorization: Bearer $ANTHROPIC_AUTH_TOKEN",
}


@dataclass(frozen=True, slots=True)
class Fetch:
    """The same call for a shell and for the official Python SDK."""

    curl: str
    python: str

    @classmethod
    def of(cls, batch: Batch) -> "Fetch":
        workspace = batch.workspace
        address = f"{workspace.base_url.rstrip('/')}/v1/messages/batches/{batch.api_id}"
        # In double quotes, as the shell must fill the key in.
        headers = (f'-H "{header}"' for header in (HEADERS[workspace.auth], VERSION))
        client = f"anthropic.Anthropic({client_arguments(workspace)})"
        return cls(
            curl=" ".join(("curl", shlex.quote(address), *headers)),
            python=f"{client}.messages.batches.retrieve({batch.api_id!r})",
        )
