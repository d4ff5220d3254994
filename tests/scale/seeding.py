"""Calls by the million, made by the database itself: the same rows for the same orders.

`python -m tests.scale.seeding 1000000` fills a new tenant of the installation that the environment
names. Calls lie evenly over the days before now. Of a thousand: 20 failed, 5 were hung up on, 50
were rescued by a fallback, 20 raced, 10 came from the cache, 5 have no price, 10 are the judge's.
The books agree with themselves: `verify_ledger` finds no difference.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

CHUNK = 100_000
DAYS = 90
RARE = "once-in-a-blue-moon"  # a tag of one call in 100,000
# provider, model, USD per million tokens read and written
SERVED = (
    ("openai", "gpt-4.1-mini", "0.4", "1.6"), ("openai", "gpt-4.1", "2", "8"),
    ("groq", "llama-3.3-70b", "0.59", "0.79"), ("groq", "openai/gpt-oss-120b", "0.15", "0.75"),
    ("cerebras", "gpt-oss-120b", "0.25", "0.69"), ("anthropic", "claude-sonnet-4-5", "3", "15"),
    ("gemini", "gemini-2.5-flash", "0.3", "2.5"), ("mistral", "mistral-small", "0.1", "0.3"),
)  # fmt: skip
PROJECTS, KEYS = 4, 10

_USAGE = "input_uncached, output_visible, cache_read, cache_write_5m, cache_write_1h, reasoning, audio_in, audio_out, image_in"  # noqa: E501
_NO_USAGE = "0, 0, 0, 0, 0, 0, 0"


@dataclass(frozen=True)
class Orders:
    """How many calls, whose, and until when."""

    tenant: UUID
    projects: list[UUID]
    keys: list[UUID]
    calls: int
    now: datetime
    days: int = DAYS

    @property
    def first_ms(self) -> int:
        return int((self.now - timedelta(days=self.days)).timestamp() * 1000)

    @property
    def span_ms(self) -> int:
        return self.days * 86_400_000


def fill(orders: Orders) -> Iterator[int]:
    """Write the calls and their attempts in chunks, then the sums; how many calls there are."""
    from accounts.tenancy import system_scope

    _make_partitions(orders)
    for first in range(0, orders.calls, CHUNK):
        last = min(first + CHUNK, orders.calls) - 1
        with system_scope():
            _without_time_limit()
            for statement in (_CALLS, _ATTEMPTS):
                _run(f"{_drawn(orders, first, last)} {statement}")
        yield last + 1
    with system_scope():
        _without_time_limit()
        _run(_hours(orders.tenant))
        _run(_tag_days(orders.tenant))
        _run(_days(orders.tenant))


def analyse() -> None:
    """What autovacuum does in a database that lives."""
    tables = ("billing_call", "billing_attempt", "billing_spendhour", "billing_spendday")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(f"VACUUM ANALYZE {', '.join(tables)}")
            cursor.execute("RESET statement_timeout")
        else:
            cursor.execute("ANALYZE")


def _make_partitions(orders: Orders) -> None:
    """Those that the timetable would have made ahead, had it run then."""
    from accounts.tenancy import system_scope
    from billing import retention

    if connection.vendor != "postgresql":
        return
    first = orders.now - timedelta(days=orders.days)
    first = datetime(first.year, first.month, 1, tzinfo=UTC)
    while first <= orders.now:
        after = retention._next_month(first)
        with system_scope():
            for table in retention.TABLES:
                retention._make(table, first, after)
        first = after


def _without_time_limit() -> None:
    if connection.vendor == "postgresql":
        _run("SET LOCAL statement_timeout = 0")


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)  # without values: no percent sign has a meaning


def _drawn(orders: Orders, first: int, last: int) -> str:
    """Common table expressions that end in `drawn`: a row per call with all that was drawn."""
    its = _Words()
    served = ", ".join(
        f"({place}, '{provider}', '{model}', {_pico(read)}, {_pico(write)},"
        f" '{_price(read, write)}')"
        for place, (provider, model, read, write) in enumerate(SERVED)
    )
    keys = ", ".join(
        f"({place}, {its.id(key)}, {its.id(orders.projects[place % len(orders.projects)])})"
        for place, key in enumerate(orders.keys)
    )
    return (
        f"WITH RECURSIVE {its.numbers(first, last)},"
        f" served(place, provider, model, reading, writing, price) AS (VALUES {served}),"
        f" keys(place, key_id, project_id) AS (VALUES {keys}),"
        f" timed AS (SELECT i, (i * 7919) % 1000 AS fate, (i * 31) % 1009 AS luck,"
        f" {orders.first_ms} + i * {orders.span_ms} / {orders.calls} AS ms,"
        f" 200 + (i * 37) % 3001 AS tokens_in, 20 + (i * 53) % 801 AS tokens_out FROM numbers),"
        f" drawn AS (SELECT t.*, s.provider, s.model, s.price,"
        f" o.provider AS other_provider, o.model AS other_model, o.price AS other_price,"
        " k.key_id, k.project_id,"
        " tokens_in * s.reading + tokens_out * s.writing AS paid,"
        " tokens_in * o.reading + 5 * o.writing AS lost,"
        f" {its.call_id('ms', 'i')} AS call_id, {its.instant('ms')} AS at,"
        f" {its.instant('ms + 900000')} AS deadline,"
        f" {its.tags(RARE)} AS tags, {its.id(orders.tenant)} AS tenant_id"
        f" FROM timed t JOIN served s ON s.place = (t.luck * 5) % {len(SERVED)}"
        f" JOIN served o ON o.place = (t.luck * 5 + 3) % {len(SERVED)}"
        f" JOIN keys k ON k.place = t.luck % {len(orders.keys)})"
    )


_CALLS = f"""
INSERT INTO billing_call (id, tenant_id, created_at, mode, purpose, endpoint, requested_model,
  policy, policy_version, stream, project_id, gateway_key_id, tags, session, input_estimate,
  expected_cost, deadline, experiment, provider, model, strategy, reason, status, http_status,
  error_code, finish_reason, cache, attempts, cost, cost_status, saved, latency_ms,
  first_token_ms, overhead_us, usage_source, {_USAGE})
