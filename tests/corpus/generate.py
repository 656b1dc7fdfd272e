"""Writes the files of the corpus that an editor cannot keep, or that another program has to write.

generate.py [CASE…]   all cases without an argument; requirements.txt has what it needs. The PostgreSQL cases need
ROSTER_TEST_POSTGRES_URL, and psql, sqlite3 and jq in the PATH. The names are invented, and nobody has the addresses.
"""
import bz2
import datetime
import decimal
import gzip
import io
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import uuid
import zipfile

ROOT = pathlib.Path(__file__).parent / "testdata"
UTC = datetime.timezone.utc
CASES = {}


def case(fn):
    CASES[fn.__name__.replace("_", "-")] = fn
    return fn


def text(*rows, header="mail,name,points", end="\n"):
    return end.join([header, *rows, ""]).encode()


ADA, BOB, CY, DEE = ("ada@example.com,Ada,1", "bob@example.com,Bob,2", "cy@example.com,Cy,3", "dee@example.com,Dee,4")


# --- encodings


@case
def spectrum_latin1():
    return {"people.csv": "mail,name,points\nada@example.com,Ädä Lovelåce,1\nrené@example.com,René ¤,2\n".encode("latin-1")}


UMLAUTS = "mail;name;points\r\naenne@example.com;Änne Müßig;1\r\nbob@example.com;Bob – „the Builder“ €;2\r\ncy@example.com;Cy;3\r\n"


@case
def export_windows_1252():
    return {"Kunden.csv": UMLAUTS.encode("cp1252")}


@case
def export_windows_1252_unnamed():
    return {"Kunden.csv": UMLAUTS.encode("cp1252")}


@case
def export_excel_unicode_text():
    rows = "mail\tname\tpoints\r\nada@example.com\t\"Ada \"\"L\"\"\tLovelace\"\t1\r\nbob@example.com\tБоб 🦉\t2\r\ncy@example.com\tCy\t1,5\r\n"
    return {"Book1.txt": b"\xff\xfe" + rows.encode("utf-16-le")}


@case
def pollock_utf16():
    return {
        "be.csv": b"\xfe\xff" + text(ADA).decode().encode("utf-16-be"),
        "le.csv": b"\xff\xfe" + text("bob@example.com,Bøb,2", "cy@example.com,Cy,x").decode().encode("utf-16-le"),
    }


@case
def pollock_utf16_named():
    return {"people.csv": text(ADA, "bob@example.com,Bøb,2").decode().encode("utf-16-be")}


@case
def pollock_utf16_broken():
    rows = f"mail,name,points\n{ADA}\nbob@example.com,B\ud83eb,2\n{CY}\n{DEE}\neve@example.com,\ufffd,5\n"
    return {"people.csv": b"\xff\xfe" + rows.encode("utf-16-le", "surrogatepass") + b"\x41"}


@case
def pollock_utf32():
    return {"people.csv": text(ADA, BOB).decode().encode("utf-32")}


@case
def pollock_header_repeated():
    """Three exports with a byte order mark, put one behind the other."""
    marked = "\ufeff\"mail\",\"name\",\"city\"\r\n"
    return {"people.csv": "".join(marked + f"\"{n.lower()}@example.com\",\"{n}\",\"{c}\"\r\n" for n, c in (("Ada", "London"), ("Bob", "Paris"), ("Cy", "Oslo"))).encode()}


@case
def folder_only_mark():
    return {"a.csv": text(ADA), "b.csv": b"\xef\xbb\xbf", "c.csv": b"\xff\xfe", "d.csv.gz": gz(b"\xef\xbb\xbf")}


@case
def json_utf16():
    return {"people.jsonl": b"\xff\xfe" + '{"mail":"ada@example.com","name":"Åda 🦉","points":1}\n{"mail":"bob@example.com","points":2}\n'.encode("utf-16-le")}


# --- compression


def zst(data):
    import zstandard

    return zstandard.ZstdCompressor(level=3).compress(data)


