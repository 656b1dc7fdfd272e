"""What a data engineer writes with DuckDB: typed Parquet of the last row of each person, and what changed.

duck.py full|changes CSV STATE    prints {"members", "added", "updated", "removed"}; STATE is a Parquet file.
"""
import json
import os
import sys

import duckdb

mode, source, state = sys.argv[1:4]
con = duckdb.connect()
con.execute("SET threads = 2")
con.execute("SET preserve_insertion_order = true")
columns = """{'ppid': 'VARCHAR', 'name': 'VARCHAR', 'city': 'VARCHAR', 'birth': 'DATE', 'score': 'DOUBLE',
 'points': 'INTEGER', 'opted_in': 'BOOLEAN', 'last_seen': 'TIMESTAMPTZ'}"""
con.execute(f"""
CREATE TEMP TABLE fresh AS
SELECT * EXCLUDE (n) FROM (
  SELECT lower(trim(ppid)) AS id, *, row_number() OVER () AS n
  FROM read_csv('{source}', header = true, columns = {columns}))
QUALIFY row_number() OVER (PARTITION BY id ORDER BY n DESC) = 1""")
values = "name, city, birth, score, points, opted_in, last_seen"
changed = " OR ".join(f"f.{c} IS DISTINCT FROM s.{c}" for c in values.split(", "))
if os.path.exists(state):
    added, updated, removed = con.execute(f"""
    SELECT count(*) FILTER (WHERE s.id IS NULL), count(*) FILTER (WHERE f.id IS NOT NULL AND s.id IS NOT NULL AND ({changed})),
           count(*) FILTER (WHERE f.id IS NULL)
    FROM fresh f FULL JOIN '{state}' s ON f.id = s.id""").fetchone()
else:
    added, updated, removed = con.execute("SELECT count(*), 0, 0 FROM fresh").fetchone()
if mode == "changes":
    removed = 0
    query = f"SELECT * FROM fresh UNION ALL SELECT * FROM '{state}' s WHERE NOT EXISTS (SELECT 1 FROM fresh f WHERE f.id = s.id)"
else:
    query = "SELECT * FROM fresh"
con.execute(f"COPY ({query}) TO '{state}.new' (FORMAT parquet, COMPRESSION snappy)")
with open(state + ".new", "rb") as file:
    os.fsync(file.fileno())
os.replace(state + ".new", state)
members = con.execute(f"SELECT count(*) FROM '{state}'").fetchone()[0]
print(json.dumps({"members": members, "added": added, "updated": updated, "removed": removed}))
