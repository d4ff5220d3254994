"""The text of our own keys: `flo2_live_` + 36 base62 characters + 6 of base62 CRC32.

Pure functions. The checksum tells a typing error from an unknown key without a query; what is
stored is an HMAC-SHA256 of the text under a pepper, since 214 random bits need no slow hash.
"""

import hmac
import secrets
import zlib
from functools import lru_cache

from accounts import vault
from accounts.ids import ALPHABET

PREFIXES = {"live": "flo2_live_", "test": "flo2_test_", "mgmt": "flo2_mgmt_"}
RANDOM_LENGTH, CHECK_LENGTH = 36, 6


class PepperProblem(Exception):
    """FLO2_KEY_PEPPERS is missing or weak."""


@lru_cache(maxsize=4)
def peppers(setting: str) -> tuple[bytes, ...]:
    """The peppers of `id:base64,…`; the first one hashes new keys, all are tried on old ones."""
    return tuple(vault.read_keys("FLO2_KEY_PEPPERS", setting, PepperProblem).values())


def make(kind: str) -> str:
    """A new key text of a kind: live, test or mgmt."""
    body = PREFIXES[kind] + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return body + _check(body)


def is_well_formed(text: str) -> bool:
    """Whether prefix, length, alphabet and checksum fit: False for every mistyped key."""
    prefix = text[:10]
    body, check = text[:-CHECK_LENGTH], text[-CHECK_LENGTH:]
    return (
        prefix in PREFIXES.values()
        and len(body) == len(prefix) + RANDOM_LENGTH
        and text.isascii()
        and text[10:].isalnum()
        and hmac.compare_digest(_check(body), check)
    )


def digest(text: str, pepper: bytes) -> bytes:
    """What is stored of a key, and what caches are keyed by: 32 bytes."""
    return hmac.digest(pepper, text.encode(), "sha256")


def _check(body: str) -> str:
    number, characters = zlib.crc32(body.encode()), []
    for _ in range(CHECK_LENGTH):
        number, rest = divmod(number, 62)
        characters.append(ALPHABET[rest])
    return "".join(reversed(characters))