def gz(data):
    return gzip.compress(data, mtime=0)


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in files:
            info = zipfile.ZipInfo(name, (2025, 5, 13, 10, 11, 12))
            info.compress_type = method
            z.writestr(info, data)
    return out.getvalue()


@case
def packed_gzip_members():
    # As from log rotation, or a split file compressed in parallel: the second member goes on in the middle of a row.
    return {"people.csv.gz": gz(text(ADA) + b"bob@exam") + gz(b"ple.com,Bob,2\n") + gz(b"") + gz(b"cy@example.com,Cy,x\n")}


@case
def packed_zstd_frames():
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"note"
    return {"people.csv.zst": skippable + zst(text(ADA)) + skippable + zst(b"bob@example.com,Bob,2\n")}


@case
def packed_bzip2():
    return {"people.csv.bz2": bz2.compress(text(ADA)) + bz2.compress(b"bob@example.com,Bob,2\n")}


@case
def packed_zip():
    return {
        "deflated.zip": zipped(("export/", b""), ("export/people.csv", text(ADA)), ("__MACOSX/export/._people.csv", b"\0\5\x16\7")),
        "stored.zip": zipped(("people.jsonl", b'{"mail":"bob@example.com","name":"Bob","points":2}\n'), method=zipfile.ZIP_STORED),
    }


@case
def packed_zip_two():
    return {"people.zip": zipped(("a.csv", text(ADA)), ("b.csv", text(BOB)))}


@case
def packed_zip_hidden():
    return {"people.zip": zipped((".DS_Store", b"\0\0\0\1Bud1"), ("people.csv", text(ADA)), ("._people.csv", b"\0\5\x16\7"))}


@case
def packed_tar_plain():
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        member = tarfile.TarInfo("people.csv")
        member.size = len(text(ADA))
        archive.addfile(member, io.BytesIO(text(ADA)))
    return {"people.tar": tar.getvalue()}


@case
def pollock_utf32():
    return {"people.csv": text(ADA).decode().encode("utf-32")}


@case
def export_windows_1252_undefined():
    return {"people.csv": b"mail;name;points\r\n\xe4da\x81@example.com;Ada;1\r\n\xe4da\x8d@example.com;Ida;2\r\nbob@example.com;\x80;3\r\n"}


@case
def packed_xlsx():
    return {"people.xlsx": zipped(("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<workbook/>"), ("xl/worksheets/sheet1.xml", b"<worksheet/>"))}


@case
def packed_names():
    # The content says what a file is: all of these names lie.
    return {"a.gz": text(ADA), "b.csv": gz(text(BOB)), "c.json": zst(text(CY)), "d.parquet": text(DEE), "e": bz2.compress(b'[{"mail":"eve@example.com","name":"Eve","points":5}]')}


