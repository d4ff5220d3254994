"""Forms of the settings page."""

from typing import Any

from django import forms

from accounts import time_zones
from accounts.models import Tenant, User


class AccountForm(forms.Form):
    name = forms.CharField(
        max_length=100, label="Name of the account", help_text="Your team and invitations see it."
    )
    time_zone = forms.ChoiceField(
        label="Time zone",
        help_text="Of weekly reports. Pages tell times in each reader’s own, days in UTC.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shown = [(name, name.replace("_", " ")) for name in time_zones.names()]
        self.fields["time_zone"].choices = shown  # type: ignore[attr-defined]


class MailsForm(forms.Form):
    weekly = forms.BooleanField(
        required=False,
        label="A weekly report",
        help_text="Every Monday: spend, calls, errors and savings, against the week before.",
    )


class DeleteForm(forms.Form):
    """Whoever deletes an account types its name and their own password."""

    name = forms.CharField(label="Name of the account", max_length=100)
    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, tenant: Tenant, user: User, data: Any = None) -> None:
        super().__init__(data)
        self._tenant, self._user = tenant, user
        self.fields["name"].help_text = f"Type {tenant.name} to confirm."
        self.fields["name"].widget.attrs["autocomplete"] = "off"

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self._tenant.name:
            raise forms.ValidationError(f"This is not the name: it is {self._tenant.name}.")
        return name

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self._user.check_password(password):
            raise forms.ValidationError("This is not your password.")
        return password
