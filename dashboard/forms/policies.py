"""The form of a policy: the same document by fields, or as JSON, and what to try it with."""

import json
from typing import Any

from django import forms

from accounts.errors import InvalidRequest
from accounts.models.project import NAME_PATTERN
from routing.policy_terms import FIELDS, STRATEGIES, Problems
from routing.providers.spec import CAPABILITIES
from routing.replay import MOST_DAYS
from routing.wire import bodies

Document = dict[str, Any]

STRATEGY_WORDS = {
    "balanced": "balanced: the best worth for its price",
    "cheapest": "cheapest: the least expected cost",
    "fastest": "fastest: the quickest answer, learned from your calls",
    "priority": "priority: the targets in their order",
    "weighted": "weighted: the targets by their shares",
    "race": "race: the targets in their order, or the fastest",
}
CAPABILITY_WORDS = {
    "tools": "Tools", "json_schema": "JSON schema", "image": "Images", "audio": "Audio",
    "pdf": "PDF", "logprobs": "Log probabilities", "reasoning": "Reasoning",
    "n": "Several answers", "sampling": "Temperature",
}  # fmt: skip
_PARTS = {
    "race_width": ("race", "width"),
    "hedge_after": ("hedge", "after_ms"),
    "cache_ttl": ("cache", "ttl_s"),
    "connect_s": ("timeouts", "connect_s"),
    "first_token_s": ("timeouts", "first_token_s"),
    "idle_s": ("timeouts", "idle_s"),
    "total_s": ("timeouts", "total_s"),
    "max_input": ("max_price", "input"),
    "max_output": ("max_price", "output"),
}
_PLAIN = ("strategy", "retries", "quality", "good_enough", "hedge_budget")


def _number(label: str, placeholder: str, help_text: str = "") -> forms.CharField:
    """A number that the document's own rules check, so that both ways in say the same."""
    attrs = {"inputmode": "decimal", "placeholder": placeholder}
    return forms.CharField(
        required=False,
        max_length=20,
        label=label,
        help_text=help_text,
        widget=forms.TextInput(attrs=attrs),
    )


class PolicyForm(forms.Form):
    strategy = forms.ChoiceField(
        choices=[(name, STRATEGY_WORDS[name]) for name in STRATEGY_WORDS],
        label="Strategy",
    )
    quality = _number(
        "Quality dial", "5", "For balanced: 0 is the cheapest that works, 10 the best at any price."
    )
    good_enough = _number(
        "Good enough",
        "0.9",
        "For balanced: take the cheapest model that won or tied so often in your own judged pairs"
        " of the same task, 0.5 to 1. Empty: the dial decides.",
    )
    targets = forms.CharField(
        required=False,
        label="Targets",
        widget=forms.Textarea(
            attrs={"rows": 4, "placeholder": "groq/llama-3.3-70b-versatile\ngpt-oss-120b 3"}
        ),
        help_text="One model per line; behind it its weight, if any. Empty: whatever your keys"
        " reach.",
    )
    fallbacks = forms.CharField(
        required=False,
        label="Fallbacks",
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "openai/gpt-4.1-mini"}),
        help_text="Tried after all others, one per line, in this order.",
    )
    max_input = _number("Input price at most", "1.00", "USD per million tokens.")
    max_output = _number("Output price at most", "4.00", "USD per million tokens.")
    require = forms.MultipleChoiceField(
        required=False,
        choices=[(name, CAPABILITY_WORDS.get(name, name)) for name in sorted(CAPABILITIES)],
        widget=forms.CheckboxSelectMultiple,
        label="Only models that can do",
    )
    retries = _number("Retries", "1", "On the same target, when another try may help.")
    first_token_s = _number("First token within", "60", "Seconds; then the next target is asked.")
    connect_s = _number("Connection within", "5", "Seconds.")
    idle_s = _number("Silence at most", "60", "Seconds, once the answer has begun.")
    total_s = _number("Whole call within", "900", "Seconds.")
    race_width = _number("Race, targets at once", "2", "1 to 5; the losers cost, too.")
    hedge_after = _number("Hedge after", "800", "Milliseconds of silence, or p95.")
    hedge_budget = _number("Hedges at most", "0.1", "Extra calls per call.")
    cache_ttl = _number("Cache answers for", "3600", "Seconds; 0 never, whatever a request says.")
    sticky = forms.BooleanField(
        required=False, label="A session stays with the target that answered it"
    )
    lock = forms.BooleanField(required=False, label="Requests cannot choose otherwise")

    def said(self) -> Document:
        """What the fields say; the form must be valid. Numbers that are none stay text."""
        wishes = self.cleaned_data
        found: Document = {
            name: _as_number(wishes[name]) if name != "strategy" else wishes[name]
            for name in _PLAIN
            if wishes[name]
        }
        for name, (outer, inner) in _PARTS.items():
            if wishes[name]:
                found.setdefault(outer, {})[inner] = _as_number(wishes[name])
        if targets := [_target(line) for line in _lines(wishes["targets"])]:
            found["targets"] = targets
        if fallbacks := _lines(wishes["fallbacks"]):
            found["fallbacks"] = fallbacks
        if wishes["require"]:
            found["require"] = wishes["require"]
        if wishes["sticky"]:
            found["sticky"] = "session"
        if wishes["lock"]:
            found["lock"] = True
        return {name: found[name] for name in FIELDS if name in found}

    def add_problems(self, problems: Problems) -> None:
        """What is wrong with the document, at the fields it came from."""
        by_part = {".".join(parts): name for name, parts in _PARTS.items()}
        for place, texts in problems.items():
            name = by_part.get(place, place.partition(".")[0])
            for text in texts:
                where = (
                    f"{place.partition('.')[2]}: " if place.count(".") and name == "targets" else ""
                )
                self.add_error(name if name in self.fields else None, f"{where}{text}")


