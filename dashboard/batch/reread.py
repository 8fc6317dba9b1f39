"""Has the unreadable results of a batch read again."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from batches.results.reread import NothingToReread, read_again
from dashboard.access import allow, client_address, visible_batch_or_404


@allow("label")
@require_POST
def batch_reread(request: HttpRequest, api_id: str) -> HttpResponse:
    batch = visible_batch_or_404(request.user, api_id)
    try:
        read_again(batch, actor=request.user, address=client_address(request))
    except NothingToReread as error:
        messages.error(request, f"Nothing was changed. {error}")
    else:
        messages.success(request, "The results will be read again within about a minute.")
    return redirect(batch)
