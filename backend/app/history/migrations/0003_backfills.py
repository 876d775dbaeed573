from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('history', '0002_lateness_and_progress'),
    ]

    operations = [
        migrations.AlterField(
            model_name='run',
            name='kind',
            field=models.CharField(choices=[('schedule', '스케줄'), ('trigger', '수동 실행'), ('backfill', '백필'), ('send', '요청'), ('task', '태스크')], default='task', max_length=16),
        ),
    ]
