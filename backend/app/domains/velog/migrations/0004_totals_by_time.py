"""Daily totals laid out by time: a hypertable where the database has Timescale, an index of day ranges on plain PostgreSQL.

Timescale is used where `CREATE EXTENSION timescaledb` was run in this database before; nothing is created unasked. Every
unique index of a hypertable must contain its time column, so the database's own key on `id` becomes a plain index there;
Django's `id` stays.
"""

from django.db import migrations

TABLE = "posts_postdailystatistics"


def lay_out(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE INDEX posts_pds_date_brin ON {TABLE} USING brin (date)")
            return
        cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'", [TABLE])
        for (key,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT {schema_editor.quote_name(key)}")
        cursor.execute(f"CREATE INDEX IF NOT EXISTS posts_pds_id_idx ON {TABLE} (id)")
        cursor.execute(
            "SELECT create_hypertable(%s::regclass, 'date', chunk_time_interval => interval '1 day',"
            " if_not_exists => true, migrate_data => true)",
            [TABLE],
        )


def forget_ranges(apps, schema_editor):
    """A hypertable stays one: its rows lie in chunks, and earlier versions read and write it all the same."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS posts_pds_date_brin")


class Migration(migrations.Migration):

    dependencies = [
        ("velog", "0003_one_row_a_post_and_day"),
    ]

    operations = [
        migrations.RunPython(lay_out, forget_ranges),
    ]
