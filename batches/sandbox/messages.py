"""Generates plausible Message objects with matching usage."""

from typing import Any, NamedTuple

from batches.sandbox.chance import Draws

# A model requested by its alias answers with its dated ID.
RESOLVED = {
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}
MODELS = (
    "claude-haiku-5-5",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-sonnet-5-5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-fable-5-2",
    "claude-mythos-5-2",
    "claude-fable-5-1",
)
STOP_REASONS = (
    *["end_turn"] * 88,
    *["max_tokens"] * 6,
    *["stop_sequence"] * 3,
    *["refusal"] * 2,
    "pause_turn",
)

# Some are hard for careless readers of the results file: line separators that don't end lines in
# JSONL, spreadsheet formulas, markup, emoji.
TEXTS = (
    "The passage argues that early tests found more faults than late ones.",
    "Label: positive. Confidence: high.",
    '{"sentiment": "neutral", "topics": ["billing", "delivery"]}',
    "Three points stand out.\n\n1. Cost fell.\n2. Speed rose.\n3. Nobody noticed.",
    "Die Übersetzung lautet: „Das Paket ist unterwegs.“",
    "要約：この記事は都市の木陰が気温を下げることを示している。",
    "First line\u2028second line, after a line separator.",
    "Next line\u0085follows a control character of its own.",
    "Great news 🎉 the order shipped 🚚 and arrives on Friday 👩🏽‍💻.",
    '=HYPERLINK("https://example.com/","a formula, not a link")',
    "<script>alert('only text')</script> & <b>not markup</b>",
    'A "quoted" backslash \\ and a tab\tinside.',
)


class Habits(NamedTuple):
    """What the requests of one batch have in common. `prompt` and `answer` are median tokens.

    `documents` is the share of prompts that carry a long document.
    """

    prompt: int
    answer: int
    caches: bool
    keeps_an_hour: bool
    thinks: bool
    searches: bool
    geo: str
    documents: float


def habits(draws: Draws, prompt_tokens: int = 0) -> Habits:
    """Draw what the requests of one batch have in common.

    With `prompt_tokens`, that is the median prompt and no prompt has a long document.
    """
    prompt = draws.pick((180, 420, 900, 2_400, 7_000, 60_000))
    return Habits(
        prompt=prompt_tokens or prompt,
        answer=draws.pick((8, 60, 240, 600, 1_400)),
        caches=draws.happens(0.45),
        keeps_an_hour=draws.happens(0.35),
        thinks=draws.happens(0.3),
        searches=draws.happens(0.15),
        geo=draws.pick(("global", "global", "global", "us", "not_available")),
        # One prompt in twelve, so that both of claude-haiku-5-5's price tiers occur.
        documents=0 if prompt_tokens else 1 / 12,
    )


def message(model: str, common: Habits, draws: Draws) -> dict[str, Any]:
    """The Message of one succeeded request, as JSON values."""
    stop_reason = draws.pick(STOP_REASONS)
    text = "" if stop_reason == "refusal" else draws.pick(TEXTS)
    return {
        "id": f"msg_01{draws.word(22)}",
        "type": "message",
        "role": "assistant",
        "model": RESOLVED.get(model, model),
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": stop_reason,
        "stop_sequence": "###" if stop_reason == "stop_sequence" else None,
        "usage": _usage(common, stop_reason, draws),
    }


def _usage(common: Habits, stop_reason: str, draws: Draws) -> dict[str, Any]:
    median = 110_000 if draws.happens(common.documents) else common.prompt
    prompt = int(draws.around(median, 0.5)) + 4
    output = min(int(draws.around(common.answer, 0.7)) + 1, 32_000)
    if stop_reason == "max_tokens":
        output = 1024
    elif stop_reason == "refusal":
        output = 1
    written, read = _cached(common, prompt, draws)
    usage: dict[str, Any] = {
        "input_tokens": prompt - written - read,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": _by_lifetime(common, written),
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": int(output * 0.6) if common.thinks else 0},
        "server_tool_use": (
            {"web_search_requests": draws.below(4), "web_fetch_requests": draws.below(2)}
            if common.searches
            else None
        ),
        "service_tier": "batch",
        "inference_geo": common.geo,
    }
    return _thinned(usage, draws)


def _cached(common: Habits, prompt: int, draws: Draws) -> tuple[int, int]:
    """The prompt's tokens that are written to and read from the cache."""
    if not common.caches:
        return 0, 0
    shared = int(prompt * draws.between(0.5, 0.9))
    return (shared, 0) if draws.happens(0.15) else (0, shared)


def _by_lifetime(common: Habits, written: int) -> dict[str, int]:
    hour = written if common.keeps_an_hour else 0
    return {"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour}


def _thinned(usage: dict[str, Any], draws: Draws) -> dict[str, Any]:
    """Omit or null fields as the API sometimes does, but never a figure other than zero."""
    if draws.happens(0.9):
        return usage
    for name in ("server_tool_use", "output_tokens_details", "inference_geo", "service_tier"):
        if _is_empty(usage[name]) and draws.happens(0.5):
            del usage[name]
    for name in ("cache_creation_input_tokens", "cache_read_input_tokens"):
        if usage[name] == 0 and draws.happens(0.5):
            usage[name] = None
    if _is_empty(usage["cache_creation"]):
        usage["cache_creation"] = None
    return usage


def _is_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return not any(value.values())
    return value in (None, "batch", "not_available")
