"""The team page: who is on it, and the way of an invitation from the form to the new member."""

import re

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from accounts import ids, invitations, members
from accounts.models import Invitation, Membership, User
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.factories.accounts import PASSWORD, UserFactory

PAGE = "/dashboard/team/"
HERS = "ada@example.org"


@pytest.fixture
def sends_mail(settings: object) -> None:
    settings.EMAIL_CONFIG = {"EMAIL_HOST": "localhost"}  # type: ignore[attr-defined]


def link_of(said: str) -> str:
    found = re.search(r"http://testserver(/invitation/[\w-]+/)", said)
    assert found, said
    return found[1]


def role_of(world: World, email: str) -> str | None:
    with tenant_scope(world.tenant.pk):
        rows = Membership.objects.for_tenant(world.tenant).filter(user__email=email)
        return rows.values_list("role", flat=True).first()


def invite(owner: Client, email: str = HERS, role: str = Role.MEMBER) -> str:
    """The path of the invitation's link, as the page shows it."""
    answer = owner.post(PAGE, {"email": email, "role": role})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    return link_of(answer.content.decode())


def test_everybody_sees_who_belongs_and_managers_what_they_can_do(
    world: World, log_in: LogIn
) -> None:
    seen = text(log_in(world.people[Role.VIEWER]).get(PAGE))
    managed = text(log_in(world.people[Role.ADMIN]).get(PAGE))

    for person in world.people.values():
        assert person.email in seen
    assert "Invite somebody" not in seen
    assert "new@example.org" not in seen
    assert "Invite somebody" in managed
    assert "new@example.org" in managed
    assert "Make owner" not in managed


def test_without_mail_the_link_is_shown_once(owner: Client, world: World) -> None:
    path = invite(owner)

    assert path not in owner.get(PAGE).content.decode()
    assert mail.outbox == []


def test_with_mail_the_link_is_sent_and_not_shown(
    owner: Client, world: World, sends_mail: None
) -> None:
    answer = owner.post(PAGE, {"email": HERS, "role": Role.ADMIN}, follow=True)

    sent = mail.outbox[0]
    assert isinstance(sent, EmailMultiAlternatives)
    html = str(sent.alternatives[0][0])
    path = link_of(str(sent.body))
    assert sent.to == [HERS]
    assert "as admin" in str(sent.body)
    assert link_of(html) == path
    assert path not in answer.content.decode()
    assert f"sent to {HERS}" in text(answer)


def test_a_mail_that_cannot_be_sent_shows_the_link(
    owner: Client, world: World, sends_mail: None, settings: object
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]
    settings.EMAIL_PORT = 9  # type: ignore[attr-defined]  # nobody listens there

    answer = owner.post(PAGE, {"email": HERS, "role": Role.MEMBER})

    assert "could not be sent" in text(answer)
    assert link_of(answer.content.decode())


def test_somebody_with_a_login_accepts(owner: Client, world: World) -> None:
    ada = UserFactory.create(email=HERS)
    path, browser = invite(owner, role=Role.VIEWER), Client()
    assert f"Log in as {HERS}" in text(browser.get(path))
    browser.force_login(ada)

    assert "Accept the invitation" in text(browser.get(path))
    answer = browser.post(path, follow=True)

    assert answer.redirect_chain[-1][0] == "/dashboard/"
    assert role_of(world, HERS) == Role.VIEWER
    assert browser.get(path).status_code == 404


@pytest.mark.parametrize("rule", ["open", "invite"])
def test_somebody_new_signs_up_and_is_a_member_without_a_tenant_of_their_own(
    rule: str, owner: Client, world: World, settings: object
) -> None:
    settings.FLO2_SIGNUP = rule  # type: ignore[attr-defined]
    path, browser = invite(owner), Client()
    assert f"Sign up as {HERS}" in text(browser.get(path))

    answer = browser.post(
        "/accounts/signup/", {"email": HERS, "password1": PASSWORD, "consent": "on"}, follow=True
    )

    assert world.tenant.name in text(answer)
    assert role_of(world, HERS) == Role.MEMBER
    user = User.objects.get(email=HERS)
    assert user.terms_accepted_at is not None
    assert [one.tenant for one in _memberships(user)] == [world.tenant]


def _memberships(user: User) -> list[Membership]:
    return members.of_user(user)


