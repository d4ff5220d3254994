"""Forms of saved views."""

from typing import Any

from django import forms
from django.http import QueryDict

from accounts.models.gateway_key import Mode
from dashboard.forms.calls import CallsForm
from dashboard.models.saved_view import LONGEST_NAME


class NameForm(forms.Form):
    name = forms.CharField(
        max_length=LONGEST_NAME,
        label="Name",
        widget=forms.TextInput(attrs={"placeholder": "Failed, last release"}),
    )


class SaveForm(NameForm):
    """The filters that are in force, and what to call them."""

    field_order = ("query", "name", "shared")

    query = forms.CharField(widget=forms.HiddenInput)
    shared = forms.BooleanField(
        required=False,
        label="For everybody here",
        help_text="All members see it. Otherwise it is yours alone.",
    )

    def __init__(self, *args: Any, may_share: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["autocomplete"] = "off"
        if not may_share:
            del self.fields["shared"]


def query_of(form: CallsForm, mode: str) -> str:
    """The filters that are valid and restrict, as a query: equal filters make equal queries."""
    query = QueryDict(mutable=True)
    query["mode"] = mode
    for name, value in form.cleaned_data.items():
        if value:
            query[name] = str(value)
    return query.urlencode()


def mode_of(query: QueryDict) -> str:
    mode = query.get("mode", "")
    return mode if mode in Mode.values else Mode.TEST
