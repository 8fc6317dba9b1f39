"""What tests of results files share."""

import json

from batches.models import Batch

SUCCEEDED = json.dumps(
    {
        "custom_id": "a",
        "result": {
            "type": "succeeded",
            "message": {
                "model": "claude-sonnet-4-6",
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 1_000_000, "output_tokens": 0},
            },
        },
    }
).encode()


def fresh(batch: Batch) -> Batch:
    return Batch.objects.select_related("workspace").get(pk=batch.pk)
