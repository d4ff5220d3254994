"""Provider keys go in, are sealed, and never come out but for a call."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection

from accounts import audit, provider_keys, tenancy
from accounts.errors import InvalidRequest
from accounts.models import AuditEvent, Change, ProviderKey, Tenant
from accounts.models.provider_key import KeyStatus
from accounts.secret import Secret
from accounts.vault import SealBroken
from tests.accounts.databases import rows_of
from tests.accounts.threads import at_once
from tests.factories.accounts import TenantFactory, add_provider_key

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CANARY = "gsk_canary0123456789abcdefWXYZ"


def reread(key: ProviderKey) -> ProviderKey:
    with tenancy.tenant_scope(key.tenant_id):
        rows = ProviderKey.objects.for_tenant(key.tenant_id).select_related("tenant")
        return rows.get(pk=key.pk)


def opened(key: ProviderKey) -> str:
    return provider_keys.open_secret(reread(key)).reveal()


def events(tenant: Tenant) -> list[str]:
    with tenancy.tenant_scope(tenant.pk):
        rows = AuditEvent.objects.for_tenant(tenant).order_by("number")
        return [event.action for event in rows]


def announced() -> list[object]:
    return [change.subject for change in Change.objects.filter(kind="provider_key").order_by("id")]


@pytest.mark.parametrize(
    "pasted",
    [
        "sk-abc",
        "  sk-abc\n",
        '"sk-abc"',
        "'sk-abc'",
        " ' sk-abc ' ",
        "Bearer sk-abc",
        "bearer   sk-abc ",
        '"Bearer sk-abc"',
        'Bearer "sk-abc"',
        "\tsk-abc\r\n",
    ],
)
def test_what_came_along_with_a_pasted_key_is_taken_off(pasted: str) -> None:
    assert provider_keys.tidy(pasted) == Secret("sk-abc")


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "  ",
        '""',
        "sk-abc sk-def",
        "sk-äbc",
        "sk-a\x00bc",
        "sk-\nabc",
        "sk-abc\u200b",
        "“sk-abc”",
        "Authorization: Bearer sk-abc",
        "k" * 4097,
    ],
)
def test_what_cannot_be_one_key_is_refused_without_repeating_it(pasted: str) -> None:
    with pytest.raises(InvalidRequest, match="secret") as refusal:
        provider_keys.tidy(pasted)

    assert refusal.value.param == "secret"
    assert "abc" not in str(refusal.value)


@pytest.mark.django_db
class TestOneKey:
    def test_an_added_key_is_sealed_and_opens_again(self) -> None:
        tenant = TenantFactory.create()
        key = add_provider_key(
            tenant, secret=CANARY, label="Main", weight=3, base_url="https://x.example/v1"
        )
        kept = reread(key)

        assert opened(key) == CANARY
        assert (kept.provider, kept.label, kept.weight, kept.last4) == ("groq", "Main", 3, "WXYZ")
        assert (kept.status, kept.enabled, kept.base_url) == (
            KeyStatus.UNVERIFIED,
            True,
            "https://x.example/v1",
        )
        assert events(tenant) == ["provider_key.added"]
        assert announced() == [key.pk]

    def test_the_secret_is_nowhere_in_the_database(self) -> None:
        tenant = TenantFactory.create()
        key = add_provider_key(tenant, secret=CANARY)
        with tenancy.tenant_scope(tenant.pk):
            provider_keys.record_check(
                key, status=KeyStatus.INVALID, now=NOW, reason=f"Wrong key {CANARY}, or gs***YZ"
            )
            tables = connection.introspection.table_names()
            dump = b"".join(
                bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                for table in tables
                for row in rows_of(f"SELECT * FROM {connection.ops.quote_name(table)}")
                for value in row
            )

        assert b"WXYZ" in dump  # the end may be shown
        assert CANARY[4:-4].encode() not in dump
        assert CANARY[4:-4].encode().hex().encode() not in dump
        assert b"gs***YZ" not in dump
        assert reread(key).status_reason == "Wrong key [key removed], or [key removed]"

    def test_sealed_bytes_moved_to_another_row_do_not_open(self) -> None:
        tenant = TenantFactory.create()
        mine, other = (add_provider_key(tenant, secret=CANARY) for _ in range(2))
        foreign = add_provider_key(TenantFactory.create(), secret=CANARY)
        elsewhere = add_provider_key(tenant, provider="openai", secret=CANARY)
        for source in (other, foreign, elsewhere):
            with tenancy.tenant_scope(tenant.pk):
                ProviderKey.objects.for_tenant(tenant).filter(pk=mine.pk).update(
                    sealed_secret=source.sealed_secret
                )
            with pytest.raises(SealBroken):
                opened(mine)

    def test_a_key_renamed_to_another_provider_does_not_open(self) -> None:
        key = add_provider_key(TenantFactory.create(), secret=CANARY)
        with tenancy.tenant_scope(key.tenant_id):
            ProviderKey.objects.for_tenant(key.tenant_id).update(provider="custom")

        with pytest.raises(SealBroken):
            opened(key)

    def test_a_rotated_key_holds_the_new_secret_and_is_unverified(self) -> None:
        tenant = TenantFactory.create()
        key = add_provider_key(tenant, secret=CANARY)
        with tenancy.tenant_scope(tenant.pk):
            provider_keys.record_check(
                key, status=KeyStatus.VALID, now=NOW, reason="fine", models_found=7
            )
            provider_keys.rotate(
                key, secret=Secret("gsk_another0123456789ABCD"), actor=audit.SYSTEM
            )
        kept = reread(key)

        assert opened(key) == "gsk_another0123456789ABCD"
        assert (kept.status, kept.status_reason, kept.last4) == (KeyStatus.UNVERIFIED, "", "ABCD")
        assert (kept.checked_at, kept.models_found) == (None, None)
        assert events(tenant) == ["provider_key.added", "provider_key.rotated"]
        assert announced() == [key.pk] * 3

    def test_a_changed_key_keeps_its_secret(self) -> None:
        tenant = TenantFactory.create()
        key = add_provider_key(tenant, secret=CANARY)
        with tenancy.tenant_scope(tenant.pk):
            provider_keys.change(key, actor=audit.SYSTEM, label="Spare", weight=9, enabled=False)
        kept = reread(key)

        assert (kept.label, kept.weight, kept.enabled) == ("Spare", 9, False)
        assert opened(key) == CANARY
        assert events(tenant)[-1] == "provider_key.changed"
        assert announced() == [key.pk] * 2

    def test_a_removed_key_is_gone_with_its_secret(self) -> None:
        tenant = TenantFactory.create()
        key = add_provider_key(tenant, secret=CANARY)
        pk = key.pk
        with tenancy.tenant_scope(tenant.pk):
            provider_keys.remove(key, actor=audit.SYSTEM)
            assert ProviderKey.objects.for_tenant(tenant).count() == 0

        assert events(tenant)[-1] == "provider_key.removed"
        assert announced() == [pk] * 2

    def test_a_check_is_recorded_with_what_the_provider_said(self) -> None:
        tenant = TenantFactory.create()
        key = add_provider_key(tenant)
        with tenancy.tenant_scope(tenant.pk):
            provider_keys.record_check(
                key, status=KeyStatus.VALID, now=NOW, reason="x" * 400, models_found=12
            )
            provider_keys.record_check(key, status=KeyStatus.LIMITED, now=NOW)
        kept = reread(key)

        assert (kept.status, kept.checked_at, kept.models_found) == (KeyStatus.LIMITED, NOW, 12)
        assert kept.status_reason == ""

    @pytest.mark.parametrize("weight", [0, 1001])
    def test_a_weight_out_of_range_is_refused_by_the_database(self, weight: int) -> None:
        with pytest.raises(IntegrityError):
            add_provider_key(TenantFactory.create(), weight=weight)


@pytest.mark.django_db
def test_a_new_secret_leaves_alone_what_others_changed_meanwhile() -> None:
    tenant = TenantFactory.create()
    key = add_provider_key(tenant)
    with tenancy.tenant_scope(tenant.pk):
        read_before = ProviderKey.objects.for_tenant(tenant).get(pk=key.pk)
        provider_keys.change(key, actor=audit.SYSTEM, label="old", weight=3, enabled=False)
        provider_keys.rotate(read_before, secret=Secret("sk-other-0123456789"), actor=audit.SYSTEM)
    kept = reread(key)

    assert (kept.label, kept.weight, kept.enabled, kept.last4) == ("old", 3, False, "6789")


def flag(tenant: Tenant, key: ProviderKey, status: KeyStatus = KeyStatus.INVALID) -> bool:
    with tenancy.tenant_scope(tenant.pk):
        return provider_keys.flag(tenant.pk, key.pk, status=status, reason="401", now=NOW)


@pytest.mark.django_db
def test_a_refused_key_is_flagged_once() -> None:
    tenant = TenantFactory.create()
    key = add_provider_key(tenant)

    assert [flag(tenant, key) for _ in range(3)] == [True, False, False]
    assert reread(key).status == KeyStatus.INVALID
    assert flag(tenant, key, KeyStatus.NO_CREDIT)
    assert events(tenant)[1:] == ["provider_key.invalid", "provider_key.no_credit"]


@pytest.mark.django_db
def test_a_key_of_another_tenant_cannot_be_flagged() -> None:
    key = add_provider_key(TenantFactory.create())

    assert not flag(TenantFactory.create(), key)
    assert reread(key).status == KeyStatus.UNVERIFIED


@pytest.mark.django_db(transaction=True)
def test_of_calls_that_are_refused_at_once_one_flags_the_key() -> None:
    tenant = TenantFactory.create()
    key = add_provider_key(tenant)

    answers = at_once(*[lambda: flag(tenant, key)] * 4)

    assert sorted(map(str, answers)) == ["False", "False", "False", "True"]
    assert events(tenant) == ["provider_key.added", "provider_key.invalid"]
