"""Forms of the team pages."""

from django import forms

from accounts.invitations import ROLES
from accounts.roles import Role

MAY = {
    Role.OWNER: "Everything, transfer and deletion of the account included.",
    Role.ADMIN: "Everything but to transfer or delete the account.",
    Role.MEMBER: "Sees all pages but the audit list, manages keys, policies and budgets, and uses"
    " the playground.",
    Role.VIEWER: "Sees calls, costs and budgets, and changes nothing.",
}


def _choices() -> list[tuple[str, str]]:
    return [(role.value, f"{role.label}: {_inner(MAY[role])}") for role in ROLES]


def _inner(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].removesuffix(".")


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        choices=_choices, widget=forms.RadioSelect, initial=Role.MEMBER, label="Role"
    )


class InviteForm(RoleForm):
    email = forms.EmailField(
        max_length=254,
        label="E-mail address",
        widget=forms.EmailInput(attrs={"autocomplete": "off", "placeholder": "name@example.com"}),
    )
    field_order = ("email", "role")
