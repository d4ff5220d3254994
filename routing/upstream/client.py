"""The pooled HTTP client for everything off the hot path: key checks and model lists.

The only importer of httpx. Calls themselves go through `pool`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from accounts.secret import Secret
from routing.providers.spec import Provider
from routing.upstream import guard
from routing.upstream.endpoints import Endpoint

SECONDS = httpx.Timeout(5.0, connect=3.0)
MOST_BYTES = 8 * 2**20

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
    """GET a path of a provider, or POST some JSON. No redirects, no proxies, 8 MB.

    Raises CannotReach.
    """
    origin = endpoint.origin
    sent = {
        **(_credential(provider, secret) if secret else {}),
        **({"Content-Type": "application/json"} if content else {}),
        "Accept-Encoding": "identity",
        "User-Agent": "flo2",
        "Host": endpoint.host.decode(),
        **provider.headers,
        **{name.decode(): value.decode("latin-1") for name, value in headers},
    }
    try:
        addresses = await guard.addresses(origin.host, origin.port, guarded=origin.guarded)
        host = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        url = f"{origin.scheme}://{host}:{origin.port}{endpoint.path.decode()}{path}"
        async with (
            httpx.AsyncClient(trust_env=False, timeout=SECONDS, follow_redirects=False) as client,
            client.stream(
                "POST" if content else "GET",
                url,
                content=content.encode() or None,
                headers=sent,
                extensions={"sni_hostname": origin.host},
            ) as answer,
        ):
            body = b""
            async for part in answer.aiter_raw():
                body += part
                if len(body) > MOST_BYTES:
                    raise CannotReach("the answer is larger than 8 MB")
            pairs = [(name.lower(), value) for name, value in answer.headers.raw]
            return Fetched(answer.status_code, pairs, body)
    except (httpx.HTTPError, OSError) as error:
        raise CannotReach(f"{provider.label} cannot be reached: {type(error).__name__}") from None


def _credential(provider: Provider, secret: Secret) -> dict[str, str]:
    value = secret.reveal()
    return {_HEADERS[provider.auth]: f"Bearer {value}" if provider.auth == "bearer" else value}
