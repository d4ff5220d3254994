"""The filters of the calls page."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django import forms

from accounts import ids
from accounts.models import GatewayKey, Project
from billing.call_search import CallFilter
from dashboard import marks, words
from dashboard.forms import days
from routing.providers import catalog_index


class CallsForm(forms.Form):
    status = forms.ChoiceField(required=False, label="Status")
    provider = forms.ChoiceField(required=False, label="Provider")
    model = forms.CharField(
        required=False,
        max_length=200,
        label="Model",
        widget=forms.TextInput(attrs={"placeholder": "as served"}),
    )
    project = forms.ChoiceField(required=False, label="Project")
    key = forms.ChoiceField(required=False, label="Gateway key")
    tag = forms.CharField(required=False, max_length=100, label="Tag")
    policy = forms.CharField(required=False, max_length=64, label="Policy")

    def __init__(
        self, data: Any, *, projects: Iterable[Project], keys: Iterable[GatewayKey]
    ) -> None:
        super().__init__(data)
        self.fields.update(days.bounds())
        self._projects = {project.name: project.pk for project in projects}
        slugs = catalog_index.current().providers
        shown_keys = [(ids.show("key", key.pk), f"{key.name} …{key.last4}") for key in keys]
        self._choose("status", [(code, word.text) for code, word in words.CALL_STATUSES.items()])
        self._choose("provider", [(slug, marks.label_of(slug)) for slug in slugs])
        self._choose("project", [(name, name) for name in self._projects])
        self._choose("key", shown_keys)

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = [("", "Any"), *choices]  # type: ignore[attr-defined]

    def wanted(self, mode: str) -> CallFilter:
        """The filter; a field that is not valid does not restrict, and says so on the page."""
        self.is_valid()
        wishes = self.cleaned_data
        key = wishes.get("key")
        return CallFilter(
            mode=mode,
            start=days.begins_at(wishes.get("from")),
            end=days.ends_at(wishes.get("to")),
            provider=wishes.get("provider", ""),
            model=wishes.get("model", ""),
            status=wishes.get("status", ""),
            project=self._projects.get(wishes.get("project", "")),
            key=ids.read("key", key) if key else None,
            tag=wishes.get("tag", ""),
            policy=wishes.get("policy", ""),
        )

    @property
    def in_use(self) -> int:
        """How many filters restrict the list."""
        return sum(1 for value in self.cleaned_data.values() if value)

    def told(self, query: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Filters of some query, each with its label, in words."""
        found = []
        for name, field in self.fields.items():
            if value := query.get(name):
                named = dict(getattr(field, "choices", ()))
                found.append((str(field.label), str(named.get(value, value))))
        return found


def of_tenant(tenant: UUID, query: Any) -> CallsForm:
    """The filters of a query, with the tenant's projects and keys to choose from."""
    return CallsForm(
        query,
        projects=Project.objects.for_tenant(tenant),
        keys=GatewayKey.objects.for_tenant(tenant),
    )
