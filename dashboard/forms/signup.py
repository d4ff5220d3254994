"""What signing up asks beside e-mail and password."""

from django import forms
from django.http import HttpRequest
from django.utils.safestring import mark_safe

from accounts.models import User


class ConsentForm(forms.Form):
    """Terms and privacy, as a choice that has to be made. The adapter notes when it was."""

    field_order = ("email", "password1", "consent")

    consent = forms.BooleanField(
        label=mark_safe(
            'I accept the <a href="/terms/" target="_blank">terms</a>'
            ' and the <a href="/privacy/" target="_blank">privacy notice</a>.'
        ),
        error_messages={"required": "To sign up, accept the terms and the privacy notice."},
    )

    def signup(self, request: HttpRequest, user: User) -> None:
        """Nothing more to do: the adapter saves user, consent and tenant in one transaction."""
