"""`run_id` on listings and snapshots, and the indexes that crawls and pages use."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("realestate", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="article",
            name="run_id",
            field=models.CharField(blank=True, max_length=64, null=True, verbose_name="실행 ID"),
        ),
        migrations.AddField(
            model_name="articlesnapshot",
            name="run_id",
            field=models.CharField(blank=True, max_length=64, null=True, verbose_name="실행 ID"),
        ),
        migrations.AddIndex(
            model_name="article",
            index=models.Index(fields=["complex", "is_active"], name="articles_complex_active_idx"),
        ),
        migrations.AddIndex(
            model_name="articlesnapshot",
            index=models.Index(fields=["complex", "snapshot_date"], name="snapshots_complex_date_idx"),
        ),
        migrations.AddIndex(
            model_name="crawljob",
            index=models.Index(fields=["complex", "status", "-started_at"], name="crawl_jobs_last_idx"),
        ),
    ]