@case
def packed_gzip_cut_off():
    whole = gz(text(*(f"p{i}@example.com,Person {i * 7919 % 1000},{i}" for i in range(2000))))
    return {"a.csv": text(ADA), "b.csv.gz": whole[: len(whole) // 2]}


@case
def packed_gzip_cut_off_trailer():
    return {"people.csv.gz": gz(text(ADA, BOB))[:-4]}


@case
def packed_zstd_cut_off():
    return {"people.csv.zst": zst(text(*(f"p{i}@example.com,P,{i}" for i in range(500))))[:-3]}


@case
def packed_gzip_damaged():
    data = bytearray(gz(text(ADA, BOB, CY, DEE)))
    data[-6] ^= 0x40  # of the checksum
    return {"people.csv.gz": bytes(data)}


@case
def packed_gzip_trailing():
    return {"people.csv.gz": gz(text(ADA)) + b"<!-- end -->"}


@case
def packed_twice():
    return {"people.csv.gz.gz": gz(gz(text(ADA)))}


@case
def packed_tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo("people.csv")
        info.size = len(text(ADA))
        t.addfile(info, io.BytesIO(text(ADA)))
    return {"people.tar.gz": gz(out.getvalue())}


@case
def packed_xz():
    return {"people.csv.xz": lzma.compress(text(ADA))}


@case
def packed_parquet():
    return {"people.parquet.gz": gz(parquet(people(1)))}


@case
def packed_empty():
    return {"a.csv": text(ADA), "b.csv.gz": gz(b"")}


@case
def absurd_line():
    return {"people.csv.zst": zst(text(ADA, "bob@example.com,Bob,2") + b"cy@example.com," + b"x" * (17 << 20) + b",3\n" + text(DEE))}


@case
def absurd_columns():
    return {"people.csv.gz": gz(b"mail" + b",x" * 10_000 + b"\nada@example.com" + b"," * 10_000 + b"\n")}


@case
def absurd_row():
    return {"people.csv.gz": gz(text(ADA) + b"bob@example.com" + b"," * 20_000 + b"\n" + text(CY))}


# --- Parquet


def people(first, count=1):
    import pyarrow as pa

    return pa.table({
        "mail": [f"p{i}@example.com" for i in range(first, first + count)],
        "name": pa.array([None if i % 3 == 0 else f"Pérson {i}" for i in range(first, first + count)]),
        "points": pa.array([i * 10 for i in range(first, first + count)], pa.int32()),
        "score": pa.array([i / 4 for i in range(first, first + count)]),
        "born": pa.array([datetime.date(2000, 2, 29)] * count),
        "seen": pa.array([datetime.datetime(2025, 5, 13, 10, 11, 12, 345678, UTC)] * count, pa.timestamp("us", "UTC")),
        "vip": pa.array([i % 2 == 0 for i in range(first, first + count)]),
    })


def parquet(table, **options):
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


@case
def parquet_versions():
    return {
        "v1.0.parquet": parquet(people(1), version="1.0"),
        "v2.4.parquet": parquet(people(2), version="2.4"),
        "v2.6-pages-1.parquet": parquet(people(3), version="2.6", data_page_version="1.0"),
        "v2.6-pages-2.parquet": parquet(people(4), version="2.6", data_page_version="2.0"),
        "v2.6-checked.parquet": parquet(people(5), write_page_checksum=True, write_page_index=True),
        "v2.6-no-schema.parquet": parquet(people(6), store_schema=False, write_statistics=False),
    }


@case
def parquet_codecs():
    return {f"{codec}.parquet": parquet(people(10 * i, 3), compression=codec) for i, codec in enumerate(["none", "snappy", "gzip", "brotli", "zstd", "lz4"], 1)}


@case
def parquet_encodings():
    def encoded(first, **by_column):
        return parquet(people(first, 5), use_dictionary=False, column_encoding=by_column)

    return {
        "dictionary.parquet": parquet(people(100, 5), use_dictionary=True),
        "plain.parquet": encoded(200, mail="PLAIN", points="PLAIN", score="PLAIN", vip="PLAIN"),
        "delta.parquet": encoded(300, mail="DELTA_BYTE_ARRAY", name="DELTA_LENGTH_BYTE_ARRAY", points="DELTA_BINARY_PACKED", born="DELTA_BINARY_PACKED", seen="DELTA_BINARY_PACKED"),
        "split.parquet": encoded(400, score="BYTE_STREAM_SPLIT", points="BYTE_STREAM_SPLIT", vip="RLE"),
    }


@case
def parquet_row_groups():
    import pyarrow as pa

    table = pa.table({"mail": [f"p{i}@example.com" if i not in (7, 23) else None for i in range(1, 31)], "points": pa.array([2**31 if i == 12 else i for i in range(1, 31)], pa.int64())})
    return {"people.parquet": parquet(table, row_group_size=4, data_page_size=1, compression="none")}


@case
def parquet_nested_extra():
    import pyarrow as pa

    table = people(1, 2)
    table = table.append_column("tags", pa.array([["a", "b"], []], pa.list_(pa.string())))
    table = table.append_column("address", pa.array([{"city": "London", "name": "x"}, None]))
    return {"people.parquet": parquet(table.append_column("props", pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int32()))))}


