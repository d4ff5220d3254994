"""What the calls that are kept have cost by tag, as the days that new ones are added to."""

from django.db import migrations

from accounts.tenancy import system_scope

_TAGS = {
    "postgresql": "CROSS JOIN LATERAL jsonb_array_elements_text(c.tags) AS t(value)",
    "sqlite": "CROSS JOIN json_each(c.tags) AS t",
}
_DAY = {"postgresql": "(c.created_at AT TIME ZONE 'UTC')::date", "sqlite": "date(c.created_at)"}
_COST = "coalesce(cost, 0) + coalesce(change, 0)"
_BY_ATTEMPT = {
    "attempts": "1",
    "failed": "CASE WHEN outcome IN ('answered', 'lost', 'cancelled') THEN 0 ELSE 1 END",
    "input_tokens": (
        "input_uncached + cache_read + cache_write_5m + cache_write_1h + audio_in + image_in"
    ),
    "output_tokens": "output_visible + reasoning + audio_out",
    "cached_tokens": "cache_read",
    "cost": _COST,
    "estimated": (
        "CASE WHEN cost_status = 'estimated' OR (change IS NOT NULL AND usage_source = 'estimated')"
        f" THEN {_COST} ELSE 0 END"
    ),
    "lost": f"CASE WHEN outcome = 'lost' THEN {_COST} ELSE 0 END",
    "unknown": "CASE WHEN cost IS NULL AND change IS NULL THEN 1 ELSE 0 END",
    "unlucky": "CASE WHEN outcome IN ('answered', 'lost') THEN 0 ELSE 1 END",
}
_BY_CALL = {
    "calls": "c.status <> 'open'",
    "succeeded": "c.status = 'succeeded'",
    "failed_calls": "c.status IN ('failed', 'unknown')",
    "rescued": "c.status = 'succeeded' AND a.unlucky > 0",
    "cache_hits": "c.status <> 'open' AND c.cache = 'hit'",
    "unpriced_calls": "c.status <> 'open' AND c.cost IS NULL AND coalesce(a.unknown, 1) > 0",
}
_SUMMED = [name for name in _BY_ATTEMPT if name not in {"unlucky", "unknown"}]
_NAMES = ", ".join((*_BY_CALL, *_SUMMED, "saved"))


def sum_up(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    of_attempts = ", ".join(f"sum({value}) AS {name}" for name, value in _BY_ATTEMPT.items())
    of_calls = [f"sum(CASE WHEN {holds} THEN 1 ELSE 0 END)" for holds in _BY_CALL.values()]
    of_both = [
        *of_calls,
        *(f"sum(coalesce(a.{name}, 0))" for name in _SUMMED),
        "sum(CASE WHEN c.status <> 'open' THEN c.saved ELSE 0 END)",
    ]
    with system_scope(), schema_editor.connection.cursor() as cursor:
        if vendor == "postgresql":
            cursor.execute("SET LOCAL statement_timeout = 0")
        # What was summed up before, by a try that was broken off or by calls booked since.
        cursor.execute("DELETE FROM billing_tagdelta")
        cursor.execute("DELETE FROM billing_tagday")
        cursor.execute(
            f"INSERT INTO billing_tagday (tenant_id, day, mode, tag, {_NAMES})"
            f" SELECT c.tenant_id, {_DAY[vendor]}, c.mode, t.value, {', '.join(of_both)}"
            f" FROM billing_call c {_TAGS[vendor]}"
            f" LEFT JOIN (SELECT t.tenant_id, t.call_id, {of_attempts} FROM billing_attempt t"
            " LEFT JOIN (SELECT tenant_id, call_id, number, sum(change) AS change"
            " FROM billing_correction GROUP BY tenant_id, call_id, number) k"
            " ON k.tenant_id = t.tenant_id AND k.call_id = t.call_id AND k.number = t.number"
            " GROUP BY t.tenant_id, t.call_id) a"
            " ON a.tenant_id = c.tenant_id AND a.call_id = c.id"
            " WHERE c.status <> 'open' OR a.attempts > 0"
            " GROUP BY 1, 2, 3, 4",
            [],
        )


def forget(apps, schema_editor):
    """The table goes with the migration before."""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0010_tag_days"),
    ]

    operations = [
        migrations.RunPython(sum_up, forget),
    ]
