"""A stand-in for the extension timescaledb, to see what we ask of it: it records calls, and lays nothing out in chunks.

It proves that the extension is found and what our statements say, not that Timescale takes them.
"""

from pathlib import Path

CONTROL = "default_version = '0.0-stub'\nrelocatable = false\nschema = public\n"
SCRIPT = """
CREATE TABLE stub_calls (number serial, call text);
CREATE FUNCTION create_hypertable(relation regclass, time_column_name name, chunk_time_interval interval,
                                  if_not_exists boolean, migrate_data boolean) RETURNS text LANGUAGE sql AS $$
  INSERT INTO stub_calls (call) VALUES (format('create_hypertable %s %s %s', relation, time_column_name, chunk_time_interval));
  INSERT INTO timescaledb_information.hypertables VALUES (current_schema(), relation::text);
  SELECT 'done' $$;
CREATE FUNCTION drop_chunks(relation regclass, older_than timestamptz) RETURNS SETOF text LANGUAGE sql AS $$
  INSERT INTO stub_calls (call) VALUES (format('drop_chunks %s %s', relation, older_than AT TIME ZONE 'UTC'));
  SELECT unnest(array['chunk 1', 'chunk 2']) $$;
CREATE SCHEMA timescaledb_information;
CREATE TABLE timescaledb_information.hypertables (hypertable_schema name, hypertable_name name);
"""


def write_extension(folder: Path) -> str:
    """Put its files under `folder`; returns what `extension_control_path` has to be (PostgreSQL 18 and later)."""
    place = folder / "extension"
    place.mkdir(parents=True)
    (place / "timescaledb.control").write_text(CONTROL, encoding="utf-8")
    (place / "timescaledb--0.0-stub.sql").write_text(SCRIPT, encoding="utf-8")
    for path in (folder, place):
        path.chmod(0o755)
    return f"{folder}:$system"
