"""Rates in Redis: one script looks at all limits of a key and counts the call, or refuses it.

Requests are a moving window of the last sixty seconds, exact; tokens the weighted sum of this
minute and the one before; calls at a time a set whose members expire with the call's deadline, so
that a process that dies takes none with it. The clock is Redis's own.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from billing.rates import (
    MINUTE,
    PARALLEL,
    REQUESTS,
    TOKENS,
    Answer,
    Limits,
    Refused,
    SharedAway,
    Standing,
    wait_for_tokens,
)

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 0.025
TIMEOUT_STEPS = 5
AWAY_SECONDS = 1.0  # after a failure Redis is left alone for so long
CORRECTION_PAUSES = (0.0, 1.1, 5.0, 30.0)  # before each try to give a place back
MOST_CORRECTIONS = 2_000  # on their way at a time
PREFIX = "flo2:rate:"
WHAT = ("", REQUESTS, TOKENS, PARALLEL)

# Answers {what is over, requests, age of the oldest, tokens now, tokens before, ms of this minute}.
_COUNT = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local minute = math.floor(now / 60000)
local most, most_tokens, most_open = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tokens, call = tonumber(ARGV[4]), ARGV[5]
local requests, open = KEYS[1] .. ':r', KEYS[1] .. ':p'
local this, last = KEYS[1] .. ':t' .. minute, KEYS[1] .. ':t' .. (minute - 1)
local over, count, age, current, before = 0, 0, 0, 0, 0
if most >= 0 then
  redis.call('ZREMRANGEBYSCORE', requests, '-inf', now - 60000)
  count = redis.call('ZCARD', requests)
  if count > 0 then
    age = now - tonumber(redis.call('ZRANGE', requests, 0, 0, 'WITHSCORES')[2])
  end
  if count >= most then over = 1 end
end
if most_tokens >= 0 then
  current = tonumber(redis.call('GET', this) or '0')
  before = tonumber(redis.call('GET', last) or '0')
  local used = before * (1 - (now % 60000) / 60000) + current
  if over == 0 and used > 0 and used + tokens > most_tokens then over = 2 end
end
if most_open >= 0 then
  redis.call('ZREMRANGEBYSCORE', open, '-inf', now)
  if over == 0 and redis.call('ZCARD', open) >= most_open then over = 3 end
end
if over == 0 then
  if most >= 0 then
    redis.call('ZADD', requests, now, call)
    redis.call('PEXPIRE', requests, 61000)
    count = count + 1
  end
  if most_tokens >= 0 then
    current = redis.call('INCRBY', this, tokens)
    redis.call('PEXPIRE', this, 180000)
  end
  if most_open >= 0 then
    redis.call('ZADD', open, now + tonumber(ARGV[6]), call)
    redis.call('PEXPIRE', open, tonumber(ARGV[6]) + 1000)
  end
end
return {over, count, age, current, before, now % 60000}
"""
_CORRECT = """
redis.call('ZREM', KEYS[1] .. ':p', ARGV[1])
local minute = math.floor(redis.call('TIME')[1] / 60)
local this = KEYS[1] .. ':t' .. minute
local more = tonumber(ARGV[2])
if more ~= 0 then
  if redis.call('INCRBY', this, more) < 0 then redis.call('SET', this, 0) end
  redis.call('PEXPIRE', this, 180000)
end
return 1
"""


class RedisRates:
    """Counters that all processes at this Redis share. Use from one loop."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._clock = url, clock
        self._redis: Redis | None = None
        self._away_until = -AWAY_SECONDS
        self.deadline = DEADLINE_SECONDS
        self._tasks: set[asyncio.Task[None]] = set()

    async def count(self, limits: Limits, call: str, *, tokens: int, expires_s: float) -> Answer:
        """Count the call unless a limit is reached. Raises SharedAway."""
        most = [-1 if limit is None else limit for limit in limits.of_each()]
        told = await self._run(_COUNT, limits, *most, tokens, call, int(expires_s * 1000))
        over, requests, age, current, before, passed = (int(one) for one in told)
        share = passed / 60_000
        used = before * (1 - share) + current
        standing = Standing(
            limits,
            (limits.requests or 0) - requests,
            MINUTE - age / 1000 if requests else 0.0,
            int((limits.tokens or 0) - used),
            (2 - share) * MINUTE if current else (1 - share) * MINUTE,
        )
        if not over:
            return Answer(standing)
        waits = {
            REQUESTS: standing.requests_reset_s,
            TOKENS: wait_for_tokens(limits.tokens or 0, tokens, current, before, share),
            PARALLEL: 1.0,
        }
        return Answer(standing, Refused(WHAT[over], waits[WHAT[over]]))

    def correct(self, limits: Limits, call: str, *, tokens: int) -> None:
        """Beside the call: nobody waits, and what cannot be told at last expires by itself."""
        if limits.tokens is None:
            tokens = 0
        if limits.parallel is None and not tokens:
            return
        if len(self._tasks) >= MOST_CORRECTIONS:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # settled outside of the loop, while the process stops
            return
        task = loop.create_task(self._correct(limits, call, tokens))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        if self._tasks:
            _, late = await asyncio.wait(list(self._tasks), timeout=1)
            for task in late:
                task.cancel()
        if self._redis:
            await self._redis.aclose()
            self._redis = None

    async def _correct(self, limits: Limits, call: str, tokens: int) -> None:
        for pause in CORRECTION_PAUSES:
            await asyncio.sleep(pause)
            try:
                await self._run(_CORRECT, limits, call, tokens, deadline=1.0)
            except SharedAway as away:
                if away.may_have_counted:
                    tokens = 0  # they are not corrected twice; a place can be
            else:
                return
        log.debug("a rate was not corrected")

    async def _run(
        self, script: str, limits: Limits, *values: object, deadline: float | None = None
    ) -> list[int]:
        deadline = deadline or self.deadline
        if self._clock() < self._away_until:
            raise SharedAway
        if self._redis is None:
            self._redis = Redis.from_url(self._url)
            deadline = max(deadline, 1.0)  # the first time it has to connect
        key = f"{PREFIX}{limits.subject.hex}"
        try:
            async with _answer_within(deadline):
                answer: list[int] = await self._redis.eval(script, 1, key, *values)  # type: ignore[arg-type]
                return answer
        except (RedisError, OSError, TimeoutError):
            if self._clock() >= self._away_until:
                log.warning("Redis is away; this process keeps its share of rate limits")
            self._away_until = self._clock() + AWAY_SECONDS
            raise SharedAway(may_have_counted=True) from None


@asynccontextmanager
async def _answer_within(seconds: float) -> AsyncIterator[None]:
    """A timeout that is counted in several steps of the loop.

    When this process was busy itself, the end of a plain timeout and the answer are both there at
    once, and the timeout wins: a limit would be shared out in parts because we were slow.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer = _Timer(loop, seconds / TIMEOUT_STEPS, limit)
        try:
            yield
        finally:
            timer.stop()


class _Timer:
    def __init__(
        self, loop: asyncio.AbstractEventLoop, step_s: float, limit: asyncio.Timeout
    ) -> None:
        self._loop, self._step_s, self._limit = loop, step_s, limit
        self._next = loop.call_later(step_s, self._pass, 1)

    def _pass(self, steps: int) -> None:
        if steps < TIMEOUT_STEPS:
            self._next = self._loop.call_later(self._step_s, self._pass, steps + 1)
        else:
            self._limit.reschedule(self._loop.time())

    def stop(self) -> None:
        self._next.cancel()
