import accounts.ids
from accounts.tenancy import EnableRowSecurity
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='OperatorBaseUrl',
            fields=[
                ('id', models.UUIDField(default=accounts.ids.new, editable=False, primary_key=True, serialize=False)),
                ('provider', models.CharField(max_length=40, unique=True)),
                ('base_url', models.CharField(max_length=512)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.CharField(max_length=254)),
            ],
            options={
                'ordering': ['provider', 'id'],
            },
        ),
        migrations.CreateModel(
            name='OperatorModel',
            fields=[
                ('id', models.UUIDField(default=accounts.ids.new, editable=False, primary_key=True, serialize=False)),
                ('provider', models.CharField(max_length=40)),
                ('model', models.CharField(max_length=200)),
                ('family', models.CharField(blank=True, max_length=200)),
                ('kind', models.CharField(blank=True, max_length=10)),
                ('context', models.PositiveIntegerField(blank=True, null=True)),
                ('output', models.PositiveIntegerField(blank=True, null=True)),
                ('can', models.JSONField(blank=True, null=True)),
                ('reasons', models.BooleanField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.CharField(max_length=254)),
            ],
            options={
                'ordering': ['provider', 'model', 'id'],
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('provider', 'model'), name='model_of_operator_once')],
            },
        ),
        migrations.CreateModel(
            name='TenantModel',
            fields=[
                ('id', models.UUIDField(default=accounts.ids.new, editable=False, primary_key=True, serialize=False)),
                ('provider', models.CharField(max_length=40)),
                ('model', models.CharField(max_length=200)),
                ('family', models.CharField(blank=True, max_length=200)),
                ('kind', models.CharField(blank=True, max_length=10)),
                ('context', models.PositiveIntegerField(blank=True, null=True)),
                ('output', models.PositiveIntegerField(blank=True, null=True)),
                ('can', models.JSONField(blank=True, null=True)),
                ('reasons', models.BooleanField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.CharField(max_length=254)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'ordering': ['provider', 'model', 'id'],
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('tenant', 'provider', 'model'), name='model_of_tenant_once')],
            },
        ),
        EnableRowSecurity('routing_tenantmodel'),
    ]
