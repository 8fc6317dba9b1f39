"""All URLs. Each view declares who may use it: see dashboard.access."""

from django.urls import include, path, register_converter

from dashboard import probes
from dashboard.audit import views as audit
from dashboard.batch import cancel, downloads, labels, requests, reread, resubmits
from dashboard.batch import views as batch
from dashboard.list import export, look_up, suggestions
from dashboard.list import views as batches
from dashboard.spend import views as spend


class BatchId:
    """A batch's ID. Allows more than the IDs of today, because their format may change.

    "@" and the workspace's slug follow if a batch of another workspace has the same ID.
    """

    regex = "[A-Za-z0-9_-]{1,200}(?:@[A-Za-z0-9_-]{1,60})?"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(BatchId, "batch")

urlpatterns = [
    path("", batches.batch_list, name="batch-list"),
    path("live/", batches.batch_live, name="batch-live"),
    path("suggestions/", suggestions.suggestions, name="suggestions"),
    path("look-up/", look_up.batch_look_up, name="batch-look-up"),
    path("batches.csv", export.batches_csv, name="batches-csv"),
    path("batches/<batch:api_id>/", batch.batch_detail, name="batch-detail"),
    path("batches/<batch:api_id>/live/", batch.batch_detail_live, name="batch-detail-live"),
    path("batches/<batch:api_id>/cancel/", cancel.batch_cancel, name="batch-cancel"),
    path("batches/<batch:api_id>/reread/", reread.batch_reread, name="batch-reread"),
    path("batches/<batch:api_id>/resubmits/", resubmits.batch_resubmits, name="batch-resubmits"),
    path("batches/<batch:api_id>/label/", labels.batch_label, name="batch-label"),
    path("batches/<batch:api_id>/results/", downloads.batch_results, name="batch-results"),
    path("batches/<batch:api_id>/requests/", requests.batch_requests, name="batch-requests"),
    path("spend/", spend.spend, name="spend"),
    path("spend.csv", spend.spend_csv, name="spend-csv"),
    path("spend/focus.csv", spend.spend_focus, name="spend-focus"),
    path("audit/", audit.audit, name="audit"),
    path("audit.csv", audit.audit_csv, name="audit-csv"),
    path("accounts/", include("dashboard.sign_in.urls")),
    path("workspaces/", include("dashboard.workspaces.urls")),
    path("people/", include("dashboard.people.urls")),
    path("account/", include("dashboard.account.urls")),
    path("api/v1/", include("dashboard.api.urls")),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
]

handler400 = "dashboard.errors.bad_request"
handler403 = "dashboard.errors.forbidden"
handler404 = "dashboard.errors.not_found"
handler500 = "dashboard.errors.server_error"
