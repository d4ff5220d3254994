"""The form that draws up an experiment."""

from decimal import Decimal
from typing import Any

from django import forms

from routing.lab import MOST_PAIRS, ArmWish, Problems, Wish
from routing.policies import MARK

PLACES = {
    "judge.model": "judge_model",
    "max_judge_spend_usd": "max_judge_spend",
}


class ExperimentForm(forms.Form):
    name = forms.CharField(
        max_length=64, label="Name", help_text="Small letters, digits, dot, dash, underscore."
    )
    policy = forms.ChoiceField(
        required=False,
        label="Whose calls",
        help_text="Calls of auto and of this policy take part; whoever names a model gets it.",
    )
    arms = forms.CharField(
        label="Arms",
        widget=forms.Textarea(
            attrs={"rows": 3, "placeholder": "A groq/llama-3.3-70b-versatile\nB @cheap 0.5"}
        ),
        help_text="One per line: a name, then a model or @policy, then its weight if it is not 1."
        " The others are compared with the first.",
    )
    assignment = forms.ChoiceField(
        choices=[("session", "By session"), ("call", "By call")],
        label="Who stays in an arm",
        help_text="Calls without a session are drawn one by one.",
    )
    judge_model = forms.CharField(
        required=False,
        max_length=200,
        label="Judge",
        widget=forms.TextInput(attrs={"placeholder": "openai/gpt-4.1-mini"}),
        help_text="Best of a third maker. Without one only cost, speed and errors are compared.",
    )
    judge_instructions = forms.CharField(
        required=False,
        max_length=2000,
        label="What counts",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Empty: correct, complete, doing what was asked for, without padding.",
    )
    shadow_rate = forms.FloatField(
        required=False,
        min_value=0,
        max_value=100,
        initial=10,
        label="Calls to judge, in percent",
        help_text="Each is asked of the other arm a second time, after the caller has its answer.",
    )
    target_pairs = forms.IntegerField(
        required=False, min_value=1, max_value=MOST_PAIRS, initial=200, label="Pairs at most"
    )
    max_judge_spend = forms.DecimalField(
        required=False,
        min_value=Decimal(0),
        max_digits=19,
        decimal_places=12,
        initial=Decimal(5),
        label="Judging may cost (USD)",
    )
    keeps_examples = forms.BooleanField(
        required=False,
        label="Keep up to 20 pairs to look at",
        help_text="Sealed, for seven days at most, and erased when the experiment stops.",
    )

    def __init__(self, policies: list[str], data: Any = None) -> None:
        super().__init__(data)
        names = [(name, name) for name in policies]
        self.fields["policy"].choices = [("", "of no policy"), *names]  # type: ignore[attr-defined]

    def wish(self, mode: str) -> Wish:
        """What was filled in; the form must be valid."""
        said = self.cleaned_data
        judge = said["judge_model"].strip()
        return Wish(
            name=said["name"],
            mode=mode,
            policy=said["policy"],
            arms=said["arms"],
            assignment=said["assignment"],
            shadow_rate=(said["shadow_rate"] or 0) / 100 if judge else 0.0,
            judge_model=judge,
            judge_instructions=said["judge_instructions"],
            target_pairs=said["target_pairs"] or 200,
            max_judge_spend=said["max_judge_spend"] or Decimal(0),
            keeps_examples=said["keeps_examples"],
        )

    def clean_arms(self) -> tuple[ArmWish, ...]:
        lines = [line.split() for line in self.cleaned_data["arms"].splitlines() if line.strip()]
        return tuple(_arm(parts) for parts in lines)

    def add_problems(self, problems: Problems) -> None:
        for place, texts in problems.items():
            field = PLACES.get(place, place.partition(".")[0])
            for text in texts:
                self.add_error(field if field in self.fields else None, text)


def _arm(parts: list[str]) -> ArmWish:
    if len(parts) not in {2, 3}:
        raise forms.ValidationError(f"{' '.join(parts)}: a name, a model or @policy, a weight.")
    name, what = parts[:2]
    try:
        weight = float(parts[2]) if len(parts) == 3 else 1.0
    except ValueError:
        raise forms.ValidationError(f"{parts[2]!r} is no weight.") from None
    if what.startswith(MARK):
        return ArmWish(name, policy=what.removeprefix(MARK), weight=weight)
    return ArmWish(name, model=what, weight=weight)
