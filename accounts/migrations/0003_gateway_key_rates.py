from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_gateway_key_policy'),
    ]

    operations = [
        migrations.AddField(
            model_name='gatewaykey',
            name='requests_per_minute',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='gatewaykey',
            name='tokens_per_minute',
            field=models.PositiveBigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='gatewaykey',
            name='max_parallel',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
    ]
