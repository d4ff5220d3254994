from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_books'),
    ]

    operations = [
        migrations.AddField(
            model_name='call',
            name='experiment',
            field=models.CharField(db_default='', max_length=50),
        ),
    ]
