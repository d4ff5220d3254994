"""Sign up, log in, and where one lands."""

import time
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth
from django.core import mail
from django.test import Client

from accounts import members
from accounts.models import OperatorEvent, User
from accounts.roles import Role
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.factories.accounts import PASSWORD, MembershipFactory, TenantFactory, UserFactory

SIGN_UP, LOG_IN = "/accounts/signup/", "/accounts/login/"
FORM = {"email": "New@Example.org", "password1": "a long enough passphrase", "consent": "on"}


@pytest.mark.django_db
def test_signing_up_makes_a_tenant_and_shows_its_first_keys(client: Client) -> None:
    answer = client.post(SIGN_UP, FORM, follow=True)

    user = User.objects.get(email="new@example.org")
    [membership] = members.of_user(user)
    assert membership.role == Role.OWNER
    assert user.terms_accepted_at is not None
    assert answer.redirect_chain == [("/dashboard/keys/first/", 302)]
    assert "flo2_live_" in text(answer)


@pytest.mark.django_db
def test_without_consent_nobody_is_signed_up(client: Client) -> None:
    answer = client.post(SIGN_UP, {**FORM, "consent": ""})

    assert "accept the terms and the privacy notice" in text(answer)
    assert not User.objects.filter(email="new@example.org").exists()


@pytest.mark.django_db
def test_a_weak_password_is_said_at_its_field(client: Client) -> None:
    answer = client.post(SIGN_UP, {**FORM, "password1": "short"})

    assert "too short" in text(answer)


@pytest.mark.django_db
def test_a_tenant_that_cannot_be_made_leaves_no_user_behind(client: Client, settings: Any) -> None:
    settings.FLO2_MASTER_KEYS = "broken"
    client.raise_request_exception = False

    assert client.post(SIGN_UP, FORM).status_code == 500
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("who", "says"),
    [("invite", "admits people whom its operator has invited"), ("closed", "Sign-up is closed")],
)
def test_a_closed_door_says_whom_to_ask(who: str, says: str, client: Client, settings: Any) -> None:
    settings.FLO2_SIGNUP = who
    settings.DEFAULT_FROM_EMAIL = "ops@example.org"

    answer = client.get(SIGN_UP)

    assert says in text(answer)
    assert "Ask the operator: ops@example.org" in text(answer)
    assert client.post(SIGN_UP, FORM).status_code == 200
    assert not User.objects.exists()


def test_what_the_operator_decides_holds_in_place_of_the_environment(
    client: Client, browser: Client, world: World, settings: Any
) -> None:
    visitor, decide = Client(), "/admin/signup/"
    assert "As FLO2_SIGNUP says: open" in text(browser.get(decide))

    for mode, says in {
        "closed": "Sign-up is closed", "invite": "By invitation only", "open": "Get your key",
        "": "Get your key",
    }.items():  # fmt: skip
        browser.post(decide, {"signup": mode})
        assert says in text(visitor.get(SIGN_UP)) or mode in {"open", ""}
        assert ("Get a key" in text(visitor.get(LOG_IN))) == (mode in {"open", ""})
        visitor.post(SIGN_UP, {**FORM, "email": f"m-{mode}@example.org"})
        made = User.objects.filter(email=f"m-{mode}@example.org").exists()
        assert made == (mode in {"open", ""}), mode
        visitor = Client()

    settings.FLO2_SIGNUP = "closed"
    assert "Sign-up is closed" in text(visitor.get(SIGN_UP))
    events = OperatorEvent.objects.filter(action="signup.changed").order_by("number")
    assert [event.subject for event in events] == [
        "closed", "invite", "open", "as the environment says",
    ]  # fmt: skip
    assert browser.post(decide, {"signup": "whatever"}).status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("mail_is_sent")
def test_with_mail_an_address_is_verified_and_the_page_says_nothing_about_accounts(
    client: Client,
) -> None:
    UserFactory.create(email="known@example.org")

    new = client.post(SIGN_UP, FORM, follow=True)
    known = client.post(SIGN_UP, {**FORM, "email": "known@example.org"}, follow=True)

    assert "Look into your mail" in text(new)
    assert text(new).replace("new@", "known@") == text(known)
    link = next(word for word in str(mail.outbox[0].body).split() if "confirm-email" in word)
    page = client.get(link)
    assert "Is new@example.org your address?" in text(page)


@pytest.mark.django_db
def test_logging_in_leads_to_the_first_keys_until_they_were_shown(client: Client) -> None:
    user = MembershipFactory.create().user
    form = {"login": user.email, "password": PASSWORD}

    first = client.post(LOG_IN, form)
    client.get("/dashboard/keys/first/")
    client.post("/accounts/logout/")
    second = client.post(LOG_IN, form)

    assert (first["Location"], second["Location"]) == ("/dashboard/keys/first/", "/dashboard/")


