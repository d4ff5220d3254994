"""Provider keys: add, record a check, change, rotate, remove. Secrets go in and never come out.

The text is opened only for a call (`keyring`). Whether a provider exists is not known here: the
form and the API check the slug against the catalogue.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings

from accounts import audit, changes, vault
from accounts.errors import InvalidRequest
from accounts.models import ProviderKey, Tenant
from accounts.models.provider_key import KeyStatus
from accounts.secret import Secret, scrub

KIND = "provider_key"
USE = b"provider-key"
LONGEST = 4096
CHECKED = ("status", "status_reason", "checked_at", "models_found")


def tidy(text: str) -> Secret:
    """A pasted key without the blanks, quotes or `Bearer ` that came along."""
    text = text.strip("\"' \t\r\n")
    if text.lower().startswith("bearer "):
        text = text[7:].strip("\"' ")
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable():
        raise InvalidRequest("secret must be the key as the provider shows it.", param="secret")
    if any(character.isspace() for character in text):
        raise InvalidRequest("secret holds blanks: paste one key.", param="secret")
    return Secret(text)


def add(
    tenant: Tenant,
    *,
    provider: str,
    secret: Secret,
    actor: audit.Actor,
    label: str = "",
    weight: int = 1,
    base_url: str = "",
) -> ProviderKey:
    key = ProviderKey(
        tenant=tenant, provider=provider, label=label, weight=weight, base_url=base_url
    )
    _put(key, secret)
    key.save(force_insert=True)
    audit.record(tenant, actor=actor, action="provider_key.added", subject=str(key))
    changes.record(KIND, tenant=tenant.pk, subject=key.pk)
    return key


def rotate(key: ProviderKey, *, secret: Secret, actor: audit.Actor) -> ProviderKey:
    """Put another secret in this key's place; calls use it from the next second on."""
    _put(key, secret)
    key.status, key.status_reason = KeyStatus.UNVERIFIED, ""
    key.checked_at, key.models_found = None, None
    key.save(update_fields=["sealed_secret", "last4", *CHECKED])
    audit.record(key.tenant, actor=actor, action="provider_key.rotated", subject=str(key))
    changes.record(KIND, tenant=key.tenant_id, subject=key.pk)
    return key


def change(
    key: ProviderKey, *, actor: audit.Actor, label: str, weight: int, enabled: bool
) -> ProviderKey:
    key.label, key.weight, key.enabled = label, weight, enabled
    key.save(update_fields=["label", "weight", "enabled"])
    audit.record(
        key.tenant,
        actor=actor,
        action="provider_key.changed",
        subject=str(key),
        label=label,
        weight=weight,
        enabled=enabled,
    )
    changes.record(KIND, tenant=key.tenant_id, subject=key.pk)
    return key


def remove(key: ProviderKey, *, actor: audit.Actor) -> None:
    """Delete the key and its sealed secret."""
    audit.record(key.tenant, actor=actor, action="provider_key.removed", subject=str(key))
    changes.record(KIND, tenant=key.tenant_id, subject=key.pk)
    key.delete()


def record_check(
    key: ProviderKey,
    *,
    status: KeyStatus,
    now: datetime,
    reason: str = "",
    models_found: int | None = None,
) -> ProviderKey:
    """What the provider said of this key; a check that could not be made leaves the status."""
    key.status, key.status_reason = status, scrub(reason)[:300]
    key.checked_at = now
    if models_found is not None:
        key.models_found = models_found
    key.save(update_fields=CHECKED)
    changes.record(KIND, tenant=key.tenant_id, subject=key.pk)
    return key


def flag(tenant: UUID, key: UUID, *, status: KeyStatus, reason: str, now: datetime) -> bool:
    """Mark a key that a provider refused during a call; False when it was so marked already."""
    rows = ProviderKey.objects.for_tenant(tenant).select_for_update()
    row = rows.filter(pk=key).exclude(status=status).first()
    if row is None:
        return False
    record_check(row, status=status, now=now, reason=reason)
    audit.record(row.tenant, actor=audit.SYSTEM, action=f"provider_key.{status}", subject=str(row))
    return True


def open_secret(key: ProviderKey) -> Secret:
    """The secret, for a check of the key. Raises SealBroken."""
    masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
    tenant = key.tenant
    data_key = vault.unwrap(bytes(tenant.sealed_data_key), tenant=tenant.pk, masters=masters)
    return opened(
        bytes(key.sealed_secret),
        data_key=data_key,
        key=key.pk,
        tenant=tenant.pk,
        provider=key.provider,
    )


def opened(sealed: bytes, *, data_key: bytes, tenant: UUID, key: UUID, provider: str) -> Secret:
    plain = vault.open_sealed(
        sealed, data_key=data_key, tenant=tenant, use=USE, row=_row(key, provider)
    )
    return Secret(plain.decode())


def _put(key: ProviderKey, secret: Secret) -> None:
    masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
    tenant = key.tenant
    data_key = vault.unwrap(bytes(tenant.sealed_data_key), tenant=tenant.pk, masters=masters)
    key.sealed_secret = vault.seal(
        secret.reveal().encode(),
        data_key=data_key,
        tenant=tenant.pk,
        use=USE,
        row=_row(key.pk, key.provider),
    )
    key.last4 = secret.last4


def _row(key: UUID, provider: str) -> bytes:
    return key.bytes + provider.encode()
