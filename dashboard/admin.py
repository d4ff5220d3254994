"""What operators say to everybody, and who may sign up."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import Truncator
from unfold.widgets import UnfoldAdminSelectWidget

from accounts import installation, operator_audit
from accounts.operator_site import ReadOnly, actor_of, site
from dashboard import announcements
from dashboard.models import Announcement

SIGNUP = {
    "open": "Open: whoever comes",
    "invite": "By invitation: whom a team has invited, with that address",
    "closed": "Closed: nobody new",
}


@admin.register(Announcement, site=site)
class AnnouncementAdmin(ReadOnly):
    """Shown on every page of the dashboard, from its start to its end."""

    list_display = ("shortened", "level", "is_shown", "starts_at", "ends_at", "created_by")
    list_filter = ("level",)
    search_fields = ("text",)
    ordering = ("-starts_at", "id")
    fields = ("text", "level", "starts_at", "ends_at", "is_dismissible")

    @admin.display(description="Text")
    def shortened(self, row: Announcement) -> str:
        return Truncator(row.text).chars(48)

    @admin.display(description="Shown now", boolean=True)
    def is_shown(self, row: Announcement) -> bool:
        return announcements.in_force(timezone.now()).filter(pk=row.pk).exists()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"starts_at": timezone.now().replace(second=0, microsecond=0)}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_staff)

    has_change_permission = has_delete_permission = has_add_permission

    def save_model(self, request: HttpRequest, obj: Announcement, form: Any, change: bool) -> None:
        actor = actor_of(request).name
        if not change:
            obj.created_by = actor
        obj.save()
        _note(actor, "announcement.changed" if change else "announcement.made", obj)

    def delete_model(self, request: HttpRequest, obj: Announcement) -> None:
        _note(actor_of(request).name, "announcement.deleted", obj)
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.delete_model(request, row)


class SignupForm(forms.Form):
    signup = forms.ChoiceField(
        label="Who may sign up",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="It holds from the next request on, in place of FLO2_SIGNUP.",
    )

    def __init__(self, data: Any = None, **rest: Any) -> None:
        super().__init__(data, **rest)
        environment = installation.by_environment()
        shown = [("", f"As FLO2_SIGNUP says: {environment}"), *SIGNUP.items()]
        self.fields["signup"].choices = shown  # type: ignore[attr-defined]


@site.page("signup/", "signup")
def signup(request: HttpRequest) -> HttpResponse:
    """Who may sign up: decided here, or left to the environment."""
    posted = request.POST if request.method == "POST" else None
    form = SignupForm(posted, initial={"signup": installation.decided_signup()})
    if posted is not None and form.is_valid():
        installation.decide_signup(form.cleaned_data["signup"], actor=actor_of(request))
        messages.success(request, f"Sign-up is now: {installation.signup()}.")
        return redirect("admin:signup")
    context = {**site.each_context(request), "form": form, "title": "Sign-up"}
    context["now"] = SIGNUP[installation.signup()]
    return render(request, "admin/signup.html", context)


def _note(actor: str, action: str, row: Announcement) -> None:
    ends = row.ends_at.isoformat(timespec="minutes") if row.ends_at else ""
    starts = row.starts_at.isoformat(timespec="minutes")
    details = {"level": row.level, "from": starts, "until": ends}
    operator_audit.record(actor, action=action, subject=row.text, **details)
