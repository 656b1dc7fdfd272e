"""Walks through Roster with aepp, unpatched: it believes to talk to Adobe's hosts.

aepp_walk.py CREDENTIALS   prints one JSON document: the names of the steps that were taken. A step that does not hold
ends it.
"""
import contextlib
import io
import json
import sys
import time

import nearby  # before everything that opens connections
import aepp
from aepp import customerprofile, flowservice, identity, sandboxes, segmentation

steps = []


def holds(step, condition, seen=None):
    if not condition:
        raise SystemExit(f"{step}: {json.dumps(seen, default=str)}")
    steps.append(step)


def until(read, done):
    for _ in range(600):
        value = read()
        if done(value):
            return value
        time.sleep(0.05)
    raise SystemExit(f"it does not end: {value}")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        creds = json.load(file)
    aepp.configure(org_id=creds["org_id"], client_id=creds["client_id"], secret=creds["client_secret"], scopes="openid", sandbox=creds["sandbox"])

    seg = segmentation.Segmentation()
    holds("token", seg.header["Authorization"].startswith("Bearer ey"))

    # An audience from the landing zone, as the module's own example has it.
    made = seg.createExtenalAudience({
        "name": "Loyal", "description": "of aepp", "audienceType": "people", "originName": "CUSTOM_UPLOAD", "ttlInDays": "40",
        "namespace": "CustomerAudienceUpload", "labels": ["core/C1"], "tags": ["aepp"],
        "fields": [{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "tier", "type": "string", "labels": ["core/C2"]}],
        "sourceSpec": {"params": {"path": "lists/loyal.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"}},
    })
    holds("createExtenalAudience", made.get("operationId") and made["operationDetails"]["name"] == "Loyal", made)
    state = until(lambda: seg.getExternalAudienceStatus(made["operationId"]), lambda s: s["status"] != "PROCESSING")
    holds("getExternalAudienceStatus", state["status"] == "SUCCESS" and state["audienceName"] == "Loyal", state)
    audience = state["audienceId"]
    again = seg.createExtenalAudience({
        "name": "Loyal", "originName": "CUSTOM_UPLOAD", "fields": [{"name": "mail", "type": "string", "identityNs": "email"}],
        "sourceSpec": {"params": {"path": "lists/loyal.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"}},
    })
    holds("a name that is taken", again.get("status") == 409 and again.get("errorCode") == "100950-409", again)

    run = seg.runExternalAudienceJob(audience, startTime=0)
    holds("runExternalAudienceJob", run.get("runId") and run["audienceName"] == "Loyal", run)
    ended = until(lambda: seg.getExternalAudienceJob(audience, run["runId"]), lambda r: r["status"] != "PROCESSING")
    holds("getExternalAudienceJob", ended["status"] == "SUCCESS" and ended["rows"]["added"] == 2, ended)

    listed = seg.getAudiences()
    holds("getAudiences", [a["name"] for a in listed] == ["Loyal"], listed)
    one = seg.getAudience(audience)
    holds("getAudience", one["id"] == audience and one["type"] == "ExternalSegment" and one["audienceMeta"]["members"] == 2, one)
    changed = seg.patchAudience(audience, [{"op": "add", "path": "/description", "value": "changed"}])
    holds("patchAudience", changed["description"] == "changed", changed)

    profiles = customerprofile.Profile()
    ada = profiles.getEntity(schema_name="_xdm.context.profile", entityId="ada@example.com", entityIdNS="email")
    entity = next(iter(ada.values()))["entity"]
    holds("getEntity", entity["segmentMembership"]["CustomerAudienceUpload"][audience]["status"] == "realized", ada)
    nobody = profiles.getEntity(schema_name="_xdm.context.profile", entityId="nobody@example.com", entityIdNS="email")
    holds("getEntity of nobody", nobody.get("status") == 404, nobody)
    both = profiles.getEntities(request_data={
        "schema": {"name": "_xdm.context.profile"},
        "identities": [{"entityId": "ada@example.com", "entityIdNS": {"code": "email"}}, {"entityId": "nobody@example.com", "entityIdNS": {"code": "email"}}],
    })
    holds("getEntities", len(both) == 2, both)

    flows = flowservice.FlowService()
    flow, flow_run = ended["details"][0]["flowId"], ended["details"][0]["flowRunId"]
    found = flows.getFlow(flow)
    holds("getFlow", found["id"] == flow, found)
    [found] = flows.getRun(flow_run)
    holds("getRun", found["metrics"]["statusSummary"]["status"] == "success" and found["metrics"]["recordSummary"]["inputRecordCount"] == 2, found)
    found = flows.getRuns(prop=f"flowId=={flow}")
    holds("getRuns", flow_run in [r["id"] for r in found], found)
    connection = flows.createConnection({"name": "zone", "auth": {"specName": "none", "params": {}}, "connectionSpec": {"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8", "version": "1.0"}})
    holds("createConnection", connection.get("id") and connection.get("etag"), connection)
    found = flows.getConnections()
    holds("getConnections", [c["name"] for c in found] == ["zone"], found)
    found = flows.getConnection(connection["id"])
    holds("getConnection", found["name"] == "zone", found)
    found = flows.patchConnection(connection["id"], [{"op": "replace", "path": "/name", "value": "landing"}])
    holds("patchConnection", found.get("etag") and found["etag"] != connection["etag"], found)
    gone = flows.deleteConnection(connection["id"])
    holds("deleteConnection", gone == 204, gone)

    ids = identity.Identity()
    codes = [n["code"] for n in ids.getIdentities()]
    holds("getIdentities", "Email" in codes and "ECID" in codes, codes)
    made = ids.createIdentity(name="Shop", code="shop", idType="CROSS_DEVICE")
    holds("createIdentity", made.get("code") == "shop", made)

    boxes = sandboxes.Sandboxes()
    names = [b["name"] for b in boxes.getSandboxes()]
    holds("getSandboxes", creds["sandbox"] in names, names)
    made = boxes.createSandbox(name="dev", title="Development")
    holds("createSandbox", made.get("name") == "dev", made)
    found = boxes.getSandbox("dev")
    holds("getSandbox", found["title"] == "Development", found)

    gone = seg.deleteAudience(audience)
    holds("deleteAudience", gone == 204, gone)
    holds("the list is empty", seg.getAudiences() == [], seg.getAudiences())


said = io.StringIO()
with contextlib.redirect_stdout(said):  # aepp prints what it does
    main()
print(json.dumps(steps))
