"""Sealed answers in Redis: shared by all processes, each answer got by one of them at a time."""

from collections.abc import Awaitable
from typing import Any, cast
from uuid import UUID

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from routing.cache.stores import SHARE_BYTES, Holdings, Kept

PREFIX = "flo2:cache:"
CLAIM_MS = 30_000
PATIENCE_S = 1.0
_IMPATIENT: Any = {
    "socket_timeout": PATIENCE_S, "socket_connect_timeout": PATIENCE_S,
    "retry": Retry(NoBackoff(), 0),
}  # fmt: skip

# KEYS: uses (key by last use), ends (key by expiry), facts (key → size|lineage|policy, and total).
# ARGV[1] is the prefix of the answers.
_DROP = """
local function drop(key)
  local fact = redis.call('HGET', KEYS[3], key)
  if fact then
    redis.call('HINCRBY', KEYS[3], 'total', -tonumber(string.match(fact, '^%d+')))
    redis.call('HDEL', KEYS[3], key)
  end
  redis.call('ZREM', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
  return redis.call('DEL', ARGV[1] .. key)
end
"""
# then: key, now, expiry, size, lineage and policy, sealed, share, life in ms
_KEEP = (
    _DROP
    + """
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])) do drop(key) end
drop(ARGV[2])
redis.call('SET', ARGV[1] .. ARGV[2], ARGV[7], 'PX', ARGV[9])
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[5] .. '|' .. ARGV[6])
redis.call('HINCRBY', KEYS[3], 'total', ARGV[5])
while tonumber(redis.call('HGET', KEYS[3], 'total')) > tonumber(ARGV[8]) do
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if not oldest then break end
  drop(oldest)
end
return 1
"""
)
# then: a policy after "=" or "", a lineage or ""
_PURGE = (
    _DROP
    + """
local gone = 0
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local fact = redis.call('HGET', KEYS[3], key) or '0||'
  local lineage, policy = string.match(fact, '^%d+|(%x*)|(.*)$')
  if (ARGV[2] == '' or '=' .. policy == ARGV[2]) and (ARGV[3] == '' or lineage == ARGV[3]) then
    gone = gone + drop(key)
  end
end
return gone
"""
)


class Shared:
    """Answers, and for each tenant when each was used, when it ends, how large it is."""

    def __init__(self, url: str, share: int = SHARE_BYTES) -> None:
        self._url, self._share = url, share
        self._redis = AsyncRedis.from_url(
            url, **{**_IMPATIENT, "retry": AsyncRetry(NoBackoff(), 0)}
        )
        self._script = self._redis.register_script(_KEEP)

    async def find(self, tenant: UUID, key: bytes, now: float) -> bytes | None:
        sealed = await self._redis.get(_answer(tenant, key))
        if sealed is not None:
            await cast("Awaitable[Any]", self._redis.zadd(_index(tenant)[0], {key.hex(): now}))
        return cast("bytes | None", sealed)

    async def keep(self, tenant: UUID, row: Kept, now: float) -> None:
        life_ms = max(1, int((row.expires_at - now) * 1000))
        arguments: list[str | bytes | float] = [
            _answers(tenant), row.key.hex(), now, row.expires_at, row.size,
            f"{row.lineage.hex}|{row.policy}", row.sealed, self._share, life_ms,
        ]  # fmt: skip
        await self._script(keys=_index(tenant), args=arguments)

    async def claim(self, tenant: UUID, key: bytes) -> bool:
        return bool(await self._redis.set(_claim(tenant, key), b"1", nx=True, px=CLAIM_MS))

    async def prolong(self, tenant: UUID, key: bytes) -> None:
        await self._redis.pexpire(_claim(tenant, key), CLAIM_MS)

    async def release(self, tenant: UUID, key: bytes) -> None:
        await self._redis.delete(_claim(tenant, key))

    async def close(self) -> None:
        await self._redis.aclose()

    def purge(self, tenant: UUID, *, policy: str | None = None, lineage: UUID | None = None) -> int:
        wanted = [
            _answers(tenant),
            "" if policy is None else f"={policy}",
            lineage.hex if lineage else "",
        ]
        with Redis.from_url(self._url, **_IMPATIENT) as redis:
            gone = redis.register_script(_PURGE)(keys=_index(tenant), args=wanted)
        return cast("int", gone)

    def holdings(self, tenant: UUID, now: float) -> Holdings:
        _, ends, facts = _index(tenant)
        with Redis.from_url(self._url, **_IMPATIENT) as redis:
            alive = cast("list[bytes]", redis.zrangebyscore(ends, f"({now}", "+inf"))
            known = cast("dict[bytes, bytes]", redis.hgetall(facts)) if alive else {}
        sizes = [int(known[one].partition(b"|")[0]) for one in alive if one in known]
        return Holdings(len(sizes), sum(sizes))


def _answers(tenant: UUID) -> str:
    return f"{PREFIX}{tenant.hex}:a:"


def _answer(tenant: UUID, key: bytes) -> str:
    return _answers(tenant) + key.hex()


def _claim(tenant: UUID, key: bytes) -> str:
    return f"{PREFIX}{tenant.hex}:c:{key.hex()}"


def _index(tenant: UUID) -> list[str]:
    return [f"{PREFIX}{tenant.hex}:{part}" for part in ("uses", "ends", "facts")]
