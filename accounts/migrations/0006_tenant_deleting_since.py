from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_invitations'),
    ]

    operations = [
        migrations.AddField(
            model_name='tenant',
            name='deleting_since',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
