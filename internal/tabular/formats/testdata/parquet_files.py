"""Writes the same rows as people.csv and as Parquet files, the ways pyarrow, DuckDB and (by pyarrow's flavour for it)
Spark do, and files of types that not every writer has.

usage: parquet_files.py FOLDER
"""

import csv
import datetime as dt
import decimal
import os
import sys
import uuid

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[1]
n = 3000
utc = dt.timezone.utc


def nulls(values, every):
    return [None if i % every == every - 1 else v for i, v in enumerate(values)]


def moment(i):
    return dt.datetime(1969, 12, 31, 23, 59, 59, 999_000, utc) + dt.timedelta(hours=i, milliseconds=i)


columns = {
    "id": pa.array([f"id{i}" for i in range(n)], pa.string()),
    "city": pa.array(nulls([f"city {i % 7}" for i in range(n)], 5), pa.large_string()),
    "whole": pa.array(nulls([i * 1_000_003 - 5 for i in range(n)], 7), pa.int64()),
    "small": pa.array([i % 100 for i in range(n)], pa.uint8()),
    "score": pa.array(nulls([i / 8 for i in range(n)], 3), pa.float64()),
    "price": pa.array([decimal.Decimal(i * 25 - 100).scaleb(-2) for i in range(n)], pa.decimal128(9, 2)),
    "born": pa.array([dt.date(1970, 1, 1) + dt.timedelta(days=i - 1500) for i in range(n)], pa.date32()),
    "seen": pa.array(nulls([moment(i) for i in range(n)], 4), pa.timestamp("ms", "UTC")),
    "ok": pa.array(nulls([i % 3 == 0 for i in range(n)], 6), pa.bool_()),
}
table = pa.table(columns)

with open(os.path.join(folder, "people.csv"), "w", newline="") as f:
    out = csv.writer(f)
    out.writerow(columns)
    for row in table.to_pylist():
        out.writerow([v.isoformat() if isinstance(v, dt.datetime) else v for v in row.values()])


def write(name, t=table, **options):
    pq.write_table(t, os.path.join(folder, name + ".parquet"), **options)


for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4"):
    write("pyarrow-" + codec, compression=codec, row_group_size=1000)
write("pyarrow-pages", data_page_version="2.0", use_dictionary=False, data_page_size=1000, write_page_index=True)
write("pyarrow-checksums", write_page_checksum=True, data_page_size=2000)
write("pyarrow-delta", use_dictionary=False, column_encoding={
    "id": "DELTA_BYTE_ARRAY", "city": "DELTA_LENGTH_BYTE_ARRAY", "whole": "DELTA_BINARY_PACKED",
    "score": "BYTE_STREAM_SPLIT", "born": "DELTA_BINARY_PACKED"})
write("pyarrow-v1", version="1.0", store_decimal_as_integer=True)
write("pyarrow-dictionary", pa.table({c: v.dictionary_encode() if c in ("id", "city") else v for c, v in columns.items()}))
write("spark-int96", flavor="spark", use_deprecated_int96_timestamps=True)
write("spark-legacy", pa.table({c: v.cast(pa.binary()) if c in ("id",) else v for c, v in columns.items()}), flavor="spark")

db = duckdb.connect()
db.register("people", table)
db.sql("set timezone = 'UTC'")
for name, options in {"duckdb": "", "duckdb-zstd": ", compression zstd, row_group_size 2048", "duckdb-v2": ", parquet_version v2"}.items():
    db.sql(f"copy (select * from people) to '{os.path.join(folder, name)}.parquet' (format parquet{options})")

# Types that not every writer has.
write("others", pa.table({
    "id": ["a", "b"],
    "half": pa.array([1.5, 0.099976], pa.float16()),
    "time": pa.array([dt.time(1, 2, 3), dt.time(23, 59, 59, 999999)], pa.time64("us")),
    "nanos": pa.array([-1, 1_747_000_000_123_456_789], pa.timestamp("ns")),
    "date64": pa.array([0, 86_400_000], pa.date64()),
    "huge": pa.array([2**64 - 1, 0], pa.uint64()),
    "uuid": pa.array([uuid.UUID(int=1).bytes, uuid.UUID("12345678-9abc-def0-1234-56789abcdef0").bytes], pa.uuid()),
    "null": pa.nulls(2),
    "many": pa.array([[1], [2, 3]], pa.list_(pa.int32())),
    "inner": pa.array([{"a": 1}, {"a": 2}]),
    "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int32())),
}))
db.sql(f"""copy (select 'a' as id, 'happy'::enum('sad', 'happy') as mood, '{{"a":1}}'::json as doc, uuid '12345678-9abc-def0-1234-56789abcdef0' as uuid,
    170141183460469231731687303715884105727::hugeint as huge, timestamptz '2025-05-13 10:00:00+02' as zoned, timestamp_ns '2025-05-13 10:00:00.123456789' as nanos,
    time '01:02:03' as time, 12.50::decimal(30,2) as price, 7::utinyint as tiny, 'x'::blob as bytes)
    to '{os.path.join(folder, "duckdb-others")}.parquet' (format parquet)""")