def initial_of(document: Document) -> dict[str, Any]:
    """The fields that say the same as a document."""
    found: dict[str, Any] = {name: document[name] for name in _PLAIN if name in document}
    for name, (outer, inner) in _PARTS.items():
        value = (document.get(outer) or {}).get(inner)
        if value is not None:
            found[name] = value
    found["targets"] = "\n".join(_line(target) for target in document.get("targets") or [])
    found["fallbacks"] = "\n".join(document.get("fallbacks") or [])
    found["require"] = document.get("require") or []
    found["sticky"] = document.get("sticky") == "session"
    found["lock"] = document.get("lock") is True
    return found


class JsonForm(forms.Form):
    document = forms.CharField(
        label="The same as JSON",
        max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "json"}),
        help_text="What the management API takes: PUT /api/v1/policies/NAME.",
    )

    def clean_document(self) -> Any:
        try:
            return bodies.read_storable(self.cleaned_data["document"].encode())
        except InvalidRequest as problem:
            raise forms.ValidationError(str(problem)) from None

    def said(self) -> Any:
        """The document as it was decoded; the form must be valid."""
        return self.cleaned_data["document"]

    def add_problems(self, problems: Problems) -> None:
        for place, texts in problems.items():
            for text in texts:
                self.add_error("document", f"{place}: {text}")


class NameForm(forms.Form):
    name = forms.RegexField(
        regex=NAME_PATTERN,
        max_length=64,
        label="Name",
        help_text="Requests name it: @name in place of a model, or x-flo2-policy. The policy"
        " called default applies where nothing else is named.",
        error_messages={"invalid": "1 to 64 of a-z, 0-9, dot, dash, underscore."},
        widget=forms.TextInput(attrs={"placeholder": "default"}),
    )


class TryForm(forms.Form):
    """A request to plan without making it, and how many days to replay."""

    model = forms.CharField(max_length=200, initial="auto", label="Model", required=False)
    input_tokens = forms.IntegerField(
        min_value=1, max_value=10_000_000, initial=500, label="Input tokens"
    )
    max_tokens = forms.IntegerField(
        min_value=1, max_value=1_000_000, required=False, label="Most output tokens"
    )
    needs = forms.MultipleChoiceField(
        required=False,
        choices=[(name, CAPABILITY_WORDS[name]) for name in ("tools", "json_schema", "image")],
        widget=forms.CheckboxSelectMultiple,
        label="The request has",
    )
    days = forms.IntegerField(min_value=1, max_value=MOST_DAYS, initial=7, label="Days to replay")


def shown(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _target(line: str) -> Any:
    name, _, weight = line.rpartition(" ")
    return {"model": name.strip(), "weight": _as_number(weight)} if name else line


def _line(target: Any) -> str:
    if not isinstance(target, dict):
        return str(target)
    weight = target.get("weight")
    return str(target["model"]) if weight is None else f"{target['model']} {weight:g}"


def _as_number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


assert set(STRATEGIES) == set(STRATEGY_WORDS)  # noqa: S101  a new strategy needs a word