SELECT call_id, tenant_id, at, CASE WHEN luck % 20 = 0 THEN 'test' ELSE 'live' END,
  CASE WHEN fate BETWEEN 110 AND 114 THEN 'judge' WHEN fate BETWEEN 115 AND 119 THEN 'shadow'
    ELSE 'user' END,
  'chat', model, 'default', 1, luck % 2 = 0, project_id, key_id, tags, '', tokens_in, paid,
  deadline, '', CASE WHEN fate < 20 THEN '' ELSE provider END,
  CASE WHEN fate < 20 THEN '' ELSE model END, 'cheapest', 'cheapest',
  CASE WHEN fate < 20 THEN 'failed' WHEN fate < 25 THEN 'cancelled' ELSE 'succeeded' END,
  CASE WHEN fate < 20 THEN 502 WHEN fate < 25 THEN 499 ELSE 200 END,
  CASE WHEN fate < 20 THEN 'provider_error' WHEN fate < 25 THEN 'client_cancelled' ELSE '' END,
  CASE WHEN fate < 25 THEN '' ELSE 'stop' END,
  CASE WHEN fate BETWEEN 95 AND 104 THEN 'hit' ELSE 'off' END,
  CASE WHEN fate < 20 THEN 2 WHEN fate < 25 THEN 1 WHEN fate < 95 THEN 2
    WHEN fate < 105 THEN 0 ELSE 1 END,
  CASE WHEN fate < 20 OR fate BETWEEN 95 AND 104 THEN 0 WHEN fate BETWEEN 105 AND 109 THEN NULL
    WHEN fate BETWEEN 75 AND 94 THEN paid + lost ELSE paid END,
  CASE WHEN fate BETWEEN 105 AND 109 THEN 'unpriced' ELSE 'priced' END,
  CASE WHEN fate BETWEEN 95 AND 104 THEN paid ELSE 0 END,
  150 + luck, CASE WHEN fate < 20 THEN NULL ELSE 40 + luck / 4 END, 600 + luck, 'reported',
  CASE WHEN fate < 20 THEN 0 ELSE tokens_in END, CASE WHEN fate < 20 THEN 0 ELSE tokens_out END,
  {_NO_USAGE}
