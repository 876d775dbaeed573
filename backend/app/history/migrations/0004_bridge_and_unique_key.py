"""Runs that came over the bridge, and an index by which the runs of one unique key are found."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('history', '0003_backfills'),
    ]

    operations = [
        migrations.AlterField(
            model_name='run',
            name='kind',
            field=models.CharField(choices=[('schedule', '스케줄'), ('trigger', '수동 실행'), ('backfill', '백필'), ('send', '요청'), ('bridge', '예전 목록'), ('task', '태스크')], default='task', max_length=16),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('unique_key__isnull', False)), fields=['unique_key', '-seen_at'], name='history_run_unique_key'),
        ),
    ]
