"""Prepares what schemathesis needs to get beyond 404: an audience that has had a run, a connection, a task.

probe.py CREDENTIALS CONFIG SPEC   writes schemathesis' configuration with ids that exist and the headers of a caller, and the
served openapi.yaml with three rules spelled out that it has in words: a property of a body that is null is absent, a whole number
may be a numeric string, and a time may have a fraction.
"""
import json
import sys
import time

import nearby  # before everything that opens connections
import requests
import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    creds = json.load(file)
base = "https://platform.adobe.io"
token = requests.post(base + "/ims/token/v3", timeout=30, data={
    "grant_type": "client_credentials", "client_id": creds["client_id"], "client_secret": creds["client_secret"]}).json()["access_token"]
headers = {"Authorization": "Bearer " + token, "x-api-key": creds["client_id"], "x-gw-ims-org-id": creds["org_id"], "x-sandbox-name": creds["sandbox"]}


def call(method, path, body=None):
    answer = requests.request(method, base + path, headers=headers, json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()


def ended(path):
    while True:
        state = call("GET", path)
        if state["status"] != "PROCESSING":
            return state
        time.sleep(0.05)


external = "/core/ais/external-audience"
task = call("POST", external + "/submit", {
    "name": "probed", "originName": "CUSTOM_UPLOAD", "fields": [{"name": "mail", "type": "string", "identityNs": "email"}],
    "sourceSpec": {"path": "probe.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"}})["taskId"]
audience = ended(f"{external}/task/{task}")["audienceId"]
run = call("POST", f"{external}/{audience}/run", {})["runId"]
done = ended(f"{external}/{audience}/run/{run}")
connection = call("POST", "/foundation/flowservice/connections", {
    "name": "probed", "connectionSpec": {"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8", "version": "1.0"}})["id"]
client = call("POST", "/roster/clients", {"name": "probed"})["clientId"]
webhook = call("POST", "/roster/webhooks", {"url": "http://127.0.0.1:9/", "events": ["roster.run.ended"]})["id"]
known = {
    "clientId": client, "webhookId": webhook,
    "audienceId": audience, "taskId": task, "operationId": task, "runId": run, "connectionId": connection,
    "flowId": done["details"][0]["flowId"], "flowRunId": done["details"][0]["flowRunId"], "namespace": "email", "identity": "ada@example.com",
}
with open(sys.argv[2], "w", encoding="utf-8") as file:
    file.write("[headers]\n" + "".join(f"{json.dumps(k)} = {json.dumps(v)}\n" for k, v in headers.items()))
    file.write("[parameters]\n" + "".join(f'"path.{k}" = {json.dumps(v)}\n' for k, v in known.items()))

spec = yaml.safe_load(requests.get(base + "/openapi.yaml", timeout=30).text)
schemas = spec["components"]["schemas"]


def taken(schema):
    """The schema of what a body may be: as it is described, with null for what need not be there."""
    if ref := schema.get("$ref"):
        name = "Taken." + ref.removeprefix("#/components/schemas/").replace("/", ".")
        if name not in schemas:
            schemas[name] = {}  # while it is made: it may refer to itself
            found = spec
            for part in ref[2:].split("/"):
                found = found[part]
            schemas[name] = taken(found)
        return {"$ref": "#/components/schemas/" + name}
    if schema.get("type") == "integer":
        number = {**schema, "type": "number"} if schema.get("format") == "int64" else dict(schema)
        return {"anyOf": [number, {"type": "string", "pattern": "^[0-9]+([.][0-9]*)?$"}]}
    made, must = dict(schema), schema.get("required", [])
    if "properties" in schema:
        made["properties"] = {n: taken(p) if n in must else {"anyOf": [taken(p), {"type": "null"}]} for n, p in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = {"anyOf": [taken(schema["additionalProperties"]), {"type": "null"}]}
    if "items" in schema:
        made["items"] = taken(schema["items"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            made[several] = [taken(s) for s in schema[several]]
    return made


bodies = list(spec["components"].get("requestBodies", {}).values())
bodies += [op["requestBody"] for item in spec["paths"].values() for op in item.values() if isinstance(op, dict) and "content" in op.get("requestBody", {})]
for body in bodies:
    for media in body["content"].values():
        if "schema" in media:
            media["schema"] = taken(media["schema"])
times = [p["schema"] for item in spec["paths"].values() for op in item.values() if isinstance(op, dict) for p in op.get("parameters", []) if p.get("schema", {}).get("format") == "int64"]
for schema in times:
    schema["type"] = "number"
with open(sys.argv[3], "w", encoding="utf-8") as file:
    yaml.safe_dump(spec, file)
