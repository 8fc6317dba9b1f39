"""How pages say what a batch cost, or why that is not known."""

from collections.abc import Mapping
from typing import Any

from batches.models import Batch
from batches.spend.costs import BatchCost, UnpricedReason
from dashboard.words import usd

LACKS = {
    "model": "no price for {}",
    "prompt": "no price for {}, as its prompt sizes are not known",
    "tier": "no price for {}",
    "geo": "no price for inference in {}",
    "field": "{} is unknown and may change the price",
}


# The columns of `cost_cells`.
COST_COLUMNS = (
    "cost state", "cost (USD)", "cost known for (requests)", "billed (requests)", "cost not known",
)  # fmt: skip


def cost_cells(batch: Batch, cost: BatchCost) -> list[Any]:
    """A batch's cost for a CSV, by COST_COLUMNS: how much of it is known, and why not all."""
    is_read = batch.has_figures
    return [
        cost.state,
        cost.known if cost.is_known_in_part else None,
        cost.known_requests if is_read else None,
        cost.requests if is_read else None,
        _why_not_known(batch, cost),
    ]


def _why_not_known(batch: Batch, cost: BatchCost) -> str:
    if not batch.has_figures:
        return "the batch is running" if batch.is_active else batch.get_results_state_display()
    reasons = [reason_words(reason) for reason in cost.unpriced]
    if cost.unknown_lines:
        reasons.insert(0, f"{cost.unknown_lines:,} of {cost.requests:,} results not known")
    return "; ".join(reasons)


def cost_words(cost: BatchCost) -> str:
    """Why there is no figure, such as "no price for claude-x"; empty with one."""
    match cost.state:
        case "computed":
            return ""
        case "unreadable":
            return "results unreadable"
        case "incomplete":
            lines = cost.unknown_lines
            return f"{lines:,} of {cost.requests:,} results not known"
        case "unpriced":
            return _first_reason(cost)
        case "lost":
            return "cost unknown"
    return f"cost {cost.state}"


def unpriced_words(cost: BatchCost) -> str:
    """Which part of a cost has no price, as a sentence begins; empty where all has one."""
    if not cost.unpriced:
        return ""
    if all(reason.lacks == "model" for reason in cost.unpriced):
        words = _first_reason(cost)
        return words[0].upper() + words[1:]
    count = cost.requests - cost.unknown_lines - cost.known_requests
    return f"The cost of {count:,} request{'' if count == 1 else 's'} is not known"


def _first_reason(cost: BatchCost) -> str:
    first, *others = cost.unpriced
    return reason_words(first) + (f" and {len(others)} more" if others else "")


def known_words(cost: BatchCost) -> str:
    """Of a cost that is known in part, such as "$0.42 known for 99 of 100 requests"."""
    if cost.total is not None or not cost.known_requests:
        return ""
    count, of = cost.known_requests, cost.requests
    return f"{usd(cost.known)} known for {count:,} of {of:,} requests"


def reason_words(reason: UnpricedReason) -> str:
    """Why usage has no price, such as "no price for the priority tier"."""
    word = tier_words(reason.word) if reason.lacks == "tier" else reason.word
    return LACKS[reason.lacks].format(word or "a model without a name")


def tier_words(tier: str) -> str:
    """How a tier that is not the batch's is called."""
    return "fast mode" if tier == "fast" else f"the {tier} tier"


def off_tier_words(off_tier: Mapping[str, int]) -> str:
    """Such as "12 requests did not run at the batch tier (9 standard, 3 fast)"; may be empty."""
    count = sum(off_tier.values())
    if not count:
        return ""
    tiers = ", ".join(f"{off_tier[tier]:,} {tier}" for tier in sorted(off_tier))
    return f"{count:,} request{'' if count == 1 else 's'} did not run at the batch tier ({tiers})"
