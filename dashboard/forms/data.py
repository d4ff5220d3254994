"""Forms of the training data page: what is collected, and what of it is looked at."""

from collections.abc import Sequence
from typing import Any

from django import forms

from accounts import ids
from accounts.models import GatewayKey, Project
from accounts.tenant_settings import Settings
from dashboard import words
from dashboard.forms import days
from routing.training_data import filters, terms
from routing.training_data.rows import Wanted

Choices = list[tuple[str, str]]

SCORES = {"0": "0 and better", "0.5": "0.5 and better", "1": "1"}


class TermsForm(forms.Form):
    """What is collected: bounds, and filters of which an empty one lets everything through."""

    content_cap = forms.IntegerField(
        min_value=terms.BOUNDS["content_cap"][0],
        max_value=terms.BOUNDS["content_cap"][1],
        label="Keep at most",
        help_text="Calls, of live and test each. The oldest go first.",
    )
    retention_days = forms.IntegerField(
        min_value=terms.BOUNDS["retention_days"][0],
        max_value=terms.BOUNDS["retention_days"][1],
        label="Delete after",
        help_text="Days.",
    )
    share = forms.DecimalField(
        min_value=0,
        max_value=100,
        decimal_places=3,
        label="Share of the calls",
        help_text="Percent of those that fit, drawn at random.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    models = forms.CharField(
        required=False,
        label="Models",
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "groq/*\ngpt-4o-mini"}),
        help_text="One per line, as served or as asked for; * stands for any characters.",
    )
    projects = forms.MultipleChoiceField(
        required=False, label="Projects", widget=forms.CheckboxSelectMultiple
    )
    gateway_keys = forms.MultipleChoiceField(
        required=False, label="Gateway keys", widget=forms.CheckboxSelectMultiple
    )
    policies = forms.MultipleChoiceField(
        required=False, label="Policies", widget=forms.CheckboxSelectMultiple
    )
    finish_reasons = forms.MultipleChoiceField(
        required=False,
        label="Replies that",
        choices=list(words.FINISHES.items()),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(
        self,
        its: Settings,
        *,
        projects: Sequence[Project],
        keys: Sequence[GatewayKey],
        policies: Sequence[str],
        data: Any = None,
    ) -> None:
        now = filters.read(its.collect)
        newest = {key.lineage: key for key in sorted(keys, key=lambda key: key.created_at)}
        super().__init__(
            data,
            initial={
                "content_cap": its.content_cap,
                "retention_days": its.retention_days,
                "share": f"{now.share * 100:.6g}",
                "models": "\n".join(now.models),
                "projects": [one.name for one in projects if one.pk in now.projects],
                "gateway_keys": [_id(newest[one]) for one in now.gateway_keys if one in newest],
                "policies": list(now.policies),
                "finish_reasons": list(now.finish_reasons),
            },
        )
        named = dict.fromkeys((*policies, *now.policies))
        offered = [k for k in newest.values() if not k.is_revoked or k.lineage in now.gateway_keys]
        self._choose("projects", [(one.name, one.name) for one in projects])
        self._choose("gateway_keys", [(_id(key), f"{key.name} ({key.shown})") for key in offered])
        self._choose("policies", [(name, name) for name in named])

    @property
    def groups(self) -> list[forms.BoundField]:
        """The fields of many boxes that have any."""
        names = ("projects", "gateway_keys", "policies", "finish_reasons")
        fields: Any = self.fields
        return [self[name] for name in names if fields[name].choices]

    def wishes(self) -> dict[str, Any]:
        """As the management API takes them; the form must be valid."""
        said = self.cleaned_data
        collect = {
            name: said[name] for name in ("projects", "gateway_keys", "policies", "finish_reasons")
        }
        collect["models"] = said["models"].splitlines()
        collect["share"] = float(said["share"]) / 100
        bounds = {name: said[name] for name in terms.BOUNDS}
        return {**bounds, "collect": collect}

    def _choose(self, name: str, choices: Choices) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]


class LookForm(forms.Form):
    """Which collected calls the page shows and the export has."""

    model = forms.CharField(
        required=False,
        max_length=200,
        label="Model",
        widget=forms.TextInput(attrs={"placeholder": "as served or asked for"}),
    )
    project = forms.ChoiceField(required=False, label="Project")
    key = forms.ChoiceField(required=False, label="Gateway key")
    policy = forms.ChoiceField(required=False, label="Policy")
    finish_reason = forms.ChoiceField(required=False, label="Reply")
    min_score = forms.ChoiceField(required=False, label="Feedback")

    def __init__(
        self,
        data: Any,
        *,
        projects: Sequence[Project],
        keys: Sequence[GatewayKey],
        policies: Sequence[str],
    ) -> None:
        super().__init__(data)
        self.fields.update(days.bounds())
        self._projects = {project.name: project.pk for project in projects}
        self._lineages = {_id(key): key.lineage for key in keys}
        self._choose("project", [(name, name) for name in self._projects])
        self._choose("key", [(_id(key), f"{key.name} …{key.last4}") for key in keys])
        self._choose("policy", [(name, name) for name in policies])
        self._choose("finish_reason", list(words.FINISHES.items()))
        self._choose("min_score", list(SCORES.items()))

    def wanted(self, mode: str) -> Wanted:
        """A field that is not valid does not restrict, and says so on the page."""
        self.is_valid()
        said = self.cleaned_data
        score = said.get("min_score")
        return Wanted(
            mode=mode,
            project=self._projects.get(said.get("project", "")),
            lineage=self._lineages.get(said.get("key", "")),
            model=said.get("model", ""),
            policy=said.get("policy", ""),
            finish_reason=said.get("finish_reason", ""),
            min_score=float(score) if score else None,
            start=days.begins_at(said.get("from")),
            end=days.ends_at(said.get("to")),
        )

    @property
    def in_use(self) -> int:
        """How many filters restrict the list."""
        return sum(1 for value in self.cleaned_data.values() if value)

    def _choose(self, name: str, choices: Choices) -> None:
        self.fields[name].choices = [("", "Any"), *choices]  # type: ignore[attr-defined]


def _id(key: GatewayKey) -> str:
    return ids.show("key", key.pk)
