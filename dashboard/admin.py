"""The admin: workspaces with their keys, people with their roles, and the audit to read."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest

from batches.client import parse_headers
from batches.connect import usable
from batches.fields import is_undecryptable
from batches.models import AuditEvent, Workspace
from batches.workspaces import accept_list, delete_workspace, deletion_of
from dashboard.access import client_address, may
from dashboard.roles import ROLES
from dashboard.views.labels import unix_lines

if TYPE_CHECKING:
    WorkspaceModelForm = forms.ModelForm[Workspace]
    WorkspaceModelAdmin = admin.ModelAdmin[Workspace]
    Inline = admin.TabularInline[Any, Any]
    UserModelAdmin = UserAdmin[User]
    AuditModelAdmin = admin.ModelAdmin[AuditEvent]
else:
    # Django's own classes take no type parameters.
    WorkspaceModelForm = forms.ModelForm
    WorkspaceModelAdmin = AuditModelAdmin = admin.ModelAdmin
    Inline, UserModelAdmin = admin.TabularInline, UserAdmin


# Fields of the form, what they are called, and the columns that they write.
TITLES = {
    "new_key": "API key",
    "new_headers": "extra headers",
    "without_headers": "extra headers removed",
}
# Where the key goes, and how. A stored key is not for whoever may change these.
SENDING = {"base_url", "auth", "anthropic_workspace_id"}
SECRETS = {
    "new_key": "api_key", "new_headers": "extra_headers", "without_headers": "extra_headers",
}  # fmt: skip


class ByRole:
    """Whoever may manage may do all that the page offers; Django's own permissions don't count."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, "manage")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "manage")

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "manage")


