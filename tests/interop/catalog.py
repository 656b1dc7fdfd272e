"""Finds every table in Roster's SQL catalog with pyiceberg and counts its rows.

catalog.py DATABASE   prints one JSON document: the location of each table's metadata, and its rows.
"""
import json
import sys

from pyiceberg.catalog.sql import SqlCatalog

catalog = SqlCatalog("roster", uri="sqlite:///" + sys.argv[1], init_catalog_tables="false")
tables = [catalog.load_table(name) for space in catalog.list_namespaces() for name in catalog.list_tables(space)]
print(json.dumps([{"location": t.metadata_location, "rows": t.scan().to_arrow().num_rows} for t in tables]))
