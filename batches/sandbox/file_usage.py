"""Sums a results file in the simplest way, so that tests can compare other sums with it."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

LONG_PROMPT_TOKENS = 100_000

type UsageKey = tuple[str, bool, str]


def usage_of(blocks: Iterable[bytes]) -> dict[UsageKey, dict[str, int]]:
    """The usage of succeeded lines by model, whether the prompt is long, and geo.

    These are the messages' totals, which exclude additional passes such as compactions. On
    purpose, this shares nothing with `billing`, which prices the same file.
    """
    sums: dict[UsageKey, Counter[str]] = {}
    for block in blocks:
        for line in block.split(b"\n"):
            result = json.loads(line)["result"] if line else {}
            if result.get("type") == "succeeded":
                message = result["message"]
                counts = _counts(message["usage"])
                prompt = (
                    counts["input_tokens"]
                    + counts["cache_write_5m_tokens"]
                    + counts["cache_write_1h_tokens"]
                    + counts["cache_read_tokens"]
                )
                geo = message["usage"].get("inference_geo") or ""
                kind = (message["model"], prompt > LONG_PROMPT_TOKENS, geo)
                sums.setdefault(kind, Counter()).update(counts)
    return {kind: dict(counts) for kind, counts in sums.items()}


def _counts(usage: dict[str, Any]) -> dict[str, int]:
    by_lifetime = usage.get("cache_creation")
    if by_lifetime is None:
        by_lifetime = {"ephemeral_5m_input_tokens": usage.get("cache_creation_input_tokens")}
    tools = usage.get("server_tool_use") or {}
    details = usage.get("output_tokens_details") or {}
    return {
        "requests": 1,
        "input_tokens": usage["input_tokens"],
        "output_tokens": usage["output_tokens"],
        "cache_write_5m_tokens": by_lifetime.get("ephemeral_5m_input_tokens") or 0,
        "cache_write_1h_tokens": by_lifetime.get("ephemeral_1h_input_tokens") or 0,
        "cache_read_tokens": usage.get("cache_read_input_tokens") or 0,
        "thinking_tokens": details.get("thinking_tokens") or 0,
        "web_searches": tools.get("web_search_requests") or 0,
    }