class WorkspaceForm(WorkspaceModelForm):
    """Key and headers can be written and never read back: not even their length is shown."""

    new_key = forms.CharField(
        label="API key",
        required=False,
        max_length=1000,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Stored encrypted, and never shown again. Leave empty to keep the one there is.",
    )

    new_headers = forms.CharField(
        label="Extra headers",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
        help_text="For a gateway that asks for more: one “Name: value” a line. Stored encrypted, "
        "and never shown again. Leave empty to keep the ones there are.",
    )
    without_headers = forms.BooleanField(label="Remove the stored extra headers", required=False)

    class Meta:
        model = Workspace
        fields = ("name", "slug", "base_url", "auth", "anthropic_workspace_id", "is_enabled",
                  "members")  # fmt: skip

    def clean_new_headers(self) -> str:
        text = unix_lines(self.cleaned_data["new_headers"]).strip()
        try:
            parse_headers(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
        return text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("new_headers") and cleaned.get("without_headers"):
            self.add_error("without_headers", "Either give new headers or remove the stored ones.")
        key = cleaned.get("new_key", "")
        stored = self.instance.key
        if self.instance.from_environment and not (key or stored):
            # Another process has it.
            return cleaned
        if not key and is_undecryptable(self.instance.api_key):
            self.add_error("new_key", "The stored key can’t be decrypted: enter it again.")
        elif not key and not stored:
            self.add_error("new_key", "A workspace needs the API key whose batches it shows.")
        elif not key and SENDING & set(self.changed_data):
            self.add_error(
                "new_key",
                "Enter the key again: with this change the stored one would be sent elsewhere.",
            )
        elif problem := usable(cleaned.get("base_url", self.instance.base_url), key or stored):
            self.add_error("new_key" if key else "base_url", problem)
        return cleaned

    def save(self, commit: bool = True) -> Workspace:  # noqa: FBT001, FBT002
        if self.cleaned_data["new_key"]:
            self.instance.api_key = self.cleaned_data["new_key"]
        if self.cleaned_data["new_headers"] or self.cleaned_data["without_headers"]:
            self.instance.extra_headers = self.cleaned_data["new_headers"]
        # Changed or not, the person wants to see now whether it works.
        self.instance.next_attempt_at = None
        return super().save(commit)


@admin.register(Workspace)
class WorkspaceAdmin(ByRole, WorkspaceModelAdmin):
    form = WorkspaceForm
    list_display = ("name", "base_url", "is_enabled", "last_synced_at", "error")
    actions = ("accept_list",)
    filter_horizontal = ("members",)
    prepopulated_fields = {"slug": ["name"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workspace]:
        """Without the secrets: one that can't be decrypted must not keep a new one out."""
        return super().get_queryset(request).defer("api_key", "extra_headers")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """The environment says where its own key is sent, and nobody else."""
        return sorted(SENDING) if obj and obj.from_environment else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)

    def save_model(
        self,
        request: HttpRequest,
        obj: Workspace,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        if change:
            # The rest of the row is the worker's, which may have written it meanwhile.
            columns = {column.name for column in Workspace._meta.concrete_fields}
            written = [name for name in form.cleaned_data if name in columns]
            written += [SECRETS[name] for name in SECRETS if form.cleaned_data[name]]
            obj.save(update_fields=[*written, "next_attempt_at"])
        else:
            super().save_model(request, obj, form, change)
        changed = ", ".join(TITLES.get(name, name) for name in form.changed_data)
        AuditEvent.record(
            "workspace changed" if change else "workspace added",
            actor=request.user,
            workspace=obj,
            address=client_address(request),
            outcome=f"Changed: {changed}." if changed else "Nothing changed.",
        )

    @admin.action(description="Accept what the API lists now, though it differs from before")
    def accept_list(self, request: HttpRequest, queryset: QuerySet[Workspace]) -> None:
        """The admin says that the key is right: batches that are no longer listed are gone."""
        for workspace in queryset:
            accept_list(workspace)
            AuditEvent.record(
                "workspace list accepted",
                actor=request.user,
                workspace=workspace,
                address=client_address(request),
                outcome="Batches that the API no longer lists count as deleted.",
            )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes and what stays, as counts: a list of a million batches helps nobody."""
        sentences = [f"{workspace}: {deletion_of(workspace)}" for workspace in objs]
        return sentences, {"workspaces": len(sentences)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Workspace) -> None:
        number = obj.pk
        done = delete_workspace(obj)
        obj.pk = number
        AuditEvent.record(
            "workspace deleted",
            actor=request.user,
            workspace=obj,
            address=client_address(request),
            outcome=str(done),
        )

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Workspace]) -> None:
        for workspace in queryset:
            self.delete_model(request, workspace)


class MembershipInline(Inline):
    model = Workspace.members.through
    extra = 0
    verbose_name = "workspace"
    verbose_name_plural = "member of"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "manage")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "manage")

    has_change_permission = has_delete_permission = has_view_permission

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "workspace":
            options["queryset"] = Workspace.objects.for_pages()
        return super().formfield_for_foreignkey(db_field, request, **options)


class PersonAdmin(ByRole, UserModelAdmin):
    """People and their roles. A superuser is out of an admin's reach, or roles meant nothing."""

    list_display = ("username", "email", "role", "is_active", "last_login")
    list_filter = ("is_active", "groups")
    filter_horizontal = ("groups",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "groups")}),
    )
    inlines = (MembershipInline,)

    def role(self, person: User) -> str:
        held = {group.name for group in person.groups.all()}
        return next((role for role in reversed(ROLES) if role in held), "none")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people = super().get_queryset(request).prefetch_related("groups")
        return people if request.user.is_superuser else people.filter(is_superuser=False)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "groups":
            # Other groups may carry permissions of Django's own.
            options["queryset"] = Group.objects.filter(name__in=ROLES)
        return super().formfield_for_manytomany(db_field, request, **options)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        record_person(request, "person changed", obj)
        return super().log_change(request, obj, message)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        record_person(request, "person added", obj)
        return super().log_addition(request, obj, message)


def record_person(request: HttpRequest, action: str, person: User) -> None:
    roles = ", ".join(person.groups.values_list("name", flat=True)) or "no role"
    AuditEvent.record(
        action,
        actor=request.user,
        address=client_address(request),
        outcome=f"{person.get_username()}: {roles}.",
    )


admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.register(User, PersonAdmin)


@admin.register(AuditEvent)
class AuditEventAdmin(AuditModelAdmin):
    list_display = ("at", "actor", "action", "workspace", "batch_api_id", "outcome")
    search_fields = ("actor", "batch_api_id", "action")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, "manage")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "manage")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        events = super().get_queryset(request)
        if request.user.is_superuser:
            return events
        # An admin's own workspaces, and what concerns people.
        mine = Workspace.objects.filter(members=request.user.pk).values_list("pk", flat=True)
        return events.filter(workspace_id__in=[*mine]) | events.filter(workspace_id=None)
