"""Counts the dataset that a receipt names with pyiceberg, knowing nothing but the receipt.

receipt.py METADATA RECEIPT   prints one JSON document.
"""
import json
import sys

from pyiceberg.table import StaticTable


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        receipt = json.load(file)["receipt"]
    table = StaticTable.from_metadata("file://" + sys.argv[1])
    assert receipt["contentSum"]["algorithm"] == "sum64(_roster_row)"
    rows = table.scan(snapshot_id=int(receipt["dataset"]["snapshotId"]), selected_fields=("_roster_row",)).to_arrow()
    print(json.dumps({
        "located": table.location() == receipt["dataset"]["location"],
        "rows": rows.num_rows,
        "sum": str(sum(rows["_roster_row"].to_pylist()) % 2**64),
    }))


main()
