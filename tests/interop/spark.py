"""One Spark that reads and changes the tables of any number of data directories.

Each line of standard input is a JSON request, and each is answered by a JSON line with "result" or "error":

{"database": FILE, "sql": STATEMENT}   runs a statement of Spark SQL; the result is its rows
{"database": FILE, "python": SOURCE}   runs Python that has the names spark and jvm; the result is what it assigns to result

FILE is Roster's SQL catalog. Spark knows it as the catalog "roster".
"""
import json
import os
import sys

from pyspark.sql import SparkSession

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what Spark prints does not belong to the answers
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.driver.memory", "1g")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


sessions = {}


def session(database):
    if database not in sessions:
        s = spark.newSession()
        catalog = "spark.sql.catalog.roster"
        s.conf.set(catalog, "org.apache.iceberg.spark.SparkCatalog")
        s.conf.set(catalog + ".catalog-impl", "org.apache.iceberg.jdbc.JdbcCatalog")
        s.conf.set(catalog + ".uri", "jdbc:sqlite:" + database)
        s.conf.set(catalog + ".jdbc.schema-version", "V1")
        s.conf.set(catalog + ".warehouse", os.path.dirname(database))
        s.conf.set(catalog + ".cache-enabled", "false")
        sessions[database] = s
    return sessions[database]


def answer(request):
    s = session(request["database"])
    if "sql" in request:
        return [row.asDict() for row in s.sql(request["sql"]).collect()]
    s._jvm.org.apache.spark.sql.SparkSession.setActiveSession(s._jsparkSession)
    names = {"spark": s, "jvm": s._jvm, "result": None}
    exec(request["python"], names)
    return names["result"]


for line in sys.stdin:
    try:
        reply = {"result": answer(json.loads(line))}
    except Exception as e:
        reply = {"error": str(e)}
    print(json.dumps(reply, default=str), file=answers, flush=True)
