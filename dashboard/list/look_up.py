"""Looks a batch up at Anthropic by its ID, when a person presses the button for it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from batches.mirror import lookup
from dashboard.access import allow, visible_batches, visible_workspaces
from dashboard.list.listing import LONGEST_ID, is_whole_id

# More messages than this are counted.
MOST_PROBLEMS = 3


@allow("see")
@require_POST
def batch_look_up(request: HttpRequest) -> HttpResponse:
    """Redirects to the batch if a workspace of the person has it, otherwise back to the list."""
    api_id = "".join(request.POST.get("id", "").split())
    back = redirect(f"{reverse('batch-list')}?{urlencode({'q': api_id[:LONGEST_ID]})}")
    if not is_whole_id(api_id):
        messages.error(request, "This is not a complete batch ID, so it was not looked up.")
        return back
    if visible_batches(request.user).filter(api_id=api_id).exists():
        return redirect("batch-detail", api_id)
    workspaces = list(visible_workspaces(request.user).filter(is_enabled=True))
    try:
        answer = lookup.look_up(workspaces, api_id)
    except lookup.TooManyLookUps:
        messages.warning(
            request, "Others are looking up batches right now. Try again in a few seconds."
        )
        return back
    if answer.batch:
        return redirect(answer.batch)
    say_not_found(request, api_id, answer.problems, others=len(workspaces) - len(answer.problems))
    return back


def say_not_found(request: HttpRequest, api_id: str, problems: list[str], *, others: int) -> None:
    """`problems` name the workspaces whose look-up failed; `others` counts those without it."""
    for problem in problems[:MOST_PROBLEMS]:
        messages.warning(request, f"Couldn’t look it up in {problem}")
    if more := len(problems[MOST_PROBLEMS:]):
        messages.warning(request, f"Couldn’t look it up in {more} more workspaces either.")
    if others:
        where = "your other workspaces" if problems else "your workspaces"
        messages.info(request, f"Anthropic has no batch {api_id} in {where}.")
    elif not problems:
        messages.warning(request, "You have no workspace in which to look it up.")