@case
def parquet_nested_wanted():
    import pyarrow as pa

    return {"people.parquet": parquet(pa.table({"mail": ["ada@example.com"], "name": [{"first": "Ada", "last": "Lovelace"}]}))}


@case
def parquet_numbers():
    """Every kind of number in columns of every type that takes it."""
    import pyarrow as pa

    d = decimal.Decimal
    return {"people.parquet": parquet(pa.table({
        "mail": [f"{c}@example.com" for c in "abcdefg"],
        "i8": pa.array([127, -128, 0, None, 0, 0, 0], pa.int8()),
        "u32": pa.array([2**31 - 1, 0, 1, None, 2**32 - 1, 0, 0], pa.uint32()),
        "u64": pa.array([2**63 - 1, 0, 1, None, 0, 2**64 - 1, 0], pa.uint64()),
        "f16": pa.array([0.5, -2, 65504, None, 0, 0, 0], pa.float16()),
        "f32": pa.array([0.1, 1e10, -0.0, None, 0, 0, 0], pa.float32()),
        "f64": pa.array([0.1, 1.0, 1e300, None, 0, 0, 0], pa.float64()),
        "whole": pa.array([1.0, -2.0, 0.0, None, 0, 0, 1.5]),
        "d9": pa.array([d("1.50"), d("-0.01"), d("0.00"), None, d(0), d(0), d(0)], pa.decimal128(9, 2)),
        "d18": pa.array([d("123456789012345678"), d("-1"), d("0"), None, d(0), d(0), d(0)], pa.decimal128(18, 0)),
        "d38": pa.array([d("12345678901234567890123456.789012345678"), d("-0.000000000001"), d("0"), None, d(0), d(0), d(0)], pa.decimal128(38, 12)),
        "d76": pa.array([d(10) ** 60, d("-1"), d("0.5"), None, d(0), d(0), d(0)], pa.decimal256(76, 2)),
        "text": pa.array(["1", " 2 ", "+3", "", "", "", ""]),
    }), store_decimal_as_integer=True)}


@case
def parquet_not_finite():
    import pyarrow as pa

    nan, inf = float("nan"), float("inf")
    return {"people.parquet": parquet(pa.table({"mail": [f"{c}@example.com" for c in "abcdef"], "score": [1.5, nan, inf, -inf, None, None], "text": [1.5, None, None, None, nan, -inf]}))}


@case
def parquet_floats_as_whole():
    """Keys that a data frame with missing values made floating-point numbers."""
    import pyarrow as pa

    return {"people.parquet": parquet(pa.table({
        "mail": [f"{c}@example.com" for c in "abcdef"],
        "customer": pa.array([2.0**62, -(2.0**63), 2.0**53 + 2, None, 2.0**63, 1.25]),
        "shop": pa.array([123456792.0, -16777216.0, 1.0, None, 1.0, 1.0], pa.float32()),
    }))}


@case
def parquet_times():
    import pyarrow as pa

    day, at = datetime.date(2024, 2, 29), datetime.datetime(2025, 5, 13, 22, 11, 12, 345678)
    midnight, old = datetime.datetime(2025, 5, 13), datetime.datetime(1, 1, 1)
    return {"people.parquet": parquet(pa.table({
        "mail": ["a@example.com", "b@example.com", "c@example.com", "d@example.com"],
        "d32": pa.array([day, datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None], pa.date32()),
        "d64": pa.array([day, day, day, None], pa.date64()),
        "s": pa.array([at.replace(microsecond=0), old, None, midnight], pa.timestamp("s")),
        "ms": pa.array([at.replace(microsecond=345000), old, None, midnight], pa.timestamp("ms")),
        "us": pa.array([at, old, None, midnight], pa.timestamp("us")),
        "ns": pa.array([at, None, None, midnight], pa.timestamp("ns")),
        "zone": pa.array([at, None, None, midnight], pa.timestamp("us", "Europe/Berlin")),
        "asdate": pa.array([midnight, midnight, at, None], pa.timestamp("ms")),
        "asdatetime": pa.array([day, day, day, None], pa.date32()),
        "astext": pa.array([at, at, at, None], pa.timestamp("us", "UTC")),
        "clock": pa.array([at.time(), datetime.time(0), None, None], pa.time64("us")),
        "text": pa.array(["2025-05-13T10:11:12+02:00", "2025-05-13", "", None]),
    }))}


