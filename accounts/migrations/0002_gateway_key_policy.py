from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='gatewaykey',
            name='policy',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
    ]
