"""What `make run` shows to somebody who has never seen flo2: two logins and a key that works."""

from django.utils import timezone

from accounts import audit, gateway_keys, members, signup
from accounts.gateway_keys import KeyTerms
from accounts.models import GatewayKey, Tenant, User
from accounts.secret import Secret
from accounts.tenancy import tenant_scope

OWNER, OPERATOR = "demo@flo2.example", "operator@flo2.example"
PASSWORD = "flo2-demo-password"  # noqa: S105  printed at every start, for this machine only
TENANT = "Demo"
KEY_NAME = "Demo test key"


def greeting(url: str) -> str:
    """Seed what is missing and say how to begin. The test key is new at every start."""
    key = _test_key(_tenant())
    _operator()
    return f"""
flo2 is running.

  Dashboard    {url}/dashboard/
  Owner        {OWNER} / {PASSWORD}
  Sign up      {url}/accounts/signup/   (a tenant of your own)
  Operator     {OPERATOR} / {PASSWORD}   ({url}/admin/)
  Test key     {key.reveal()}

A test key never leaves this machine: the built-in sandbox answers. Try it:

  curl {url}/v1/chat/completions -H "Authorization: Bearer {key.reveal()}" \\
    -H "Content-Type: application/json" \\
    -d '{{"model": "auto", "messages": [{{"role": "user", "content": "Say hi"}}]}}'

Ctrl-C stops everything.
"""


def _tenant() -> Tenant:
    owner = User.objects.filter(email=OWNER).first() or _user(OWNER)
    return members.tenant_named(TENANT, owner=owner) or signup.create_tenant(owner, name=TENANT)


def _operator() -> None:
    if not User.objects.filter(email=OPERATOR).exists():
        _user(OPERATOR, is_staff=True, is_superuser=True)


def _user(email: str, **fields: bool) -> User:
    return User.objects.create_user(email, PASSWORD, terms_accepted_at=timezone.now(), **fields)


def _test_key(tenant: Tenant) -> Secret:
    """Revoke the key of the last start and issue another one."""
    now = timezone.now()
    with tenant_scope(tenant.pk):
        old = GatewayKey.objects.for_tenant(tenant).filter(name=KEY_NAME, revoked_at=None)
        for key in old:
            gateway_keys.revoke(key, actor=audit.SYSTEM, now=now)
        terms = KeyTerms(name=KEY_NAME, mode="test")
        return gateway_keys.issue(tenant, terms, actor=audit.SYSTEM).text