@case
def parquet_texts():
    import pyarrow as pa

    key = uuid.UUID("12345678-1234-5678-1234-567812345678")
    return {"people.parquet": parquet(pa.table({
        "mail": pa.array([" Ada@Example.com", "bob@example.com", "", " ", None, "cy@example.com"], pa.large_string()),
        "name": pa.array(["Ada", "", "x", "x", "x", " NA "], pa.string()).dictionary_encode(),
        "view": pa.array(["a", "b", "c", "d", "e", "NA"], pa.string_view()),
        "bytes": pa.array(["é".encode(), b"\xff", b"", b"", b"", b"NA"], pa.binary()),
        "fixed": pa.array([b"abc", b"def", b"ghi", b"jkl", b"mno", None], pa.binary(3)),
        "key": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([key.bytes] * 5 + [None], pa.binary(16))),
        "flag": pa.array(["yes", "T", "0", "x", "n", "NA"]),
        "nothing": pa.nulls(6),
    }))}


@case
def parquet_names():
    import pyarrow as pa

    return {"people.parquet": parquet(pa.table({" MAIL": ["ada@example.com"], "Näme ": ["Ada"], "POINTS": [1], "a.b": [2]}))}


@case
def parquet_duplicate_names():
    import pyarrow as pa

    return {"people.parquet": parquet(pa.table([pa.array(["ada@example.com"]), pa.array(["A"]), pa.array(["B"])], names=["mail", "name", "Name"]))}


@case
def parquet_no_rows():
    return {"a.parquet": parquet(people(1, 0)), "b.parquet": parquet(people(1, 1))}


@case
def parquet_cut_off():
    return {"people.parquet": parquet(people(1, 50))[:-20]}


@case
def parquet_damaged():
    data = bytearray(parquet(people(1, 50), compression="zstd", use_dictionary=False))
    data[60:90] = bytes(30)
    return {"people.parquet": bytes(data)}


@case
def parquet_pandas():
    import pandas

    frame = pandas.DataFrame({"mail": ["ada@example.com", "bob@example.com", None], "points": pandas.array([1, None, 3], dtype="Int64"), "floats": [1.0, None, 2.5],
                              "seen": pandas.to_datetime(["2025-05-13T10:11:12.123456789", None, "2024-02-29"], format="ISO8601"), "city": pandas.Categorical(["Rome", "Oslo", "Rome"])}, index=[10, 20, 30])
    return {"people.parquet": frame.to_parquet()}


@case
def parquet_duckdb():
    return duckdb("people.parquet", "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)")


@case
def parquet_int96():
    import pyarrow as pa

    table = pa.table({
        "mail": ["a@example.com", "b@example.com", "c@example.com"],
        "seen": pa.array([datetime.datetime(2025, 5, 13, 10, 11, 12, 345678), datetime.datetime(1900, 1, 1), None], pa.timestamp("us")),
        "amount": pa.array([decimal.Decimal("12.30"), decimal.Decimal("-0.05"), None], pa.decimal128(20, 2)),
    })
    return {"part-00000-int96.snappy.parquet": parquet(table, flavor="spark", use_deprecated_int96_timestamps=True, compression="snappy")}


# --- exports of other programs


def run(*command, stdin=None):
    return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout


