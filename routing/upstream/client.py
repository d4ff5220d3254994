"""The HTTP client for everything off the hot path: key checks, model lists and webhooks.

The only importer of httpx. Calls themselves go through `pool`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from accounts.secret import Secret
from routing.providers.spec import Provider
from routing.upstream import guard
from routing.upstream.endpoints import Endpoint

SECONDS = httpx.Timeout(5.0, connect=3.0)
WHOLE_SECONDS = 10.0  # an answer that drips cannot hold who waits for it any longer
MOST_BYTES = 8 * 2**20
NOT_PUBLIC = "its name does not lead to public addresses only"

_HEADERS = {"bearer": "Authorization", "x-api-key": "x-api-key", "x-goog-api-key": "x-goog-api-key"}


class CannotReach(Exception):
    """The provider did not answer, or not with anything that can be read."""


@dataclass(frozen=True)
class Fetched:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def ask(
    provider: Provider,
    endpoint: Endpoint,
    path: str,
    secret: Secret | None,
    content: str = "",
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> Fetched:
    """GET a path of a provider, or POST some JSON. No redirects, no proxies, 8 MB, 10 seconds.

    Raises CannotReach.
    """
    sent = {
        **(_credential(provider, secret) if secret else {}),
        **({"Content-Type": "application/json"} if content else {}),
        **provider.headers,
        **{name.decode(): value.decode("latin-1") for name, value in headers},
    }
    method = "POST" if content else "GET"
    try:
        async with (
            asyncio.timeout(WHOLE_SECONDS),
            _answer(method, endpoint, path, content.encode(), sent) as answer,
        ):
            parts, size = [], 0
            async for part in answer.aiter_raw():
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise CannotReach("the answer is larger than 8 MB")
            pairs = [(name.lower(), value) for name, value in answer.headers.raw]
            return Fetched(answer.status_code, pairs, b"".join(parts))
    except guard.AddressRefused:
        raise CannotReach(f"{provider.label} cannot be reached: {NOT_PUBLIC}") from None
    except (httpx.HTTPError, OSError) as error:
        raise CannotReach(f"{provider.label} cannot be reached: {type(error).__name__}") from None


async def post(endpoint: Endpoint, content: bytes, headers: dict[str, str]) -> int:
    """POST to an address that somebody else chose; the status. What is answered is not read.

    Raises CannotReach.
    """
    try:
        async with (
            asyncio.timeout(WHOLE_SECONDS),
            _answer("POST", endpoint, "", content, headers) as answer,
        ):
            return answer.status_code
    except guard.AddressRefused:
        raise CannotReach(NOT_PUBLIC) from None
    except TimeoutError:
        raise CannotReach(f"no answer within {WHOLE_SECONDS:.0f} s") from None
    except (httpx.HTTPError, OSError) as error:
        raise CannotReach(f"cannot be reached: {type(error).__name__}") from None


@asynccontextmanager
async def _answer(
    method: str, endpoint: Endpoint, path: str, content: bytes, headers: dict[str, str]
) -> AsyncIterator[httpx.Response]:
    """Connect to an address that was checked, by its number. No redirects, no proxies."""
    origin = endpoint.origin
    own = {
        "Accept-Encoding": "identity",
        "User-Agent": "flo2",
        "Host": endpoint.host.decode(),
    }
    addresses = await guard.addresses(origin.host, origin.port, guarded=origin.guarded)
    host = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    url = f"{origin.scheme}://{host}:{origin.port}{endpoint.path.decode()}{path}"
    async with (
        httpx.AsyncClient(trust_env=False, timeout=SECONDS, follow_redirects=False) as client,
        client.stream(
            method,
            url,
            content=content or None,
            headers={**own, **headers},
            extensions={"sni_hostname": origin.host},
        ) as answer,
    ):
        yield answer


def _credential(provider: Provider, secret: Secret) -> dict[str, str]:
    value = secret.reveal()
    return {_HEADERS[provider.auth]: f"Bearer {value}" if provider.auth == "bearer" else value}
