"""The token that makes a call, and what it can see."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from batches import clock
from dashboard.access import may, visible_workspaces
from dashboard.api import shapes
from dashboard.api.operations import Operation, answer
from dashboard.api_tokens import CALLS_A_MINUTE, SCOPES
from dashboard.health import health_of
from dashboard.roles import role_in_words


def me(request: Any) -> HttpResponse:
    person, token = request.user, request.user.api_token
    return answer(
        shapes.Me(
            shapes.Person(person.get_username(), role_in_words(person)),
            shapes.Token(
                token.name,
                token.scope_list,
                [scope for scope in token.scope_list if may(person, SCOPES[scope].thing)],
                token.created_at,
                token.expires_at,
                CALLS_A_MINUTE,
            ),
            workspaces(request),
        )
    )


def workspaces(request: HttpRequest) -> list[shapes.Workspace]:
    now = clock.now()
    return [
        shapes.Workspace.of(health_of(workspace, now))
        for workspace in visible_workspaces(request.user)
    ]


ME = Operation(me, "The token and what it can see", scope="", answers={200: (shapes.Me, "OK")})