def duckdb(name, options):
    import duckdb as db

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        con = db.connect()
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"""COPY (SELECT * FROM (VALUES
            ('ada@example.com', 'Ada "L", née B', 1::INTEGER, 9007199254740993::BIGINT, 0.1::DOUBLE, 12.30::DECIMAL(10,2), DATE '2000-02-29', TIMESTAMPTZ '2025-05-13 10:11:12.345678+02', true, 'gold'::ENUM('gold','silver'), [1,2]),
            ('bob@example.com', NULL, -2, NULL, 1e300, -0.05, NULL, TIMESTAMPTZ '1969-12-31 23:59:59+00', false, 'silver', NULL),
            ('cy@example.com', E'two\\nlines\\t🦉', NULL, 0, NULL, NULL, DATE '0001-01-01', NULL, NULL, NULL, []))
            AS t(mail, name, points, big, score, amount, born, seen, vip, tier, list)) TO '{path}' {options}""")
        return {name: path.read_bytes()}


@case
def json_duckdb_array():
    return duckdb("people.json", "(FORMAT json, ARRAY true)")


@case
def json_duckdb_lines():
    return duckdb("people.jsonl", "(FORMAT json)")


@case
def export_duckdb_csv():
    return duckdb("people.csv", "(FORMAT csv, HEADER)")


def frame():
    import pandas

    return pandas.DataFrame({"mail": ["ada@example.com", "bob@example.com", "cy@example.com"], "name": ['Ada "L", née B', None, "two\nlines"], "points": [1, None, 3],
                             "score": [0.1, 1e300, None], "seen": pandas.to_datetime(["2025-05-13T10:11:12.345+02:00", None, "2024-02-29T00:00:00Z"], utc=True, format="ISO8601"), "vip": [True, None, False]})


@case
def export_pandas():
    return {"people.csv": frame().to_csv().encode()}


@case
def json_pandas_records():
    return {"people.json": frame().to_json(orient="records", date_format="iso").encode()}


@case
def json_pandas_lines():
    return {"people.jsonl": frame().to_json(orient="records", lines=True, date_format="iso").encode()}


JQ = """[{mail: "ada@example.com", name: "Ada \\"L\\", née B 🦉", points: 1, score: 0.1, seen: "2025-05-13T10:11:12Z", vip: true},
 {mail: "bob@example.com", name: null, points: 1e3, score: 1e300}, {points: "x", mail: "cy@example.com"}]"""


@case
def json_jq():
    return {"array.json": run("jq", "-n", JQ), "objects.json": run("jq", "-n", JQ + " | .[] | .mail |= \"o-\" + ."), "lines.jsonl": run("jq", "-nc", JQ + " | .[] | .mail |= \"l-\" + .")}


PEOPLE_SQL = """(VALUES (1, 'ada@example.com', 'Ada "L", née B', 0.1::float8, 12.30::numeric, date '2000-02-29', timestamptz '2025-05-13 10:11:12.345678+02', true),
  (2, 'bob@example.com', NULL, 'Infinity', NULL, NULL, timestamptz '1969-12-31 23:59:59+00', false), (3, 'cy@example.com', E'two\\nlines\\ttab \\\\ back', 1e300, -0.05, date '0001-01-01', NULL, NULL),
  (4, 'dee@example.com', '', 4, 4, date '2025-05-13', timestamptz '2025-05-13 10:11:12+00', NULL)) AS t(id, mail, name, score, amount, born, seen, vip)"""


def postgres(query):
    return run("psql", os.environ["ROSTER_TEST_POSTGRES_URL"], "-qXAt", "-c", "SET timezone = 'UTC'", "-c", query)


@case
def export_postgresql_csv():
    return {"people.csv": postgres(f"COPY (SELECT * FROM {PEOPLE_SQL}) TO STDOUT (FORMAT csv, HEADER)")}


@case
def export_postgresql_text():
    return {"people.tsv": postgres(f"COPY (SELECT * FROM {PEOPLE_SQL}) TO STDOUT (HEADER)")}


@case
def json_postgresql():
    # COPY in its text format doubles the backslashes of JSON, so that the rows are printed instead.
    return {"people.jsonl": postgres(f"SELECT row_to_json(t) FROM {PEOPLE_SQL} WHERE id <> 2")}


