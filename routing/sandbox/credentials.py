"""What a credential pretends to be: the beginning of its value decides. Pure."""

import hashlib
from collections.abc import Mapping

from routing.sandbox.problems import Refused
from routing.sandbox.profile import Endpoint, Profile

BAD, NO_CREDIT, LIMITED = "bad", "nocredit", "limited"
HEADERS = ("authorization", "x-api-key", "x-goog-api-key")


def of(profile: Profile, headers: Mapping[str, str]) -> str:
    """The credential in the headers where this provider looks for it, or empty."""
    for name in profile.auth:
        value = headers.get(name, "")
        if name == "authorization":
            scheme, _, value = value.partition(" ")
            value = value.strip() if scheme.lower() == "bearer" else ""
        if value:
            return value
    return ""


def check(profile: Profile, endpoint: Endpoint, credential: str) -> None:
    """Refuse a credential that the endpoint would not take. Raises Refused."""
    if not credential:
        if endpoint.needs_key:
            raise Refused(profile.wording.problem("no_key"))
        return
    if not endpoint.checks_key:
        return
    if credential.startswith(BAD):
        raise Refused(profile.wording.problem("bad_key", key=shortened(credential)))
    if credential.startswith(NO_CREDIT) and not endpoint.shows_credit:
        raise Refused(profile.wording.problem("no_credit"))
    if credential.startswith(LIMITED) and endpoint.lists_models:
        raise Refused(profile.wording.problem("limited"))


def owner(profile: Profile, credential: str) -> bytes:
    """Whose memory an exchange uses: a digest, so that no credential is kept."""
    return hashlib.blake2b(f"{profile.slug} {credential}".encode(), digest_size=16).digest()


def shortened(credential: str) -> str:
    """`sk***yz`, as providers tell a key back."""
    return f"{credential[:2]}***{credential[-2:]}"


def masked(name: str, value: str) -> str:
    """A header's value; of a credential only its last four characters."""
    if name not in HEADERS:
        return value
    scheme, _, rest = value.rpartition(" ")
    return f"{scheme} …{rest[-4:]}".strip()
