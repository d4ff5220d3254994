import accounts.ids
from accounts.tenancy import EnableRowSecurity
import billing.models.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('routing', '0003_cached_answer'),
    ]

    operations = [
        migrations.CreateModel(
            name='Experiment',
            fields=[
                ('id', models.UUIDField(default=accounts.ids.new, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=64, validators=[django.core.validators.RegexValidator('^[a-z0-9._-]{1,64}\\Z')])),
                ('mode', models.CharField(default='live', max_length=4)),
                ('policy', models.CharField(blank=True, max_length=64)),
                ('assignment', models.CharField(choices=[('session', 'Session'), ('call', 'Call')], max_length=7)),
                ('key', models.BinaryField(max_length=32)),
                ('shadow_rate', models.FloatField()),
                ('judge_model', models.CharField(blank=True, max_length=200)),
                ('judge_instructions', models.TextField(blank=True, max_length=2000)),
                ('target_pairs', models.PositiveIntegerField()),
                ('max_judge_spend', billing.models.fields.UsdField()),
                ('keeps_examples', models.BooleanField(default=False)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('running', 'Running'), ('stopped', 'Stopped')], default='draft', max_length=7)),
                ('judging_ended', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.CharField(max_length=254)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
                ('promoted', models.CharField(blank=True, max_length=16)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'ordering': ['-created_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Arm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('name', models.CharField(max_length=16)),
                ('model', models.CharField(blank=True, max_length=200)),
                ('policy', models.CharField(blank=True, max_length=64)),
                ('weight', models.FloatField(default=1.0)),
                ('halted', models.CharField(blank=True, max_length=200)),
                ('verdict', models.CharField(blank=True, max_length=20)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='arms', to='routing.experiment')),
            ],
            options={
                'ordering': ['number', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Judgement',
            fields=[
                ('id', models.UUIDField(default=accounts.ids.new, editable=False, primary_key=True, serialize=False)),
                ('sample', models.UUIDField()),
                ('challenger', models.CharField(max_length=16)),
                ('kind', models.CharField(choices=[('pair', 'Pair'), ('failed', 'Failed'), ('dropped', 'Dropped'), ('skipped', 'Skipped'), ('canary', 'Canary')], max_length=7)),
                ('at', models.DateTimeField()),
                ('half_points', models.PositiveSmallIntegerField(null=True)),
                ('is_consistent', models.BooleanField(null=True)),
                ('style', models.JSONField(null=True)),
                ('failed', models.CharField(blank=True, max_length=16)),
                ('right', models.PositiveSmallIntegerField(null=True)),
                ('cost', billing.models.fields.UsdField(null=True)),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='judgements', to='routing.experiment')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Sample',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('arm', models.CharField(max_length=16)),
                ('project_id', models.UUIDField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done')], default='waiting', max_length=7)),
                ('content', models.BinaryField(null=True)),
                ('request_digest', models.BinaryField(max_length=16)),
                ('session_digest', models.BinaryField(max_length=16, null=True)),
                ('claim', models.UUIDField(null=True)),
                ('claimed_until', models.DateTimeField(null=True)),
                ('reserved', billing.models.fields.UsdField(default=0)),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='samples', to='routing.experiment')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddConstraint(
            model_name='experiment',
            constraint=models.UniqueConstraint(fields=('tenant', 'name'), name='experiment_name_once'),
        ),
        migrations.AddConstraint(
            model_name='experiment',
            constraint=models.CheckConstraint(condition=models.Q(('shadow_rate__gte', 0), ('shadow_rate__lte', 1)), name='experiment_shadow_rate'),
        ),
        migrations.AddConstraint(
            model_name='arm',
            constraint=models.UniqueConstraint(fields=('experiment', 'number'), name='arm_number_once'),
        ),
        migrations.AddConstraint(
            model_name='arm',
            constraint=models.UniqueConstraint(fields=('experiment', 'name'), name='arm_name_once'),
        ),
        migrations.AddConstraint(
            model_name='arm',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('model', ''), models.Q(('policy', ''), _negated=True)), models.Q(models.Q(('model', ''), _negated=True), ('policy', '')), _connector='OR'), name='arm_model_or_policy'),
        ),
        migrations.AddConstraint(
            model_name='judgement',
            constraint=models.UniqueConstraint(fields=('experiment', 'sample', 'kind'), name='judgement_once'),
        ),
        migrations.AddIndex(
            model_name='sample',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['claimed_until', 'id'], name='sample_waiting'),
        ),
        migrations.AddIndex(
            model_name='sample',
            index=models.Index(fields=['expires_at'], name='sample_expires'),
        ),
        migrations.AddConstraint(
            model_name='sample',
            constraint=models.UniqueConstraint(fields=('experiment', 'request_digest'), name='sample_request_once'),
        ),
        migrations.AddConstraint(
            model_name='sample',
            constraint=models.UniqueConstraint(fields=('experiment', 'session_digest'), name='sample_session_once'),
        ),
        EnableRowSecurity('routing_experiment'),
        EnableRowSecurity('routing_arm'),
        EnableRowSecurity('routing_sample'),
        EnableRowSecurity('routing_judgement'),
    ]