@case
def export_sqlite():
    sql = """CREATE TABLE t(mail, name, points, score, seen); INSERT INTO t VALUES('ada@example.com', 'Ada "L", née B', 1, 0.1, '2025-05-13 10:11:12'),
    ('bob@example.com', NULL, 2.0, 1e300, NULL), ('cy@example.com', 'two' || char(10) || 'lines', NULL, 9e999, datetime(0, 'unixepoch')), ('dee@example.com', '', 4, 4, '');"""
    return {"people.csv": run("sqlite3", "-csv", "-header", ":memory:", stdin=(sql + " SELECT * FROM t;").encode())}


# --- Spark


def spark(write):
    """Runs Spark and returns the files of the folder that it wrote, under names that do not change from run to run."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    frame = session.sql("""SELECT * FROM VALUES
        ('ada@example.com', 'Ada "L", née B', 1, 12.30BD, CAST('12345678901234567890.12' AS DECIMAL(22,2)), DATE '2000-02-29', TIMESTAMP '2025-05-13 10:11:12.345678', true, array(1, 2)),
        ('bob@example.com', NULL, -2, -0.05BD, NULL, NULL, TIMESTAMP '1900-01-01 00:00:00', false, NULL),
        ('cy@example.com', 'back\\\\slash', NULL, NULL, CAST(-1 AS DECIMAL(22,2)), DATE '1582-10-15', NULL, NULL, array())
        AS t(mail, name, points, amount, large, born, seen, vip, list)""").repartition(2, "mail")
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        write(frame, str(out))
        names, files = {}, {}
        for path in sorted(out.iterdir()):
            stem = path.name.removeprefix(".").removesuffix(".crc")
            new = stem if stem.startswith("_") else stem[:10] + "-c000" + stem.rpartition("-c000")[2]
            files[path.name.replace(stem, names.setdefault(stem, new))] = path.read_bytes()
        return files


@case
def parquet_spark():
    def write(frame, out):
        frame.sparkSession.conf.set("spark.sql.parquet.outputTimestampType", "INT96")
        frame.sparkSession.conf.set("spark.sql.parquet.writeLegacyFormat", "true")
        frame.write.parquet(out)

    return spark(write)


@case
def parquet_spark_today():
    def write(frame, out):
        frame.sparkSession.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        frame.sparkSession.conf.set("spark.sql.parquet.writeLegacyFormat", "false")
        frame.write.option("compression", "zstd").parquet(out)

    return spark(write)


@case
def export_spark_csv():
    return spark(lambda frame, out: frame.drop("list").write.option("header", "true").csv(out))


@case
def json_spark():
    return spark(lambda frame, out: frame.write.option("compression", "gzip").json(out))


# --- folders


@case
def folder_mixed():
    rows = "mail,name,points\n"
    return {
        "a.csv": (rows + "ada@example.com,Ada,1\nbob@example.com,Bob,1\n").encode(),
        "b.json": b'[{"mail":"BOB@example.com","name":"Bob","points":2},{"mail":"cy@example.com","name":"Cy","points":2}]',
        "c.jsonl.gz": gz(b'{"mail":"cy@example.com","name":"Cy","points":3}\n{"mail":"dee@example.com","name":"Dee","points":3}\n'),
        "d.parquet": parquet(people(4, 1).select(["mail", "name", "points"])),
        "e.csv.zst": zst("name;mail;points\r\nEve;eve@example.com;5\r\nNobody;;5\r\n".encode("utf-8-sig")),
        "f.zip": zipped(("f.csv", (rows + "flo@example.com,Flo,6\n").encode())),
        "_SUCCESS": b"", ".a.csv.crc": b"crc\0\0\0\2\0", "g.csv": b"", "h.csv.part": b"mail,na", ".DS_Store": b"\0\0\0\1Bud1",
    }


def main():
    for name in sys.argv[1:] or CASES:
        folder = ROOT / name / "files"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path, data in CASES[name]().items():
            (folder / path).write_bytes(data)


main()