FROM drawn
"""

_FIELDS = (
    "call_id, number, tenant_id, provider, model, role, outcome, http_status, error_code, message,"
    f" started_ms, first_token_ms, ended_ms, cost, cost_status, price, usage_source, {_USAGE}"
)
_ATTEMPTS = f"""
INSERT INTO billing_attempt ({_FIELDS})
SELECT call_id, 1, tenant_id, other_provider, other_model, 'primary', 'rate_limit', 429,
  'rate_limit_exceeded', 'Too many requests', 1, CAST(NULL AS integer), 60, 0, 'priced',
  other_price, 'none', 0, 0, {_NO_USAGE}
FROM drawn WHERE fate < 20 OR fate BETWEEN 25 AND 74
UNION ALL
SELECT call_id, 2, tenant_id, provider, model, 'fallback', 'server', 502, 'server_error',
  'Internal error', 61, NULL, 140, 0, 'priced', price, 'none', 0, 0, {_NO_USAGE}
FROM drawn WHERE fate < 20
UNION ALL
SELECT call_id, CASE WHEN fate BETWEEN 25 AND 74 THEN 2 ELSE 1 END, tenant_id, provider, model,
  CASE WHEN fate BETWEEN 25 AND 74 THEN 'fallback' ELSE 'primary' END,
  CASE WHEN fate < 25 THEN 'cancelled' ELSE 'answered' END, 200, '', '', 2, 40 + luck / 4,
  150 + luck, CASE WHEN fate BETWEEN 105 AND 109 THEN NULL ELSE paid END,
  CASE WHEN fate BETWEEN 105 AND 109 THEN 'unpriced' ELSE 'priced' END,
  CASE WHEN fate BETWEEN 105 AND 109 THEN '' ELSE price END, 'reported', tokens_in, tokens_out,
  {_NO_USAGE}
FROM drawn WHERE fate >= 20 AND fate NOT BETWEEN 95 AND 104
UNION ALL
SELECT call_id, 2, tenant_id, other_provider, other_model, 'race', 'lost', 200, '', '', 2, NULL,
  150 + luck, lost, 'priced', other_price, 'reported', tokens_in, 5, {_NO_USAGE}
FROM drawn WHERE fate BETWEEN 75 AND 94
"""


_ADDED = (
    "calls", "succeeded", "failed_calls", "rescued", "cache_hits", "attempts", "failed",
    "input_tokens", "output_tokens", "cached_tokens", "cost", "saved", "estimated",
    "unpriced_calls", "lost",
)  # fmt: skip
_DIMENSIONS = "mode, purpose, provider, model, project_id, gateway_key_id, policy"


def _days(tenant: UUID) -> str:
    its = _Words()
    return (
        f"INSERT INTO billing_spendday (tenant_id, day, {_DIMENSIONS}, {', '.join(_ADDED)})"
        f" SELECT tenant_id, {its.day('hour')}, {_DIMENSIONS},"
        f" {', '.join(f'sum({name})' for name in _ADDED)}"
        f" FROM billing_spendhour WHERE tenant_id = {its.id(tenant)}"
        " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"
    )


def _hours(tenant: UUID) -> str:
    """The hours of a tenant, as the roll-up makes them."""
    its = _Words()
    at = its.hour("c.created_at")
    no_id = its.id(UUID(int=0))
    group = "1, 2, 3, 4, 5, 6, 7, 8, 9"
    owner = its.id(tenant)
    keys = f"coalesce(c.project_id, {no_id}), coalesce(c.gateway_key_id, {no_id}), c.policy"
    return f"""