def test_by_invitation_only_admits_nobody_else(
    owner: Client, world: World, settings: object
) -> None:
    settings.FLO2_SIGNUP = "invite"  # type: ignore[attr-defined]
    path, browser = invite(owner), Client()
    form = {"email": "eve@example.org", "password1": PASSWORD, "consent": "on"}
    assert "By invitation only" in text(browser.get("/accounts/signup/"))
    browser.get(path)

    answer = browser.post("/accounts/signup/", form)

    assert f"The invitation is for {HERS}." in text(answer)
    assert not User.objects.filter(email="eve@example.org").exists()


def test_who_is_logged_in_as_somebody_else_is_told_and_can_log_out(
    owner: Client, world: World
) -> None:
    path = invite(owner)

    assert "for another address" in text(owner.get(path))
    owner.post(path)
    assert role_of(world, HERS) is None
    owner.post(path, {"log_out": "1"})

    assert "Sign up as" in text(owner.get(path))


def test_members_cannot_invite(world: World, log_in: LogIn) -> None:
    for role in (Role.MEMBER, Role.VIEWER):
        answer = log_in(world.people[role]).post(PAGE, {"email": HERS, "role": Role.ADMIN})
        assert answer.status_code == 403


def test_a_bad_invitation_says_what_is_wrong(owner: Client, world: World) -> None:
    known = world.people[Role.VIEWER].email
    for email, complaint in ((known, "already"), ("nobody", "valid email")):
        answer = owner.post(PAGE, {"email": email, "role": Role.MEMBER})
        assert answer.status_code == 422
        assert complaint in text(answer)
    assert owner.post(PAGE, {"email": HERS, "role": Role.OWNER}).status_code == 422


def _of(world: World, role: str, act: str) -> str:
    return f"{PAGE}{ids.show('mem', world.membership_of(role).pk)}/{act}/"


def test_a_role_is_changed_a_member_removed_and_the_account_transferred(
    owner: Client, world: World
) -> None:
    member, admin = world.people[Role.MEMBER], world.people[Role.ADMIN]
    viewer = world.people[Role.VIEWER]

    owner.post(_of(world, Role.MEMBER, "role"), {"role": Role.VIEWER})
    assert role_of(world, member.email) == Role.VIEWER
    path = f"{PAGE}{ids.show('mem', _row(world, viewer).pk)}/remove/"
    owner.post(path)
    assert role_of(world, viewer.email) is None
    owner.post(_of(world, Role.ADMIN, "transfer"))

    assert role_of(world, admin.email) == Role.OWNER
    assert role_of(world, world.owner.email) == Role.ADMIN
    assert owner.post(_of(world, Role.OWNER, "transfer")).status_code == 403


def _row(world: World, user: User) -> Membership:
    with tenant_scope(world.tenant.pk):
        return Membership.objects.for_tenant(world.tenant).get(user=user)


def test_the_owner_is_not_removed(owner: Client, world: World) -> None:
    answer = owner.post(_of(world, Role.OWNER, "remove"), follow=True)

    assert "Transfer it first" in text(answer)
    assert role_of(world, world.owner.email) == Role.OWNER
    assert owner.post(_of(world, Role.OWNER, "role"), {"role": Role.VIEWER}).status_code == 422


def test_a_member_leaves_and_sees_nothing_any_more(world: World, log_in: LogIn) -> None:
    browser = log_in(world.people[Role.VIEWER])

    answer = browser.post(f"{PAGE}leave/", follow=True)

    assert answer.status_code == 404
    assert role_of(world, world.people[Role.VIEWER].email) is None


def test_the_owner_cannot_leave(owner: Client, world: World) -> None:
    owner.post(f"{PAGE}leave/")

    assert role_of(world, world.owner.email) == Role.OWNER


def test_an_invitation_is_withdrawn(owner: Client, world: World) -> None:
    row = world.invited.record
    owner.post(f"{PAGE}invitations/{ids.show('inv', row.pk)}/withdraw/")

    with tenant_scope(world.tenant.pk):
        assert not Invitation.objects.for_tenant(world.tenant).exists()
    assert owner.get(f"/invitation/{world.invited.token}/").status_code == 404


def test_an_expired_link_is_as_unknown_as_a_wrong_one(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tenant_scope(world.tenant.pk):
        row = world.invited.record
        row.expires_at = row.created_at - invitations.LASTS
        row.save()

    assert client.get(f"/invitation/{world.invited.token}/").status_code == 404
    assert client.get("/invitation/guess/").status_code == 404
