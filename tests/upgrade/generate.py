"""Has a version of Roster write the data directory that later versions must open.

generate.py BINARY NAME   writes testdata/NAME.tar.gz, the data directory, and testdata/NAME.json, what its server answered.

The server is killed while a run and an erasure are in progress and an upload is half-way. The keys and the credentials in the
archive were made for it and open nothing else. An Iceberg catalog names files by their absolute paths, so the data directory
works at one path only.
"""
import base64
import hashlib
import json
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request

HOME = pathlib.Path("/tmp/roster-upgrade")
AIS = "/data/core/ais/external-audience"
HALF = b"email,tier\n" + b"".join(b"half%d@example.com,gold\n" % i for i in range(100))
DIGEST = "sha-256=:" + base64.b64encode(hashlib.sha256(HALF).digest()).decode() + ":"


class Server:
    """A server on a data directory, and an administrator who calls it."""

    def __init__(self, binary, directory):
        self.log = open(HOME / "log", "w+")
        self.process = subprocess.Popen([binary, "serve", "--data-dir", directory, "--listen", "127.0.0.1:18099", "--settle-age", "0s",
                                         "--memory", "64MiB"], stdout=self.log, stderr=self.log)
        for _ in range(300):
            try:
                self.creds = json.load(open(directory / "credentials.json"))
                urllib.request.urlopen(self.creds["base_url"] + "/readyz").close()
                break
            except OSError:
                time.sleep(0.1)
        form = {"grant_type": "client_credentials", "client_id": self.creds["client_id"], "client_secret": self.creds["client_secret"]}
        self.token = json.load(urllib.request.urlopen(self.creds["token_url"], urllib.parse.urlencode(form).encode()))["access_token"]

    def call(self, method, path, body=None, **headers):
        """Returns the text of an answer."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content_Type", "application/json")
        headers = {k.replace("_", "-"): v for k, v in headers.items()} | {
            "Authorization": "Bearer " + self.token, "x-api-key": self.creds["client_id"],
            "x-gw-ims-org-id": self.creds["org_id"], "x-sandbox-name": self.creds["sandbox"]}
        request = urllib.request.Request(self.creds["base_url"] + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as e:
            raise SystemExit(f"{method} {path}: {e.code} {e.read().decode()}")

    def json(self, method, path, body=None, **headers):
        return json.loads(self.call(method, path, body, **headers))

    def ended(self, path):
        """Waits until what is at a path has ended."""
        while (answer := self.json("GET", path))["status"] == "PROCESSING":
            time.sleep(0.05)
        return answer

    def submit(self, name, path, fields, **more):
        audience = {"name": name, "originName": "CUSTOM_UPLOAD", "ttlInDays": 40, "fields": fields,
                    "sourceSpec": {"path": path, "type": "folder" if path.endswith("/") else "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"}} | more
        task = self.ended(AIS + "/task/" + self.json("POST", AIS + "/submit", audience)["taskId"])
        return task["audienceId"]

    def run(self, audience, status="SUCCESS", **body):
        run = self.json("POST", f"{AIS}/{audience}/run", body)["runId"]
        ended = self.ended(f"{AIS}/{audience}/run/{run}")
        if ended["status"] != status:
            raise SystemExit(f"a run ended {ended}")
        return run

    def upload(self, path, text):
        self.call("PUT", "/landing/" + path, text.encode(), Content_Type="application/octet-stream")


def people(first, last, tier):
    return "".join(f"person{i}@example.com,{tier},{i},2026-0{1 + i % 9}-15\n" for i in range(first, last))


def history(s):
    """Does some of everything."""
    fields = [{"name": "email", "type": "string", "identityNs": "Email"}, {"name": "tier", "type": "string"},
              {"name": "points", "type": "long"}, {"name": "joined", "type": "date"}]
    header = "email,tier,points,joined\n"
    s.call("POST", "/data/core/idnamespace/identities", {"name": "Shop", "code": "Shop", "idType": "CROSS_DEVICE"})
    s.upload("people.csv", header + people(0, 300, "gold") + "person300@example.com,gold,many,2026-01-01\nperson0@example.com,silver,1,2026-01-01\n")
    first = s.submit("People", "people.csv", fields)
    s.run(first)
    s.upload("people.csv", header + people(50, 350, "silver"))
    s.run(first, differentialIngestion=False)
    s.upload("people.csv", header + people(50, 60, "bronze"))
    s.run(first, status="FAILED", differentialIngestion=False) # it would remove nearly everybody
    s.upload("people.csv", header + people(50, 350, "silver"))
    s.call("PATCH", f"{AIS}/{first}", {"labels": ["core/C2"], "description": "Everybody"})

    weekly = s.submit("Weekly", "weekly/", [{"name": "id", "type": "string", "identityNs": "Shop"}, {"name": "email", "type": "string", "identityNs": "Email"},
                                            {"name": "gone", "type": "boolean", "role": "delete"}])
    s.upload("weekly/1.jsonl", "".join(json.dumps({"id": f"S-{i}", "email": f"shop{i}@example.com", "gone": False}) + "\n" for i in range(300)))
    s.run(weekly, differentialIngestion=True)
    s.upload("weekly/2.jsonl", "".join(json.dumps({"id": f"S-{i}", "email": f"shop{i}@example.com", "gone": i % 2 == 0}) + "\n" for i in range(20)))
    s.run(weekly, differentialIngestion=True)

    draft = s.submit("Draft", "people.csv", fields)
    run = s.run(draft)
    s.upload("people.csv", header + people(150, 350, "silver"))
    s.run(draft, differentialIngestion=False)
    s.ended(f"{AIS}/{draft}/run/" + s.json("POST", f"{AIS}/{draft}/runs/{run}/rollback")["runId"])

    s.call("POST", "/data/foundation/flowservice/connections", {
        "name": "Store", "auth": {"specName": "Access Key", "params": {"s3AccessKey": "key", "s3SecretKey": "secret", "bucketName": "b", "region": "eu-west-1"}},
        "connectionSpec": {"id": "ecadc60c-7455-4d87-84dc-2a0e293d997b", "version": "1.0"}})
    s.call("POST", "/data/foundation/connectors/encryption/keys", {"name": "Acme", "encryptionAlgorithm": "PGP", "params": {"passPhrase": "x"}})
    s.call("POST", "/roster/webhooks", {"url": "https://example.com/hook", "events": ["roster.run.ended"]})
    erased = s.json("DELETE", "/data/core/ups/access/entities?entityId=person60@example.com&entityIdNS=email")["jobId"]
    s.ended(f"/roster/erasures/{erased}")
    s.upload("people.csv", header + people(100, 360, "gold"))
    for audience in first, draft:
        s.run(audience, differentialIngestion=False)  # the run before can be brought back
    return {"erasure": erased, "certificate": s.json("GET", f"/roster/erasures/{erased}/certificate"), "erased": "person60@example.com",
            "clients": s.json("GET", "/roster/clients")}


def answers(s):
    """What later versions must answer, too."""
    audiences = {}
    for a in s.json("GET", AIS)["audiences"]:
        path = f"{AIS}/{a['audienceId']}"
        runs = s.json("GET", path + "/runs?limit=40")["runs"]
        audiences[a["audienceId"]] = {
            "audience": a, "runs": runs, "members": s.call("GET", path + "/members?limit=1000", Accept="text/csv"),
            "rejects": {r["runId"]: s.call("GET", f"{path}/runs/{r['runId']}/rejects", Accept="text/csv") for r in runs if r.get("rows", {}).get("rowsRejected")},
            "receipts": {r["runId"]: s.json("GET", f"{path}/runs/{r['runId']}/receipt") for r in runs if r["status"] == "SUCCESS"}}
    return {"audiences": audiences, "connections": s.json("GET", "/data/foundation/flowservice/connections"),
            "keys": s.json("GET", "/data/foundation/connectors/encryption/keys"), "webhooks": s.json("GET", "/roster/webhooks")}


def interrupted(s, audiences):
    """Leaves things in progress, and kills the server. A run that reads files is not one of them: it knows them by their inodes."""
    ((draft, runs),) = ((i, a["runs"]) for i, a in audiences.items() if a["audience"]["name"] == "Draft")
    half = HALF[:1000]
    s.call("PUT", "/landing/half.csv", half, Content_Type="application/octet-stream", Content_Range=f"bytes 0-{len(half) - 1}/{len(HALF)}", Repr_Digest=DIGEST)
    run = s.json("POST", f"{AIS}/{draft}/runs/{runs[1]['runId']}/rollback")["runId"]
    erasure = s.json("DELETE", "/data/core/ups/access/entities?entityId=S-7&entityIdNS=Shop")["jobId"]
    s.process.send_signal(signal.SIGKILL)
    s.process.wait()
    return {"audience": draft, "run": run, "erasure": erasure, "erased": "S-7",
            "half": {"path": "half.csv", "text": HALF.decode(), "sent": len(half), "digest": DIGEST}}


def main(binary, name):
    shutil.rmtree(HOME, ignore_errors=True)
    directory = HOME / name / "data"
    directory.parent.mkdir(parents=True)
    s = Server(binary, directory)
    try:
        done = history(s)
        before = answers(s)
        now = int(time.time())
        left = interrupted(s, before["audiences"])
    finally:
        s.process.kill()
    testdata = pathlib.Path(__file__).parent / "testdata"

    def anonymous(member):
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(testdata / (name + ".tar.gz"), "w:gz") as archive:
        archive.add(directory, "data", filter=anonymous)
    with sqlite3.connect(directory / "roster.db") as db:
        progress = db.execute("SELECT (SELECT status FROM runs WHERE id = ?), (SELECT status FROM erasures WHERE id = ?)", (left["run"], left["erasure"])).fetchone()
    if progress != ("PROCESSING", "PROCESSING"):
        raise SystemExit(f"the server was too quick: {progress}")
    (testdata / (name + ".json")).write_text(json.dumps({"now": now, "directory": str(directory), "done": done, "before": before, "interrupted": left}, indent=1) + "\n")
    shutil.rmtree(HOME)


main(*sys.argv[1:])