INSERT INTO billing_spendhour (tenant_id, hour, {_DIMENSIONS}, {", ".join(_ADDED)})
SELECT tenant_id, at, {_DIMENSIONS},
  sum(calls), sum(succeeded), sum(failed_calls), sum(rescued), sum(cache_hits), sum(attempts),
  sum(failed), sum(input_tokens), sum(output_tokens), 0, sum(cost), sum(saved), 0,
  sum(unpriced_calls), sum(lost)
FROM (
  SELECT c.tenant_id AS tenant_id, {at} AS at, c.mode AS mode, c.purpose AS purpose,
    c.provider AS provider, c.model AS model, coalesce(c.project_id, {no_id}) AS project_id,
    coalesce(c.gateway_key_id, {no_id}) AS gateway_key_id, c.policy AS policy,
    count(*) AS calls, count(CASE WHEN c.status = 'succeeded' THEN 1 END) AS succeeded,
    count(CASE WHEN c.status = 'failed' THEN 1 END) AS failed_calls,
    count(CASE WHEN c.status = 'succeeded' AND c.attempts = 2 AND EXISTS (
      SELECT 1 FROM billing_attempt x WHERE x.call_id = c.id AND x.number = 1
        AND x.outcome = 'rate_limit') THEN 1 END) AS rescued,
    count(CASE WHEN c.cache = 'hit' THEN 1 END) AS cache_hits, 0 AS attempts, 0 AS failed,
    0 AS input_tokens, 0 AS output_tokens, 0 AS cost, sum(c.saved) AS saved,
    count(CASE WHEN c.cost IS NULL THEN 1 END) AS unpriced_calls, 0 AS lost
  FROM billing_call c WHERE c.tenant_id = {owner} GROUP BY {group}
  UNION ALL
  SELECT c.tenant_id, {at}, c.mode, c.purpose, a.provider, a.model, {keys}, 0, 0, 0, 0, 0,
    count(*), count(CASE WHEN a.outcome IN ('rate_limit', 'server') THEN 1 END),
    sum(a.input_uncached), sum(a.output_visible), sum(coalesce(a.cost, 0)), 0, 0,
    sum(CASE WHEN a.outcome = 'lost' THEN a.cost ELSE 0 END)
  FROM billing_attempt a JOIN billing_call c ON c.id = a.call_id
  WHERE a.tenant_id = {owner} AND c.tenant_id = {owner} GROUP BY {group}
) parts GROUP BY {group}
"""


def _tag_days(tenant: UUID) -> str:
    """The days of a tenant's tags, as the roll-up makes them."""
    its = _Words()
    owner = its.id(tenant)
    return f"""
INSERT INTO billing_tagday (tenant_id, day, mode, tag, {", ".join(_ADDED)})
SELECT c.tenant_id, {its.day("c.created_at")}, c.mode, t.value, count(*),
  count(CASE WHEN c.status = 'succeeded' THEN 1 END),
  count(CASE WHEN c.status = 'failed' THEN 1 END),
  count(CASE WHEN c.status = 'succeeded' AND a.failed > 0 THEN 1 END),
  count(CASE WHEN c.cache = 'hit' THEN 1 END), sum(coalesce(a.attempts, 0)),
  sum(coalesce(a.failed, 0)), sum(coalesce(a.tokens_in, 0)), sum(coalesce(a.tokens_out, 0)), 0,
  sum(coalesce(a.cost, 0)), sum(c.saved), 0, count(CASE WHEN c.cost IS NULL THEN 1 END),
  sum(coalesce(a.lost, 0))
FROM billing_call c {its.each_tag}
LEFT JOIN (
  SELECT call_id, count(*) AS attempts, sum(input_uncached) AS tokens_in,
    count(CASE WHEN outcome IN ('rate_limit', 'server') THEN 1 END) AS failed,
    sum(output_visible) AS tokens_out, sum(coalesce(cost, 0)) AS cost,
    sum(CASE WHEN outcome = 'lost' THEN cost ELSE 0 END) AS lost
  FROM billing_attempt WHERE tenant_id = {owner} GROUP BY call_id
) a ON a.call_id = c.id
WHERE c.tenant_id = {owner} GROUP BY 1, 2, 3, 4
"""


