"""`run_id`, and one statistics row a post and day. Rows that the old collector wrote twice become one first."""

from django.db import migrations, models
from django.db.models import Count, Max

BATCH = 500


def lock(apps, schema_editor):
    """Keep writers out until the constraint is there; SQLite's transaction does that by itself."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("LOCK TABLE posts_postdailystatistics IN SHARE ROW EXCLUSIVE MODE")


def merge(apps, schema_editor):
    """Keep of each post's day the row changed last, with the highest counts of all: totals only ever grow."""
    rows = apps.get_model("velog", "PostDailyStatistics").objects.using(schema_editor.connection.alias)
    twice = rows.values("post_id", "date").annotate(
        count=Count("id"), views=Max("daily_view_count"), likes=Max("daily_like_count")
    )
    groups = list(twice.filter(count__gt=1).order_by())
    surplus = []
    for group in groups:
        same = rows.filter(post_id=group["post_id"], date=group["date"]).order_by("-updated_at", "-id")
        kept, *others = same.values_list("id", flat=True)
        rows.filter(id=kept).update(daily_view_count=group["views"], daily_like_count=group["likes"])
        surplus += others
    for start in range(0, len(surplus), BATCH):
        rows.filter(id__in=surplus[start : start + BATCH]).delete()


class Migration(migrations.Migration):

    dependencies = [
        ("velog", "0002_stats_refresh_requests"),
    ]

    operations = [
        migrations.RunPython(lock, migrations.RunPython.noop),
        migrations.AddField(
            model_name="postdailystatistics",
            name="run_id",
            field=models.CharField(blank=True, max_length=64, null=True, verbose_name="실행 ID"),
        ),
        migrations.RunPython(merge, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="postdailystatistics",
            constraint=models.UniqueConstraint(fields=("post", "date"), name="posts_pds_post_date_uniq"),
        ),
    ]
