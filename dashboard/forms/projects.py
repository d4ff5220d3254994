"""Forms of the projects pages."""

from django import forms
from django.core.validators import RegexValidator

from accounts.models.project import NAME_PATTERN

RULE = "Up to 64 lower-case letters, digits, dots, hyphens and underscores."


class ProjectForm(forms.Form):
    name = forms.CharField(
        max_length=64,
        label="Name",
        validators=[RegexValidator(NAME_PATTERN, message=RULE)],
        help_text=RULE,
        widget=forms.TextInput(attrs={"placeholder": "support-bot", "autocomplete": "off"}),
    )
