"""What the playground asks for. Each model is a request of its own."""

from typing import Any

import msgspec
from django import forms


class PlaygroundForm(forms.Form):
    model = forms.CharField(max_length=200)
    prompt = forms.CharField(
        max_length=100_000,
        strip=False,
        label="Prompt",
        widget=forms.Textarea(attrs={"rows": 5}),
        initial="Explain in three sentences why the sky is blue.",
    )
    system = forms.CharField(
        required=False,
        max_length=20_000,
        label="System prompt",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    max_tokens = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, label="At most so many tokens"
    )
    temperature = forms.FloatField(
        required=False,
        min_value=0,
        max_value=2,
        label="Temperature",
        widget=forms.NumberInput(attrs={"step": "0.1"}),
    )

    def body(self) -> bytes:
        """The request as a program would send it; the form must be valid."""
        wishes = self.cleaned_data
        messages = [{"role": "user", "content": wishes["prompt"]}]
        if wishes["system"]:
            messages.insert(0, {"role": "system", "content": wishes["system"]})
        content: dict[str, Any] = {
            "model": wishes["model"],
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for name in ("max_tokens", "temperature"):
            if wishes[name] is not None:
                content[name] = wishes[name]
        return msgspec.json.encode(content)
