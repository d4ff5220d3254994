import accounts.ids
from accounts.tenancy import EnableRowSecurity
import billing.models.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_gateway_key_rates'),
        ('billing', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('id', models.UUIDField(default=accounts.ids.new, editable=False, primary_key=True, serialize=False)),
                ('scope', models.CharField(choices=[('tenant', 'Tenant'), ('project', 'Project'), ('key', 'Key')], max_length=7)),
                ('lineage', models.UUIDField(null=True)),
                ('limit', billing.models.fields.UsdField()),
                ('window', models.CharField(choices=[('day', 'Day'), ('week', 'Week'), ('month', 'Month'), ('total', 'Total')], max_length=5)),
                ('mode', models.CharField(choices=[('hard', 'Hard'), ('soft', 'Soft')], max_length=4)),
                ('alert_at', models.JSONField(default=list)),
                ('raised_by', billing.models.fields.UsdField(default=0)),
                ('raised_until', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('project', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.project')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'ordering': ['created_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='BudgetWindow',
            fields=[
                ('id', models.UUIDField(default=accounts.ids.new, editable=False, primary_key=True, serialize=False)),
                ('calls', models.CharField(choices=[('live', 'Live'), ('test', 'Test')], max_length=4)),
                ('starts_at', models.DateTimeField()),
                ('spent', billing.models.fields.UsdField(default=0)),
                ('leased', billing.models.fields.UsdField(default=0)),
                ('budget', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='windows', to='billing.budget')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
        ),
        migrations.CreateModel(
            name='BudgetAlert',
            fields=[
                ('id', models.UUIDField(default=accounts.ids.new, editable=False, primary_key=True, serialize=False)),
                ('percent', models.PositiveIntegerField()),
                ('spent', billing.models.fields.UsdField()),
                ('limit', billing.models.fields.UsdField()),
                ('created_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(null=True)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
                ('window', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='alerts', to='billing.budgetwindow')),
            ],
        ),
        migrations.CreateModel(
            name='Lease',
            fields=[
                ('id', models.UUIDField(default=accounts.ids.new, editable=False, primary_key=True, serialize=False)),
                ('holder', models.CharField(max_length=120)),
                ('folder', models.CharField(max_length=32)),
                ('amount', billing.models.fields.UsdField()),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
                ('window', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='leases', to='billing.budgetwindow')),
            ],
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lineage', None), ('project', None), ('scope', 'tenant')), models.Q(('lineage', None), ('project__isnull', False), ('scope', 'project')), models.Q(('lineage__isnull', False), ('project', None), ('scope', 'key')), _connector='OR'), name='budget_scope'),
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.CheckConstraint(condition=models.Q(('window__in', ['day', 'week', 'month', 'total'])), name='budget_window'),
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.CheckConstraint(condition=models.Q(('mode__in', ['hard', 'soft'])), name='budget_mode'),
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.CheckConstraint(condition=models.Q(('limit__gte', 0), ('raised_by__gte', 0)), name='budget_limit'),
        ),
        migrations.AddConstraint(
            model_name='budgetwindow',
            constraint=models.UniqueConstraint(fields=('budget', 'calls', 'starts_at'), name='budget_window_once'),
        ),
        migrations.AddConstraint(
            model_name='budgetwindow',
            constraint=models.CheckConstraint(condition=models.Q(('leased__gte', 0)), name='budget_window_leased'),
        ),
        migrations.AddIndex(
            model_name='budgetalert',
            index=models.Index(condition=models.Q(('sent_at', None)), fields=['created_at'], name='budget_alert_waiting'),
        ),
        migrations.AddConstraint(
            model_name='budgetalert',
            constraint=models.UniqueConstraint(fields=('window', 'percent'), name='budget_alert_once'),
        ),
        migrations.AddIndex(
            model_name='lease',
            index=models.Index(fields=['folder', 'holder'], name='lease_of_holder'),
        ),
        migrations.AddConstraint(
            model_name='lease',
            constraint=models.UniqueConstraint(fields=('window', 'holder'), name='lease_once'),
        ),
        migrations.AddConstraint(
            model_name='lease',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0)), name='lease_amount'),
        ),
        EnableRowSecurity('billing_budget'),
        EnableRowSecurity('billing_budgetwindow'),
        EnableRowSecurity('billing_budgetalert'),
        EnableRowSecurity('billing_lease'),
    ]
