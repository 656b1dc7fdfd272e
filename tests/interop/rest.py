"""Opens audiences through Roster's Iceberg REST catalog with pyiceberg, DuckDB and Spark.

rest.py URL CLIENT_ID CLIENT_SECRET ENGINE TABLE…   prints one JSON document: what the engine lists in the sandbox prod, and of each
table its columns and the number of its rows.
"""
import glob
import importlib
import json
import sys

url, client, secret, engine = sys.argv[1:5]
tables = sys.argv[5:]
answer = {"listed": [], "rows": {}, "columns": {}}


def with_pyiceberg():
    from pyiceberg.catalog import load_catalog

    catalog = load_catalog("roster", type="rest", uri=url + "/iceberg", credential=client + ":" + secret)
    assert ("prod",) in catalog.list_namespaces()
    answer["listed"] = [name[-1] for name in catalog.list_tables("prod")]
    for name in tables:
        found = catalog.load_table(("prod", name)).scan().to_arrow()
        answer["rows"][name], answer["columns"][name] = found.num_rows, found.column_names


def with_duckdb():
    import duckdb
    db = duckdb.connect()
    for name in ("avro", "httpfs", "iceberg"):
        folder = importlib.import_module("duckdb_extension_" + name).__path__[0]
        db.load_extension(glob.glob(folder + "/extensions/*/" + name + ".duckdb_extension")[0])
    db.execute(f"CREATE SECRET roster (TYPE iceberg, CLIENT_ID '{client}', CLIENT_SECRET '{secret}', OAUTH2_SERVER_URI '{url}/iceberg/v1/oauth/tokens')")
    db.execute(f"ATTACH 'roster' AS roster (TYPE iceberg, SECRET roster, ENDPOINT '{url}/iceberg')")
    answer["listed"] = [row[0] for row in db.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'roster' AND schema_name = 'prod'").fetchall()]
    for name in tables:
        table = f'roster.prod."{name}"'
        answer["columns"][name] = [column[0] for column in db.execute(f"SELECT * FROM {table} LIMIT 0").description]
        answer["rows"][name] = len(db.execute(f"SELECT mail FROM {table}").fetchall())


def with_spark():
    from pyspark.sql import SparkSession

    catalog = "spark.sql.catalog.roster"
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config(catalog, "org.apache.iceberg.spark.SparkCatalog")
        .config(catalog + ".type", "rest")
        .config(catalog + ".uri", url + "/iceberg")
        .config(catalog + ".credential", client + ":" + secret)
        .getOrCreate()
    )
    answer["listed"] = [row["tableName"] for row in spark.sql("SHOW TABLES IN roster.prod").collect()]
    for name in tables:
        found = spark.table(f"roster.prod.`{name}`")
        answer["rows"][name], answer["columns"][name] = found.count(), found.columns


{"pyiceberg": with_pyiceberg, "duckdb": with_duckdb, "spark": with_spark}[engine]()
print(json.dumps(answer))
