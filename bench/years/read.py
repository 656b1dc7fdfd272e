# Reads a table by pyiceberg and by DuckDB, and prints: manifests, data files, delete files, seconds by pyiceberg, seconds by DuckDB.
# The rows and the sums of both must agree.
import glob
import importlib
import sys
import time

import duckdb
from pyiceberg.table import StaticTable

location = sys.argv[1]


def timed(read):
    best = None
    for _ in range(3):
        start = time.perf_counter()
        result = read()
        taken = time.perf_counter() - start
        best = taken if best is None else min(best, taken)
    return result, best


def by_pyiceberg():
    table = StaticTable.from_metadata("file://" + location)
    rows = table.scan(selected_fields=("ppid", "points")).to_arrow()
    return rows.num_rows, sum(rows["points"].to_pylist())


def by_duckdb():
    db = duckdb.connect()
    for name in ("avro", "iceberg"):
        folder = importlib.import_module("duckdb_extension_" + name).__path__[0]
        db.load_extension(glob.glob(folder + "/extensions/*/" + name + ".duckdb_extension")[0])
    return db.execute("SELECT count(*), sum(points)::BIGINT FROM iceberg_scan(?)", [location]).fetchone()


first, slow = timed(by_pyiceberg)
quick = "-"
try:
    second, quick = timed(by_duckdb)
    quick = f"{quick:.3f}"
    if second != first:
        sys.exit(f"pyiceberg read {first}, DuckDB {second}")
except (duckdb.Error, ImportError) as error:
    print(error, file=sys.stderr)
snapshot = StaticTable.from_metadata("file://" + location).current_snapshot()
table = StaticTable.from_metadata("file://" + location)
manifests = snapshot.manifests(table.io)
data = deletes = 0
for m in manifests:
    n = len(m.fetch_manifest_entry(table.io, discard_deleted=True))
    if m.content == 0:
        data += n
    else:
        deletes += n
print(len(manifests), data, deletes, f"{slow:.3f}", quick)
