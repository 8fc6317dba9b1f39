"""Unusual features of results, on demand, each in a tenth of a batch's requests.

Several passes of a model, tiers other than batch, fields and values that no client knows, and text
that strict JSON parsers refuse.
"""

from collections.abc import Callable
from typing import Any

from batches.sandbox.chance import Draws

EVERY = 10
ADVISOR = "claude-opus-5-5"
UNFINISHED = ("pause_turn", "max_tokens", "model_context_window_exceeded", "compaction", "refusal")
# A placeholder for half a surrogate pair, which msgspec cannot write.
HALF, ESCAPED_HALF = "\ufdd0", b"\\ud82d"
# Longer than what a client may want to keep in memory.
LONG_TEXT, TIMES = "All of a long document, once more. ", 300_000

TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
)
LIFETIMES = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


def passes(message: dict[str, Any], draws: Draws) -> None:
    """Add the passes of a tool loop, a compaction, or a model that consults an advisor."""
    usage = message["usage"]
    prompt = sum(usage[name] or 0 for name in TOKENS if name != "output_tokens")
    make_passes = draws.pick((_loop, _compacted, _advised))
    usage["iterations"] = make_passes(usage, prompt, draws)


def _loop(usage: dict[str, Any], _prompt: int, draws: Draws) -> list[dict[str, Any]]:
    return _divided(usage, 2 + draws.below(2))


def _compacted(usage: dict[str, Any], prompt: int, draws: Draws) -> list[dict[str, Any]]:
    summarizing = _tokens(int(prompt * draws.between(1, 3)), int(draws.around(600, 0.4)))
    return [{"type": "compaction", **summarizing}, *_divided(usage, 1)]


def _advised(usage: dict[str, Any], prompt: int, draws: Draws) -> list[dict[str, Any]]:
    advice = _tokens(int(prompt * draws.between(1, 1.5)) + 20, int(draws.around(300, 0.4)))
    first, *rest = _divided(usage, 2)
    return [first, {"type": "advisor_message", "model": ADVISOR, **advice}, *rest]


def _tokens(prompt: int, answer: int) -> dict[str, Any]:
    return {
        "input_tokens": prompt,
        "output_tokens": answer,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": None,
    }


def _divided(usage: dict[str, Any], parts: int) -> list[dict[str, Any]]:
    """The message's usage as this many passes that add up to it."""
    lifetimes = usage["cache_creation"]
    figures = {name: _shares(usage[name], parts) for name in TOKENS}
    kept = lifetimes and {name: _shares(lifetimes[name], parts) for name in LIFETIMES}
    return [
        {
            "type": "message",
            **{name: shares[at] for name, shares in figures.items()},
            "cache_creation": kept and {name: shares[at] for name, shares in kept.items()},
        }
        for at in range(parts)
    ]


def _shares(figure: int | None, parts: int) -> list[int]:
    each, rest = divmod(figure or 0, parts)
    return [each + (1 if at < rest else 0) for at in range(parts)]


def long_text() -> str:
    """About 10 MB of text."""
    return LONG_TEXT * TIMES


def _standard(message: dict[str, Any], _draws: Draws) -> None:
    message["usage"]["service_tier"] = "standard"


def _priority(message: dict[str, Any], _draws: Draws) -> None:
    message["usage"]["service_tier"] = "priority"


def _fast(message: dict[str, Any], _draws: Draws) -> None:
    message["usage"] |= {"service_tier": "standard", "speed": "fast"}


def _future_step(message: dict[str, Any], draws: Draws) -> None:
    step = {"type": "reflection", **_tokens(draws.below(5_000) + 1, draws.below(500) + 1)}
    message["usage"]["iterations"] = [step, *_divided(message["usage"], 1)]


def _future_tokens(message: dict[str, Any], draws: Draws) -> None:
    message["usage"]["memory_input_tokens"] = draws.below(5_000) + 1


def _stops(message: dict[str, Any], draws: Draws) -> None:
    message["stop_reason"] = draws.pick(UNFINISHED)


def _surrogates(message: dict[str, Any], _draws: Draws) -> None:
    message["content"] = [{"type": "text", "text": f"백트래{HALF}·깊이"}]


# Applied to a batch's succeeded requests whose rank ends in this digit. Odd lines use 0 and 5.
IN_A_TENTH: dict[str, tuple[int, Callable[[dict[str, Any], Draws], None]]] = {
    "passes": (1, passes),
    "standard": (2, _standard),
    "priority": (3, _priority),
    "fast": (4, _fast),
    "future-step": (6, _future_step),
    "future-tokens": (7, _future_tokens),
    "stops": (8, _stops),
    "surrogates": (9, _surrogates),
}
# One line of the file repeats another line's custom_id; one is 10 MB long.
ONCE = ("repeated", "long")
QUIRKS = (*IN_A_TENTH, *ONCE)


def checked(names: tuple[str, ...]) -> tuple[str, ...]:
    """The same names. Raises ValueError for an unknown one."""
    for name in names:
        if name not in QUIRKS:
            raise ValueError(f"No quirk is called {name!r}. There are: {', '.join(QUIRKS)}.")
    return names


def apply(names: tuple[str, ...], message: dict[str, Any], rank: int, draws: Draws) -> None:
    """Change the message of the succeeded request with this rank as the quirks require."""
    for name in names:
        digit, change = IN_A_TENTH.get(name, (-1, passes))
        if rank % EVERY == digit:
            change(message, draws)
