"""Taking over the back office's database: nothing is lost, and each post's day becomes one row."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

pytestmark = pytest.mark.django_db(transaction=True)

DAY = datetime(2026, 11, 1, 15, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _migrated_afterwards() -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


def to(name: str | None) -> MigrationExecutor:
    executor = MigrationExecutor(connection)
    executor.migrate([("velog", name)])
    return MigrationExecutor(connection)


def tables() -> set[str]:
    return set(connection.introspection.table_names())


def test_rows_that_were_written_twice_become_one() -> None:
    old = to("0002_stats_refresh_requests").loader.project_state([("velog", "0002_stats_refresh_requests")]).apps
    user = old.get_model("velog", "User").objects.create(
        velog_uuid="0" * 32, access_token="x", refresh_token="x", group_id=1
    )
    post = old.get_model("velog", "Post").objects.create(post_uuid="1" * 32, user=user, title="t")
    rows = old.get_model("velog", "PostDailyStatistics").objects
    for views, likes in ((10, 3), (12, 2), (11, 1)):
        rows.create(post=post, date=DAY, daily_view_count=views, daily_like_count=likes)
    newest = rows.order_by("id")[1]
    rows.filter(pk=newest.pk).update(updated_at=DAY + timedelta(days=400))
    rows.create(post=post, date=DAY + timedelta(days=1), daily_view_count=20, daily_like_count=4)

    to("0003_one_row_a_post_and_day")
    from app.domains.velog.models import PostDailyStatistics

    first, second = PostDailyStatistics.objects.order_by("date")
    assert (first.pk, first.daily_view_count, first.daily_like_count) == (newest.pk, 12, 3)
    assert first.updated_at == DAY + timedelta(days=400)
    assert (second.daily_view_count, second.run_id) == (20, None)
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "posts_postdailystatistics")
    assert constraints["posts_pds_post_date_uniq"]["unique"]
    assert constraints["posts_pds_post_date_idx"]["index"]
    PostDailyStatistics.objects.all().delete()


@pytest.mark.parametrize("has_requests", [True, False])
def test_an_existing_database_is_taken_over_with_and_without_the_newer_table(has_requests: bool) -> None:
    to("0002_stats_refresh_requests" if has_requests else "0001_initial")
    MigrationRecorder(connection).migration_qs.filter(app="velog").delete()  # as if the back office had made them
    assert ("ops_tracking_statsrefreshrequest" in tables()) == has_requests
    call_command("migrate", "velog", fake_initial=True, verbosity=0)
    assert "ops_tracking_statsrefreshrequest" in tables()
    with connection.cursor() as cursor:
        columns = {c.name for c in connection.introspection.get_table_description(cursor, "posts_postdailystatistics")}
    assert "run_id" in columns


def test_every_table_has_the_old_name() -> None:
    assert tables() >= {
        "users_user", "users_qrlogintoken", "posts_post", "posts_postdailystatistics",
        "ops_tracking_statsrefreshrequest", "complexes", "articles", "article_snapshots", "article_changes",
        "crawl_jobs", "transactions",
    }  # fmt: skip


def test_models_and_migrations_agree() -> None:
    call_command("makemigrations", "velog", "realestate", check=True, dry_run=True, verbosity=0)
