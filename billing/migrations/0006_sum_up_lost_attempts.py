"""What attempts that lost a race have cost so far, as deltas that the next roll-up folds in."""

from django.db import migrations

from accounts.tenancy import system_scope

_SUMS = (
    "calls", "succeeded", "failed_calls", "rescued", "cache_hits", "attempts", "failed",
    "input_tokens", "output_tokens", "cached_tokens", "cost", "saved", "estimated",
    "unpriced_calls",
)
_NO_ID = {
    "postgresql": "'00000000-0000-0000-0000-000000000000'::uuid",
    "sqlite": "'00000000000000000000000000000000'",
}
_HOUR = {
    "postgresql": "date_trunc('hour', c.created_at, 'UTC')",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:00:00', c.created_at)",
}


def sum_up(apps, schema_editor):
    connection = schema_editor.connection
    no_id, hour = _NO_ID[connection.vendor], _HOUR[connection.vendor]
    with system_scope(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "INSERT INTO billing_spenddelta (tenant_id, hour, mode, purpose, provider, model,"
            f" project_id, gateway_key_id, policy, {', '.join(_SUMS)}, lost)"
            f" SELECT c.tenant_id, {hour}, c.mode, c.purpose, a.provider, a.model,"
            f" coalesce(c.project_id, {no_id}), coalesce(c.gateway_key_id, {no_id}), c.policy,"
            f" {', '.join('0' for _ in _SUMS)}, sum(coalesce(a.cost, 0) + coalesce(k.change, 0))"
            " FROM billing_attempt a"
            " JOIN billing_call c ON c.tenant_id = a.tenant_id AND c.id = a.call_id"
            " LEFT JOIN (SELECT tenant_id, call_id, number, sum(change) AS change"
            " FROM billing_correction GROUP BY tenant_id, call_id, number) k"
            " ON k.tenant_id = a.tenant_id AND k.call_id = a.call_id AND k.number = a.number"
            " WHERE a.outcome = 'lost'"
            " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9",
            [],
        )


def forget(apps, schema_editor):
    """The column goes with the migration before."""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_spend_lost"),
    ]

    operations = [
        migrations.RunPython(sum_up, forget),
    ]