@pytest.mark.django_db
def test_a_viewer_is_not_led_to_keys(client: Client) -> None:
    user = MembershipFactory.create(role=Role.VIEWER).user

    answer = client.post(LOG_IN, {"login": user.email, "password": PASSWORD})

    assert answer["Location"] == "/dashboard/"


@pytest.mark.django_db
def test_an_operator_without_a_tenant_is_led_to_the_admin(client: Client) -> None:
    user = UserFactory.create(is_staff=True)

    answer = client.post(LOG_IN, {"login": user.email, "password": PASSWORD})

    assert answer["Location"] == "/admin/"
    assert "Open the admin" in text(client.get("/dashboard/"))


@pytest.mark.django_db
def test_a_wrong_password_says_so_and_nothing_more(client: Client) -> None:
    user = UserFactory.create()

    known = client.post(LOG_IN, {"login": user.email, "password": "wrong"})
    unknown = client.post(LOG_IN, {"login": "nobody@example.org", "password": "wrong"})

    assert "are not correct" in text(known)
    assert text(known).replace(user.email, "") == text(unknown).replace("nobody@example.org", "")


@pytest.mark.django_db
def test_the_landing_page_knows_who_is_logged_in(client: Client) -> None:
    assert "Get your key" in text(client.get("/"))

    client.force_login(MembershipFactory.create().user)

    assert "Open dashboard" in text(client.get("/"))


def test_a_password_is_reset_by_mail(world: World, client: Client, mail_is_sent: None) -> None:
    client.post("/accounts/password/reset/", {"email": world.owner.email})
    link = next(word for word in str(mail.outbox[0].body).split() if "/reset/key/" in word)

    page = client.get(link, follow=True)
    path = page.redirect_chain[-1][0]
    done = client.post(path, {"password1": "another long passphrase",
                              "password2": "another long passphrase"}, follow=True)  # fmt: skip

    assert "Your password is changed" in text(done)
    world.owner.refresh_from_db()
    assert world.owner.check_password("another long passphrase")


def test_without_mail_nobody_takes_the_address_of_another_login(
    world: World, client: Client
) -> None:
    client.post(LOG_IN, {"login": world.stranger.email, "password": PASSWORD})
    path, taken = "/accounts/email/", world.owner.email

    added = client.post(path, {"action_add": "", "email": taken.upper()})
    chosen = client.post(path, {"action_primary": "", "email": taken}, follow=True)

    assert "already registered with this email" in text(added)
    assert (chosen.status_code, taken in text(chosen)) == (200, False)


def test_two_factor_login_is_set_up_and_asked_for(world: World, client: Client) -> None:
    form = {"login": world.owner.email, "password": PASSWORD}
    client.post(LOG_IN, form)
    once_more = client.get("/accounts/2fa/totp/activate/")["Location"]
    assert "Is it you?" in text(client.get(once_more))
    page = client.post(once_more, {"password": PASSWORD}, follow=True)
    assert "Set up your authenticator app" in text(page)
    secret = page.context["form"].secret

    codes = client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)}, follow=True)
    client.post("/accounts/logout/")
    asked = client.post(LOG_IN, form, follow=True)

    assert "Recovery codes" in text(codes)
    assert "Second step" in text(asked)
    [unused, *_] = codes.context["unused_codes"]
    assert client.post("/accounts/2fa/authenticate/", {"code": unused}).status_code == 302
    assert client.get("/dashboard/").status_code == 200


def code_of(secret: str) -> str:
    """The code that an authenticator app shows now."""
    counter = auth.yield_hotp_counters_from_time()
    return str(auth.format_hotp_value(auth.hotp_value(secret, next(iter(counter)))))


@pytest.mark.django_db
def test_a_member_of_a_tenant_without_first_keys_shown_keeps_them(client: Client) -> None:
    tenant = TenantFactory.create()
    client.force_login(MembershipFactory.create(tenant=tenant).user)

    client.head("/dashboard/keys/first/")

    tenant.refresh_from_db()
    assert tenant.first_keys_shown_at is None


@pytest.mark.parametrize(("hours", "is_in"), [(11, True), (13, False)])
def test_a_session_that_lay_idle_for_half_a_day_ends(
    world: World, log_in: LogIn, monkeypatch: pytest.MonkeyPatch, hours: int, is_in: bool
) -> None:
    client = log_in(world.owner)
    client.get("/dashboard/")
    later = time.time() + hours * 3600
    monkeypatch.setattr("dashboard.idle.time.time", lambda: later)

    answer = client.get("/dashboard/")

    assert (answer.status_code == 200) is is_in
    if not is_in:
        assert answer["Location"].startswith(LOG_IN)
        assert "signed out after twelve hours" in text(client.get(LOG_IN))
