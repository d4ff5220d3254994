"""Gateway keys: issued once, revised, rolled, revoked; and what is kept of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError

from accounts import audit, gateway_keys, ids, tenancy, tokens
from accounts.errors import Conflict, InvalidRequest, NotFound
from accounts.gateway_keys import KeyTerms
from accounts.models import AuditEvent, Change, GatewayKey, ManagementKey, Tenant
from tests.accounts.databases import rows_of
from tests.factories.accounts import (
    ProjectFactory,
    TenantFactory,
    UserFactory,
    issue_gateway_key,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def events(tenant: Tenant) -> list[str]:
    with tenancy.tenant_scope(tenant.pk):
        rows = AuditEvent.objects.for_tenant(tenant).order_by("number")
        return [event.action for event in rows]


def reread(key: GatewayKey) -> GatewayKey:
    with tenancy.tenant_scope(key.tenant_id):
        return GatewayKey.objects.for_tenant(key.tenant_id).get(pk=key.pk)


@pytest.mark.parametrize("mode", ["live", "test"])
def test_a_new_key_is_shown_once_and_kept_as_a_digest(mode: str) -> None:
    user, tenant = UserFactory.create(), TenantFactory.create()
    with tenancy.tenant_scope(tenant.pk):
        issued = gateway_keys.issue(
            tenant, KeyTerms(name="Laptop", mode=mode), actor=audit.person(user)
        )
    text = issued.text.reveal()
    pepper = tokens.peppers(settings.FLO2_KEY_PEPPERS)[0]
    kept = reread(issued.record)

    assert text.startswith(f"flo2_{mode}_")
    assert tokens.is_well_formed(text)
    assert bytes(kept.digest) == tokens.digest(text, pepper)
    assert (kept.name, kept.mode, kept.created_by, kept.is_revoked) == ("Laptop", mode, user, False)
    assert kept.shown == f"flo2_{mode}_…{text[-4:]}"
    assert events(tenant) == ["gateway_key.created"]


def test_the_text_of_a_key_is_nowhere_in_the_database() -> None:
    tenant = TenantFactory.create()
    text = issue_gateway_key(tenant).text.reveal()

    with tenancy.system_scope():
        dump = str(rows_of("SELECT * FROM accounts_gatewaykey"))
        dump += str(rows_of("SELECT * FROM accounts_auditevent"))
        dump += str(rows_of("SELECT * FROM accounts_change"))

    assert text[-4:] in dump  # the end may be shown
    assert text[10:-4] not in dump


def test_the_restrictions_of_a_key_are_kept_as_given() -> None:
    tenant = TenantFactory.create()
    project = ProjectFactory.create(tenant=tenant, name="web")
    issued = issue_gateway_key(
        tenant,
        project="web",
        allowed_models=["groq/*", "gpt-4.1"],
        allowed_cidrs=[" 10.1.2.3/8 ", "2001:db8::1"],
        expires_at=NOW,
    )
    kept = reread(issued.record)

    assert kept.project_id == project.pk
    assert kept.allowed_models == ["groq/*", "gpt-4.1"]
    assert kept.allowed_cidrs == ["10.0.0.0/8", "2001:db8::1/128"]
    assert kept.expires_at == NOW
    with tenancy.tenant_scope(tenant.pk):
        assert gateway_keys.terms_of(kept) == KeyTerms(
            name="A key",
            mode="live",
            project="web",
            allowed_models=["groq/*", "gpt-4.1"],
            allowed_cidrs=["10.0.0.0/8", "2001:db8::1/128"],
            expires_at=NOW,
        )


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"allowed_cidrs": ["10.0.0.0/33"]}, "allowed_cidrs"),
        ({"allowed_cidrs": ["example.org"]}, "allowed_cidrs"),
        ({"allowed_cidrs": []}, "allowed_cidrs"),
        ({"allowed_cidrs": [""]}, "allowed_cidrs"),
        ({"allowed_models": []}, "allowed_models"),
        ({"allowed_models": ["  "]}, "allowed_models"),
        ({"allowed_models": ["x" * 201]}, "allowed_models"),
    ],
)
def test_terms_that_make_no_sense_are_refused_by_name(terms: dict[str, Any], field: str) -> None:
    tenant = TenantFactory.create()

    with pytest.raises(InvalidRequest, match=field) as refusal:
        issue_gateway_key(tenant, **terms)

    assert refusal.value.param == field
    assert events(tenant) == []


def test_a_project_of_another_tenant_is_no_project() -> None:
    foreign = ProjectFactory.create(name="theirs")

    with pytest.raises(NotFound, match="no such project"):
        issue_gateway_key(TenantFactory.create(), project=foreign.name)


def test_a_revised_key_keeps_its_text_and_its_mode() -> None:
    tenant = TenantFactory.create()
    key = issue_gateway_key(tenant, mode="test").record
    terms = KeyTerms(name="New name", mode="live", allowed_models=["gpt-*"], expires_at=NOW)
    with tenancy.tenant_scope(tenant.pk):
        gateway_keys.revise(key, terms, actor=audit.SYSTEM)
    kept = reread(key)

    assert (kept.name, kept.mode, kept.allowed_models) == ("New name", "test", ["gpt-*"])
    assert kept.expires_at == NOW
    assert bytes(kept.digest) == bytes(key.digest)
    assert events(tenant) == ["gateway_key.created", "gateway_key.changed"]
    assert [c.subject for c in Change.objects.filter(kind="gateway_key")] == [key.pk]


def test_a_change_that_read_the_key_before_does_not_undo_its_revocation() -> None:
    tenant = TenantFactory.create()
    key = issue_gateway_key(tenant).record
    with tenancy.tenant_scope(tenant.pk):
        read_before = GatewayKey.objects.for_tenant(tenant).get(pk=key.pk)
        gateway_keys.revoke(key, actor=audit.SYSTEM, now=NOW)
        gateway_keys.revise(read_before, KeyTerms(name="New name", mode="live"), actor=audit.SYSTEM)
        with pytest.raises(Conflict, match="cannot be changed"):
            gateway_keys.revise(
                gateway_keys.locked(read_before),
                KeyTerms(name="Newer", mode="live"),
                actor=audit.SYSTEM,
            )

    assert (reread(key).name, reread(key).revoked_at) == ("New name", NOW)


def test_a_revoked_key_is_revoked_once() -> None:
    tenant = TenantFactory.create()
    key = issue_gateway_key(tenant).record
    with tenancy.tenant_scope(tenant.pk):
        gateway_keys.revoke(key, actor=audit.SYSTEM, now=NOW)
        gateway_keys.revoke(key, actor=audit.SYSTEM, now=NOW + timedelta(days=1))

    assert reread(key).revoked_at == NOW
    assert events(tenant) == ["gateway_key.created", "gatewaykey.revoked"]
    assert Change.objects.filter(kind="gateway_key", tenant=tenant.pk, subject=key.pk).count() == 1


def test_a_change_that_is_rolled_back_is_not_announced() -> None:
    tenant = TenantFactory.create()
    key = issue_gateway_key(tenant).record
    with pytest.raises(ZeroDivisionError), tenancy.tenant_scope(tenant.pk):
        gateway_keys.revoke(key, actor=audit.SYSTEM, now=NOW)
        _ = 1 // 0

    assert not reread(key).is_revoked
    assert Change.objects.count() == 0


class TestRolling:
    def test_the_new_key_has_the_terms_of_the_old_one_which_ends_after_the_overlap(self) -> None:
        tenant = TenantFactory.create()
        ProjectFactory.create(tenant=tenant, name="web")
        old = issue_gateway_key(tenant, mode="test", project="web", allowed_models=["a"])
        with tenancy.tenant_scope(tenant.pk):
            new = gateway_keys.roll(
                old.record, overlap=timedelta(hours=1), actor=audit.SYSTEM, now=NOW
            )
            before, after = reread(old.record), reread(new.record)

            assert gateway_keys.terms_of(after) == KeyTerms(
                name="A key", mode="test", project="web", allowed_models=["a"]
            )
        assert before.expires_at == NOW + timedelta(hours=1)
        assert after.expires_at is None
        assert after.lineage == before.lineage
        assert new.text.reveal() != old.text.reveal()
        assert [c.subject for c in Change.objects.all()] == [old.record.pk]

    def test_an_old_key_that_ends_sooner_is_not_prolonged(self) -> None:
        tenant = TenantFactory.create()
        soon = NOW + timedelta(minutes=5)
        old = issue_gateway_key(tenant, expires_at=soon).record
        with tenancy.tenant_scope(tenant.pk):
            gateway_keys.roll(old, overlap=timedelta(hours=1), actor=audit.SYSTEM, now=NOW)

        assert reread(old).expires_at == soon

    @pytest.mark.parametrize(
        ("ended", "says"),
        [({"revoked_at": NOW}, "revoked"), ({"expires_at": NOW}, "expired")],
    )
    def test_a_key_that_has_ended_cannot_be_rolled(self, ended: dict[str, Any], says: str) -> None:
        tenant = TenantFactory.create()
        key = issue_gateway_key(tenant).record
        for name, value in ended.items():
            setattr(key, name, value)
        with tenancy.tenant_scope(tenant.pk):
            key.save(update_fields=ended)
        with pytest.raises(Conflict, match=says), tenancy.tenant_scope(tenant.pk):
            gateway_keys.roll(key, overlap=timedelta(0), actor=audit.SYSTEM, now=NOW)

        assert events(tenant) == ["gateway_key.created"]


def test_a_management_key_is_kept_as_a_digest_too() -> None:
    tenant = TenantFactory.create()
    with tenancy.tenant_scope(tenant.pk):
        text = gateway_keys.issue_management_key(tenant, name="CI", actor=audit.SYSTEM).reveal()
        key = ManagementKey.objects.for_tenant(tenant).get()
        dump = str(rows_of("SELECT * FROM accounts_managementkey"))

    assert text.startswith("flo2_mgmt_")
    assert tokens.is_well_formed(text)
    assert key.shown == f"flo2_mgmt_…{text[-4:]}"
    assert text[10:-4] not in dump
    with tenancy.tenant_scope(tenant.pk):
        gateway_keys.revoke(key, actor=audit.SYSTEM, now=NOW)
    assert events(tenant) == ["managementkey.created", "managementkey.revoked"]


def test_the_mode_of_a_key_is_live_or_test_in_the_database_too() -> None:
    tenant = TenantFactory.create()
    key = issue_gateway_key(tenant).record
    with pytest.raises(IntegrityError), tenancy.tenant_scope(tenant.pk):
        GatewayKey.objects.for_tenant(tenant).filter(pk=key.pk).update(mode="root")


def test_two_keys_cannot_have_the_same_digest() -> None:
    tenant = TenantFactory.create()
    key = issue_gateway_key(tenant).record
    key.pk = ids.new()
    with pytest.raises(IntegrityError), tenancy.tenant_scope(tenant.pk):
        key.save(force_insert=True)
