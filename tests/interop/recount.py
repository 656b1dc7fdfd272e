"""Recounts an audience's Iceberg table with pyiceberg and Polars against its CSV files, read by Python's own csv module.

recount.py METADATA IDENTITY MODE=FILE…   where MODE is full or changes; prints one JSON document.
METADATA is a path or an s3:// location. The variables AWS_… and S3_ENDPOINT say how an object store is read.
"""
import csv
import datetime
import json
import os
import sys

os.environ["POLARS_ICEBERG_PLANNER"] = "pyiceberg"  # without a warning that the plugin is not installed

import polars
from pyiceberg.table import StaticTable


def parse(value, kind):
    if kind == "string":
        return value or None
    value = value.strip()
    if value == "":
        return None
    if kind in ("int", "long"):
        return int(value)
    if kind == "double":
        return float(value)
    if kind == "boolean":
        return value.lower() in ("true", "t", "yes", "y", "1")
    if kind == "date":
        return datetime.date.fromisoformat(value)
    if kind == "timestamptz":
        at = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        return at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)
    raise ValueError(kind)


def main():
    metadata, identity = sys.argv[1], sys.argv[2]
    location, store = "file://" + metadata, {}
    if metadata.startswith("s3://"):
        location = metadata
        store = {"s3.endpoint": os.environ["S3_ENDPOINT"], "s3.access-key-id": os.environ["AWS_ACCESS_KEY_ID"],
                 "s3.secret-access-key": os.environ["AWS_SECRET_ACCESS_KEY"], "s3.region": "us-east-1"}
    table = StaticTable.from_metadata(location, store)
    kinds = {f.name: str(f.field_type) for f in table.schema().fields if not f.name.startswith("_roster_")}
    people = {}
    for arg in sys.argv[3:]:
        mode, _, path = arg.partition("=")
        if mode == "full":
            people = {}
        records = 0
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                records += 1
                key = row[identity].strip().lower() if kinds[identity] == "string" else row[identity].strip()
                if key:
                    people[key] = {name: parse(row[name], kind) for name, kind in kinds.items()}
    found = table.scan().to_arrow().to_pylist()
    wrong = 0
    seen = set()
    for row in found:
        key = str(row[identity]).strip().lower()
        seen.add(key)
        want = people.get(key)
        if want is None or any(row[name] != want[name] for name in kinds):
            wrong += 1
    # Polars plans with pyiceberg, and reads with its own reader of Parquet files and position deletes.
    native = polars.scan_iceberg(location, storage_options=store, reader_override="native").collect()
    through = polars.scan_iceberg(location, storage_options=store, reader_override="pyiceberg").collect()
    snapshot = table.current_snapshot()
    print(json.dumps({
        "rows": len(found), "distinct": len(seen), "expected": len(people), "wrong": wrong, "types": kinds, "records": records,
        "polars": native.height, "polarsSame": native.sort("_roster_id").equals(through.sort("_roster_id")),
        "snapshots": len(table.snapshots()),
        "runId": snapshot.summary.additional_properties.get("roster.run-id"),
        "positionDeletes": int(snapshot.summary.additional_properties.get("total-position-deletes", "0")),
    }))


main()
