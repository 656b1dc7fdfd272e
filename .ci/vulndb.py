"""Makes a database for govulncheck of the reports in the module golang.org/x/vulndb, which the module proxy has.

usage: vulndb.py MODULE-DIRECTORY OUT-DIRECTORY
"""
import json
import pathlib
import sys

reports, out = pathlib.Path(sys.argv[1], "data", "osv"), pathlib.Path(sys.argv[2])
modules, vulns = {}, []
(out / "ID").mkdir(parents=True)
(out / "index").mkdir()
for file in sorted(reports.glob("GO-*.json")):
    report = json.loads(file.read_text())
    if report.get("withdrawn"):
        continue
    (out / "ID" / file.name).write_text(json.dumps(report))
    vulns.append({"id": report["id"], "modified": report["modified"], "aliases": report.get("aliases", [])})
    for affected in report["affected"]:
        # The version that the last range ends at, or none when there is no fix.
        fixed = ""
        for versions in affected.get("ranges", []):
            for event in versions["events"]:
                fixed = event.get("fixed", "")
        entry = {"id": report["id"], "modified": report["modified"]}
        if fixed:
            entry["fixed"] = fixed
        modules.setdefault(affected["package"]["name"], []).append(entry)
if not vulns:
    sys.exit(f"there are no reports in {reports}")
(out / "index" / "modules.json").write_text(json.dumps([{"path": path, "vulns": modules[path]} for path in sorted(modules)]))
(out / "index" / "vulns.json").write_text(json.dumps(vulns))
(out / "index" / "db.json").write_text(json.dumps({"modified": max(v["modified"] for v in vulns)}))
print(f"{len(vulns)} reports")
