"""What the operator adds to the catalogue for all tenants: models, prices, addresses.

Rows of prices are added, never edited; models and addresses are edited in place.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.validators import RegexValidator
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminNullBooleanSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanWidget,
)

from accounts import changes
from accounts.operator_site import ReadOnly, actor_of, site
from billing import pricing
from billing.models import OperatorPrice
from billing.pricing import Price, Rates
from routing.models import OperatorBaseUrl, OperatorModel
from routing.providers import catalog_index, overrides, prices
from routing.providers.spec import CAPABILITIES, KINDS, MODEL_NAME
from routing.upstream import guard

if TYPE_CHECKING:
    _Form = forms.ModelForm[OperatorPrice]
    _ModelForm = forms.ModelForm[OperatorModel]
    _UrlForm = forms.ModelForm[OperatorBaseUrl]
else:
    _Form = _ModelForm = _UrlForm = forms.ModelForm

PER_MILLION = "US dollars per million tokens."


def _provider() -> forms.ChoiceField:
    return forms.ChoiceField(widget=UnfoldAdminSelectWidget, choices=_providers)


def _providers() -> list[tuple[str, str]]:
    known = catalog_index.current().providers.values()
    return [(one.slug, one.label) for one in known if not one.has_own_url]


def _model() -> forms.CharField:
    return forms.CharField(
        max_length=200,
        validators=[RegexValidator(rf"^(?:{MODEL_NAME.pattern})\Z", "No model has such a name.")],
        widget=UnfoldAdminTextInputWidget,
        help_text="The model's id as the provider writes it.",
    )


def _rate(label: str, *, required: bool = False, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=Decimal(0),
        help_text=help_text or PER_MILLION,
        widget=UnfoldAdminDecimalFieldWidget,
    )


class OperatorPriceForm(_Form):
    provider = _provider()
    model = _model()
    is_withdrawn = forms.BooleanField(
        label="Back to the list price",
        required=False,
        help_text="Takes back a price that was set before; the fields below stay empty.",
        widget=UnfoldBooleanWidget,
    )
    input = _rate("Input")
    output = _rate("Output")
    cache_read = _rate("Input from cache", help_text=f"{PER_MILLION} Empty: as input.")
    cache_write = _rate("Input into cache", help_text=f"{PER_MILLION} Empty: as input.")
    per_request = _rate("Per request", help_text="US dollars. Empty: none.")

    class Meta:
        model = OperatorPrice
        fields = ("provider", "model")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in () if cleaned.get("is_withdrawn") else ("input", "output"):
            if cleaned.get(name) is None and name not in self.errors:
                self.add_error(name, "This field is required.")
        for name in ("input", "output", "cache_read", "cache_write", "per_request"):
            try:
                if cleaned.get(name) is not None:
                    pricing.check_rate(cleaned[name])
            except pricing.RateProblem as problem:
                self.add_error(name, str(problem))
        return cleaned

    def price(self) -> Price:
        """What was entered; the form must be valid."""
        entered = self.cleaned_data
        rates = Rates(
            input=entered["input"],
            output=entered["output"],
            cache_read=entered["cache_read"],
            cache_write_5m=entered["cache_write"],
            per_request=entered["per_request"] or Decimal(0),
        )
        return Price(source="operator", since=timezone.now().date(), rates=rates)


@admin.register(OperatorPrice, site=site)
class OperatorPriceAdmin(ReadOnly):
    """The newest row of a model is in force; a wrong one is put right by another one."""

    form = OperatorPriceForm
    list_display = ("model", "provider", "rates", "created_at", "created_by")
    list_filter = ("provider",)
    search_fields = ("model",)
    ordering = ("-created_at", "-id")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is not None:
            return ("provider", "model", "rates", "created_at", "created_by")
        return (
            "provider", "model", "is_withdrawn", "input", "output", "cache_read", "cache_write",
            "per_request",
        )  # fmt: skip

    @admin.display(description="US dollars per million")
    def rates(self, row: OperatorPrice) -> str:
        if not row.price:
            return "the list price again"
        rates = pricing.from_json(row.price).rates
        named = {"in": rates.input, "out": rates.output, "cached": rates.cache_read}
        return ", ".join(f"{name} {rate}" for name, rate in named.items() if rate is not None)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_staff)

    def save_model(self, request: HttpRequest, obj: OperatorPrice, form: Any, change: bool) -> None:
        is_withdrawn = form.cleaned_data["is_withdrawn"]
        obj.price = "" if is_withdrawn else pricing.to_json(form.price()).decode()
        obj.created_by = actor_of(request).name
        obj.save(force_insert=True)
        changes.record(prices.KIND, tenant=None)


class OperatorModelForm(_ModelForm):
    provider = _provider()
    model = _model()
    kind = forms.ChoiceField(
        required=False,
        choices=[("", "As the catalogue has it"), *((kind, kind) for kind in KINDS)],
        widget=UnfoldAdminSelectWidget,
    )
    can = forms.MultipleChoiceField(
        required=False,
        choices=[(name, name) for name in sorted(CAPABILITIES)],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None: as the catalogue has it; a model that it does not know is tried.",
    )
    reasons = forms.NullBooleanField(
        required=False,
        widget=UnfoldAdminNullBooleanSelectWidget,
        help_text="Thinks before it answers, so that longer waits are normal.",
    )

    class Meta:
        model = OperatorModel
        fields = ("provider", "model", "family", "kind", "context", "output", "can", "reasons")

    def clean_can(self) -> list[str] | None:
        return sorted(self.cleaned_data["can"]) or None


class OperatorBaseUrlForm(_UrlForm):
    provider = _provider()
    base_url = forms.CharField(
        label="Base URL",
        max_length=512,
        widget=UnfoldAdminURLInputWidget,
        help_text="With the version, such as https://eu.example.com/v1. A private address can be"
        " set in the environment only: FLO2_PROVIDER_<SLUG>_BASE_URL.",
    )

    class Meta:
        model = OperatorBaseUrl
        fields = ("provider", "base_url")

    def clean_base_url(self) -> str:
        """An address of the public internet."""
        try:
            return guard.check_url(self.cleaned_data["base_url"].strip().rstrip("/"))
        except guard.AddressRefused as refused:
            raise forms.ValidationError(str(refused)) from None


class _Editable(ReadOnly):
    """Rows that the operator adds, changes and deletes; caches are told of each change."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_staff)

    has_change_permission = has_delete_permission = has_add_permission

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.created_by = actor_of(request).name
        obj.save()
        changes.record(overrides.KIND, tenant=None)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        obj.delete()
        changes.record(overrides.KIND, tenant=None)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        queryset.delete()
        changes.record(overrides.KIND, tenant=None)


@admin.register(OperatorModel, site=site)
class OperatorModelAdmin(_Editable):
    """A model that the release does not know, or knows wrongly."""

    form = OperatorModelForm
    list_display = ("model", "provider", "context", "output", "created_at", "created_by")
    list_filter = ("provider",)
    search_fields = ("model", "family")
    ordering = ("provider", "model", "id")


@admin.register(OperatorBaseUrl, site=site)
class OperatorBaseUrlAdmin(_Editable):
    """Where a provider is reached instead of the catalogue's address."""

    form = OperatorBaseUrlForm
    list_display = ("provider", "base_url", "created_at", "created_by")
    ordering = ("provider", "id")
