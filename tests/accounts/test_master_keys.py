"""A new master key: data keys are wrapped anew, bit by bit, and what they seal stays open."""

import base64
import io
import os
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import keyring, master_keys, vault
from accounts.models import ProviderKey, Tenant
from accounts.tenancy import tenant_scope
from tests.factories.accounts import TenantFactory, add_provider_key

pytestmark = pytest.mark.django_db


def new_key() -> str:
    return f"new:{base64.b64encode(os.urandom(32)).decode()}"


def put_new_first(settings: Any) -> None:
    """A new master key in front of the old one."""
    settings.FLO2_MASTER_KEYS = f"{new_key()},{settings.FLO2_MASTER_KEYS}"


def make(count: int) -> list[ProviderKey]:
    return [add_provider_key(TenantFactory.create()) for _ in range(count)]


def secret_of(key: ProviderKey) -> str:
    with tenant_scope(key.tenant_id):
        ring = keyring.read(key.tenant_id)
    return ring.secret(ring.keys[0]).reveal()


def ids() -> list[str]:
    return [vault.wrapped_with(bytes(t.sealed_data_key)) for t in Tenant.objects.order_by("pk")]


def rotate(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rotate_master_key", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_afterwards_the_old_key_is_not_needed(settings: Any) -> None:
    made, old = make(3), settings.FLO2_MASTER_KEYS
    secrets = [secret_of(key) for key in made]
    new = new_key()
    settings.FLO2_MASTER_KEYS = f"{new},{old}"

    told = rotate()

    assert "3 data keys wrapped anew" in told
    assert "No longer needed: test" in told
    settings.FLO2_MASTER_KEYS = new
    assert [secret_of(key) for key in made] == secrets


def test_looking_changes_nothing(settings: Any) -> None:
    make(2)
    put_new_first(settings)

    assert "2 by 'test'" in rotate("--dry-run")
    assert ids() == ["test", "test"]


def test_who_was_killed_goes_on_where_it_stopped(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(5)
    put_new_first(settings)
    monkeypatch.setattr(master_keys, "BATCH", 2)
    wrapped: list[object] = []
    wrap = vault.wrap

    def die_at_the_fourth(*arguments: Any, **named: Any) -> bytes:
        wrapped.append(arguments)
        if len(wrapped) == 4:
            raise KeyboardInterrupt
        return wrap(*arguments, **named)

    with monkeypatch.context() as dying:
        dying.setattr(vault, "wrap", die_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            master_keys.rewrap()
    assert ids() == ["new", "new", "test", "test", "test"]

    assert master_keys.rewrap().wrapped == 3
    assert ids() == ["new"] * 5
    assert master_keys.rewrap().wrapped == 0


def test_a_data_key_that_does_not_open_is_named_and_keeps_nobody_else_back(settings: Any) -> None:
    first, _ = make(2)
    put_new_first(settings)
    broken = bytearray(first.tenant.sealed_data_key)
    broken[-1] ^= 1
    Tenant.objects.filter(pk=first.tenant_id).update(sealed_data_key=bytes(broken))

    with pytest.raises(CommandError, match="1 data keys do not open"):
        rotate()

    assert sorted(ids()) == ["new", "test"]


def test_a_tenant_whose_data_key_was_destroyed_is_left_alone(settings: Any) -> None:
    make(1)
    put_new_first(settings)
    Tenant.objects.update(sealed_data_key=b"")

    assert master_keys.rewrap().wrapped == 0


def test_without_any_master_key_it_says_so(settings: Any) -> None:
    settings.FLO2_MASTER_KEYS = ""

    with pytest.raises(CommandError, match="FLO2_MASTER_KEYS is not set"):
        rotate()
