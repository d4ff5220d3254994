"""What adding an e-mail address to one's login asks."""

from allauth.account.adapter import get_adapter
from allauth.account.forms import AddEmailForm
from django.conf import settings

from accounts.models import User


class AddAddressForm(AddEmailForm):  # type: ignore[misc]  # allauth comes without types
    """Where no mail is sent nobody can prove an address, so that of another login is refused."""

    def clean_email(self) -> str:
        address: str = super().clean_email()
        if not settings.EMAIL_CONFIG and User.objects.filter(email=address).exists():
            raise get_adapter().validation_error("email_taken")
        return address
