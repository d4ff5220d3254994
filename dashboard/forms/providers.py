"""Forms of the providers page. A secret goes in and never comes back, not even after an error."""

from typing import Any

from django import forms

from accounts import provider_keys
from accounts.errors import InvalidRequest
from accounts.secret import Secret
from routing.providers import catalog_index
from routing.upstream import guard


class SecretField(forms.CharField):
    """A pasted key: tidied, and never rendered again."""

    def __init__(self) -> None:
        attrs = {"autocomplete": "off", "spellcheck": "false", "placeholder": "Paste the key"}
        super().__init__(
            label="Key",
            max_length=provider_keys.LONGEST,
            widget=forms.PasswordInput(attrs=attrs, render_value=False),
            error_messages={"required": "Paste the key first."},
        )

    def clean(self, value: Any) -> Secret:
        try:
            return provider_keys.tidy(super().clean(value))
        except InvalidRequest as problem:
            raise forms.ValidationError(str(problem)) from None


class BaseUrlField(forms.CharField):
    """The address of an endpoint of the tenant's own: public, and over HTTPS."""

    def __init__(self) -> None:
        super().__init__(
            label="Base URL",
            max_length=guard.LONGEST_URL,
            widget=forms.URLInput(attrs={"placeholder": "https://llm.example.com/v1"}),
            help_text="What OpenAI’s clients take as base URL, mostly ending in /v1.",
        )

    def clean(self, value: Any) -> str:
        try:
            return guard.check_base_url(str(super().clean(value)).rstrip("/"))
        except guard.AddressRefused as refused:
            raise forms.ValidationError(str(refused)) from None


class NewProviderKeyForm(forms.Form):
    provider = forms.ChoiceField(widget=forms.HiddenInput)
    secret = SecretField()
    label = forms.CharField(
        required=False,
        max_length=100,
        label="Label",
        widget=forms.TextInput(attrs={"placeholder": "team account"}),
    )

    def __init__(self, data: Any = None, *, provider: str = "") -> None:
        known = catalog_index.current().providers
        named = provider if provider in known else "unknown"  # Django takes a % in it for a place
        super().__init__(data, auto_id=f"id_{named}_%s", initial={"provider": provider})
        self.fields["provider"].choices = [(slug, slug) for slug in known]  # type: ignore[attr-defined]
        if provider in known and known[provider].has_own_url:
            self.fields["base_url"] = BaseUrlField()

    @property
    def base_url(self) -> str:
        """Where calls with this key go; empty for providers that have an address already."""
        return str(self.cleaned_data.get("base_url", ""))


class ProviderKeyForm(forms.Form):
    label = forms.CharField(
        required=False,
        max_length=100,
        label="Label",
        help_text="Only you see it: which account, which team.",
    )
    weight = forms.IntegerField(
        min_value=1,
        max_value=1000,
        label="Weight",
        help_text="With several keys of one provider: a key of weight 2 is used twice as often "
        "as one of weight 1.",
    )
    enabled = forms.BooleanField(
        required=False,
        label="Calls may use this key",
    )


class ReplaceForm(forms.Form):
    secret = SecretField()