class _Words:
    """What PostgreSQL and SQLite say in different words."""

    def __init__(self) -> None:
        self.is_postgresql = connection.vendor == "postgresql"
        self.each_tag = (
            "CROSS JOIN LATERAL jsonb_array_elements_text(c.tags) AS t(value)"
            if self.is_postgresql
            else "CROSS JOIN json_each(c.tags) AS t"
        )

    def numbers(self, first: int, last: int) -> str:
        if self.is_postgresql:
            return f"numbers(i) AS (SELECT generate_series({first}::bigint, {last}))"
        more = f"SELECT i + 1 FROM numbers WHERE i < {last}"
        return f"numbers(i) AS (SELECT {first} UNION ALL {more})"

    def id(self, value: UUID) -> str:
        return f"'{value}'::uuid" if self.is_postgresql else f"'{value.hex}'"

    def call_id(self, ms: str, number: str) -> str:
        """A UUID of version 7 made at that moment, different for every number."""
        if self.is_postgresql:
            parts = f"lpad(to_hex({ms}), 12, '0') || '70008' || lpad(to_hex({number}), 15, '0')"
            return f"({parts})::uuid"
        return f"printf('%012x', {ms}) || '70008' || printf('%015x', {number})"

    def instant(self, ms: str) -> str:
        if self.is_postgresql:
            return f"to_timestamp(({ms}) / 1000.0)"
        return f"strftime('%Y-%m-%d %H:%M:%f', ({ms}) / 1000.0, 'unixepoch')"

    def tags(self, rare: str) -> str:
        of = (
            f"CASE WHEN i % 100000 = 77777 THEN '[\"{rare}\"]' WHEN luck % 3 = 0"
            " THEN '[\"beta\", \"web\"]' WHEN luck % 3 = 1 THEN '[\"web\"]' ELSE '[]' END"
        )
        return f"({of})::jsonb" if self.is_postgresql else of

    def hour(self, at: str) -> str:
        if self.is_postgresql:
            return f"date_trunc('hour', {at}, 'UTC')"
        return f"strftime('%Y-%m-%d %H:00:00', {at})"

    def day(self, at: str) -> str:
        return f"({at} AT TIME ZONE 'UTC')::date" if self.is_postgresql else f"date({at})"


def _pico(rate: str) -> int:
    """Of a token, at so many USD per million."""
    return int(Decimal(rate) * 10**6)


def _price(read: str, write: str) -> str:
    from billing import pricing
    from billing.pricing import Price, Rates

    rates = Rates(input=Decimal(read), output=Decimal(write))
    return pricing.to_json(Price(source="catalogue", rates=rates)).decode()


def make_tenant(calls: int, *, now: datetime, days: int = DAYS) -> tuple[Any, Orders]:
    """A new tenant, its owner's login and what to fill it with."""
    from tests.factories.accounts import MembershipFactory, ProjectFactory, issue_gateway_key

    owner = MembershipFactory.create()
    tenant = owner.tenant
    projects = [
        ProjectFactory.create(tenant=tenant, name=f"project-{n}").pk for n in range(PROJECTS)
    ]
    keys = [issue_gateway_key(tenant, name=f"Key {n}").record.pk for n in range(KEYS)]
    return owner, Orders(tenant.pk, projects, keys, calls, now, days)


def main() -> None:
    import django

    django.setup()
    from django.utils import timezone

    owner, orders = make_tenant(int(sys.argv[1]), now=timezone.now())
    for there in fill(orders):
        print(f"{there:,} of {orders.calls:,} calls", flush=True)
    analyse()
    print(f"tenant {owner.tenant.name}: log in as {owner.user.email}")


if __name__ == "__main__":
    main()
