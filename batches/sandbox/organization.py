"""The endpoints of the Admin key: the organization's cost report and its workspaces."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from batches.sandbox.calls import Call, read_limit, read_query, wrong_method
from batches.sandbox.cost_report import CostQuery, CostRow, cost_rows, page_of, parse_cost_query
from batches.sandbox.prices import cents
from batches.sandbox.refusals import RefusalError
from batches.sandbox.replies import Reply
from batches.sandbox.world import World

ORGANIZATION = "/v1/organizations/"
COST = f"{ORGANIZATION}analytics/cost"
WORKSPACES = f"{ORGANIZATION}workspaces"
COST_BETA = "analytics-usage-cost-2026-08-24"
# Every dimension in a row's group; null unless the query groups by it.
DIMENSIONS = (
    "actor", "actor_type", "agent_id", "api_key_id", "claude_tag_category", "claude_tag_user_id",
    "context_window", "cost_type", "deployment_id", "environment_id", "inference_geo", "model",
    "organization_id", "product", "rbac_group_id", "service_tier", "session_id",
    "slack_channel_id", "speed", "token_type", "user_profile_id", "workspace_id",
)  # fmt: skip
COLORS = ("#6C5BB9", "#2F7D5B", "#B3541E")
FOUNDED_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Organization:
    """Answers calls with the Admin key, which `Access` has checked."""

    def __init__(self, world: World, workspaces: Iterable[str]) -> None:
        self._world = world
        self._workspaces = [_workspace_json(at, each) for at, each in enumerate(workspaces)]

    def answer(self, call: Call) -> Reply:
        """The response to a call. Raises RefusalError for what is refused."""
        endpoints = {COST: self._cost, WORKSPACES: self._list_workspaces}
        if call.path not in endpoints:
            raise RefusalError(404, f"Not found: {call.path[:200]}")
        if call.method != "GET":
            raise wrong_method("GET")
        return endpoints[call.path](call)

    def _cost(self, call: Call) -> Reply:
        betas = [beta.strip() for beta in call.headers.get("anthropic-beta", "").split(",")]
        if COST_BETA not in betas:
            raise RefusalError(400, f"This endpoint requires the anthropic-beta {COST_BETA}.")
        now = self._world.clock.now()
        wanted = parse_cost_query(call.query, now)
        self._world.ledger.settle()
        bills = self._world.store.bills(wanted.since, wanted.until)
        rows, next_page = page_of(cost_rows(bills, wanted), wanted)
        return Reply.json(
            {
                "data": [_row_json(row, wanted) for row in rows],
                "has_more": next_page is not None,
                "next_page": next_page,
                "data_refreshed_at": _stamp(now),
            }
        )

    def _list_workspaces(self, call: Call) -> Reply:
        values = dict(read_query(call.query))
        limit = read_limit(values.get("limit"))
        after_id, before_id = values.get("after_id", ""), values.get("before_id", "")
        if after_id and before_id:
            raise RefusalError(400, "Only one of after_id and before_id can be given.")
        found = self._workspaces
        if before_id:
            found = found[: self._place("before_id", before_id)]
            page, has_more = found[-limit:], len(found) > limit
        else:
            if after_id:
                found = found[self._place("after_id", after_id) + 1 :]
            page, has_more = found[:limit], len(found) > limit
        return Reply.json(
            {
                "data": page,
                "has_more": has_more,
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
            }
        )

    def _place(self, name: str, cursor: str) -> int:
        ids = [workspace["id"] for workspace in self._workspaces]
        if cursor not in ids:
            raise RefusalError(400, f"{name}: Workspace {cursor[:200]} not found.")
        return ids.index(cursor)


def _row_json(row: CostRow, wanted: CostQuery) -> dict[str, Any]:
    return {
        "starting_at": _stamp(row.starting_at),
        "ending_at": _stamp(row.ending_at),
        "group": dict.fromkeys(DIMENSIONS) | dict(zip(wanted.group_by, row.group, strict=True)),
        "cost": {
            "amount": cents(row.amount),
            "list_amount": cents(row.list_amount),
            "currency": "USD",
            "requests": row.requests,
        },
    }


def _workspace_json(at: int, workspace: str) -> dict[str, Any]:
    name = workspace.removeprefix("wrkspc_01").rstrip("0")
    return {
        "id": workspace,
        "type": "workspace",
        "name": name.capitalize(),
        "display_color": COLORS[at % len(COLORS)],
        "created_at": _stamp(FOUNDED_AT),
        "archived_at": None,
        "tags": {},
        "compartment_id": f"cmprt_01{name}",
        "data_residency": {
            "allowed_inference_geos": "unrestricted",
            "default_inference_geo": "global",
            "workspace_geo": "us",
        },
        "external_key_id": None,
        "user_profile_id": None,
    }


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
