"""Seal and open secrets: AES-256-GCM under a tenant's data key, wrapped by a versioned master key.

A tenant's data key is random; the database holds it wrapped by a master key whose id stands in
front. Each use of a data key derives its own key (HKDF, one label per use), and each sealed value
is bound by its associated data to the tenant, the use and the row it belongs to: a value moved to
another row, or changed by a byte, does not open. The only user of `cryptography`.
"""

import base64
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SCHEMA = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32


class MasterKeyProblem(Exception):
    """FLO2_MASTER_KEYS is missing, weak, or lacks the key that a row was sealed with."""


class SealBroken(Exception):
    """A sealed value was changed, or belongs to another tenant, use or row."""


@dataclass(frozen=True)
class MasterKeys:
    """Master keys by id; the first one seals, all of them open."""

    keys: dict[str, bytes]

    @property
    def sealing_id(self) -> str:
        return next(iter(self.keys))

    def get(self, key_id: str) -> bytes:
        try:
            return self.keys[key_id]
        except KeyError:
            raise MasterKeyProblem(
                f"FLO2_MASTER_KEYS has no key {key_id!r}, but data is sealed with it."
            ) from None


@lru_cache(maxsize=4)
def master_keys(setting: str) -> MasterKeys:
    """Read `id:base64,…`. Raises MasterKeyProblem with a sentence that names the variable."""
    return MasterKeys(read_keys("FLO2_MASTER_KEYS", setting, MasterKeyProblem))


def read_keys(name: str, setting: str, problem: type[Exception]) -> dict[str, bytes]:
    """Keys of 32 bytes or more by id, in the order given."""
    keys: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        key_id, separator, encoded = entry.partition(":")
        if not separator or not re.fullmatch("[A-Za-z0-9]{1,16}", key_id):
            raise problem(f"{name} must read id:base64,… with an id of letters and digits.")
        if key_id in keys:
            raise problem(f"{name} names the key {key_id!r} twice.")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:  # binascii.Error, or a letter beyond ASCII
            raise problem(f"{name}: the key {key_id!r} is not base64.") from None
        if len(key) < KEY_BYTES or len(set(key)) < 8:
            raise problem(f"{name}: the key {key_id!r} is too weak, 32 random bytes are needed.")
        keys[key_id] = key[:KEY_BYTES]
    if not keys:
        raise problem(f"{name} is not set: give it as id:base64 of 32 random bytes.")
    return keys


def new_data_key(*, tenant: UUID, masters: MasterKeys) -> bytes:
    """A fresh data key, wrapped for the database."""
    return wrap(os.urandom(KEY_BYTES), tenant=tenant, masters=masters)


def wrap(data_key: bytes, *, tenant: UUID, masters: MasterKeys) -> bytes:
    key_id = masters.sealing_id
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(masters.get(key_id)).encrypt(nonce, data_key, _bound(b"data-key", tenant, b""))
    return SCHEMA + bytes([len(key_id)]) + key_id.encode() + nonce + sealed


def unwrap(wrapped: bytes, *, tenant: UUID, masters: MasterKeys) -> bytes:
    """The data key. Raises SealBroken, or MasterKeyProblem where its master key is not known."""
    key_id, body = _split(wrapped)
    return _open(masters.get(key_id), body, _bound(b"data-key", tenant, b""))


def wrapped_with(wrapped: bytes) -> str:
    """The id of the master key that wraps this data key."""
    return _split(wrapped)[0]


def seal(plain: bytes, *, data_key: bytes, tenant: UUID, use: bytes, row: bytes) -> bytes:
    """Seal a value for one use (such as b"provider-key") and one row of a tenant."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(_derived(data_key, use)).encrypt(nonce, plain, _bound(use, tenant, row))
    return SCHEMA + nonce + sealed


def open_sealed(sealed: bytes, *, data_key: bytes, tenant: UUID, use: bytes, row: bytes) -> bytes:
    """The inverse of `seal`. Raises SealBroken."""
    if sealed[:1] != SCHEMA:
        raise SealBroken("unknown schema of a sealed value")
    return _open(_derived(data_key, use), sealed[1:], _bound(use, tenant, row))


def key_for(data_key: bytes, use: bytes) -> bytes:
    """A tenant's key for one use that seals nothing, such as a keyed hash."""
    return _derived(data_key, use)


def _split(wrapped: bytes) -> tuple[str, bytes]:
    if wrapped[:1] != SCHEMA or len(wrapped) < 2:
        raise SealBroken("unknown schema of a wrapped data key")
    end = 2 + wrapped[1]
    return wrapped[2:end].decode("ascii", "replace"), wrapped[end:]


def _open(key: bytes, body: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise SealBroken("a sealed value does not open") from None


def _bound(use: bytes, tenant: UUID, row: bytes) -> bytes:
    return b"flo2\x00" + SCHEMA + use + b"\x00" + tenant.bytes + row


@lru_cache(maxsize=4096)
def _derived(data_key: bytes, use: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"flo2 " + use).derive(
        data_key
    )
