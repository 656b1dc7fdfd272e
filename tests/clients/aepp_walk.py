"""Walks through Roster with aepp, unpatched: it believes to talk to Adobe's hosts.

aepp_walk.py CREDENTIALS   prints one JSON document: the names of the steps that were taken. A step that does not hold
ends it.
"""
import contextlib
import inspect
import io
import json
import sys
import time

import nearby  # before everything that opens connections
import aepp
from aepp import catalog, customerprofile, flowservice, identity, policy, sandboxes, schema, segmentation

from aepp_beyond import BEYOND

steps = []


class Walked:
    """One of aepp's services, and which of its methods were called."""

    def __init__(self, service):
        self.service, self.called = service, set()

    def __getattr__(self, name):
        self.called.add(name)
        return getattr(self.service, name)

    def all_or_beyond(self):
        name = type(self.service).__name__
        methods = {n for n, _ in inspect.getmembers(type(self.service), inspect.isfunction) if not n.startswith("_")}
        beyond = {n for names in BEYOND[name].values() for n in names.split()}
        called = self.called & methods
        holds(f"every method of {name}, or a reason", called | beyond == methods and not called & beyond, sorted((called | beyond) ^ methods) + sorted(called & beyond))


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

    seg = Walked(segmentation.Segmentation())
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

    run = seg.runExternalAudienceJob(audience, startTime=0, endTime="4565657575")
    holds("runExternalAudienceJob", run.get("runId") and run["audienceName"] == "Loyal", run)
    ended = until(lambda: seg.getExternalAudienceJob(audience, run["runId"]), lambda r: r["status"] != "PROCESSING")
    holds("getExternalAudienceJob", ended["status"] == "SUCCESS" and ended["rows"]["added"] == 2, ended)

    listed = seg.getAudiences()
    holds("getAudiences", [a["name"] for a in listed] == ["Loyal"], listed)
    one = seg.getAudience(audience)
    holds("getAudience", one["id"] == audience and one["type"] == "ExternalSegment" and one["audienceMeta"]["members"] == 2, one)
    for step, asked, names in (
        ("name", {"name": "LOY"}, ["Loyal"]), ("description", {"description": "OF AEPP", "sort": "name:desc"}, ["Loyal"]),
        ("property", {"prop": f"id=={audience}"}, ["Loyal"]), ("no such name", {"name": "nobody"}, []),
    ):
        found = [a["name"] for a in seg.getAudiences(**asked)]
        holds(f"getAudiences by {step}", found == names, found)
    holds("extractAudiences", seg.extractAudiences(audience) == [], seg.extractAudiences(audience))
    found = seg.getResource(seg.endpoint + "/audiences", params={"limit": 1})
    holds("getResource of audiences", found["_page"]["totalCount"] == 1, found)
    changed = seg.patchAudience(audience, [{"op": "add", "path": "/description", "value": "changed"}])
    holds("patchAudience", changed["description"] == "changed", changed)
    renamed = seg.putAudience(audience, {**seg.getAudience(audience), "name": "Loyal people", "tags": ["spring"]})
    holds("putAudience", renamed["name"] == "Loyal people" and renamed["metrics"]["data"]["totalProfiles"] == 2, renamed)
    found = [a["name"] for a in seg.getAudiences(prop="tags==spring")]
    holds("getAudiences by tag", found == ["Loyal people"], found)
    seg.putAudience(audience, {**renamed, "name": "Loyal"})
    created = seg.createAudience({
        "name": "Early", "type": "ExternalSegment", "lifecycleState": "draft", "originName": "CUSTOM_UPLOAD",
        "fields": [{"name": "mail", "type": "string", "identityNs": "email"}],
        "sourceSpec": {"params": {"path": "lists/loyal.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"}},
    })
    holds("createAudience", created.get("lifecycleState") == "draft" and created["id"] == created["audienceId"], created)
    seg.deleteAudience(created["id"])

    found = seg.getSegments()
    holds("getSegments", found == [], found)
    lake = catalog.Catalog()
    found = lake.getDataSets(limit=1)
    holds("Catalog.getDataSets", list(found) == [audience] and lake.data.infos["datalake_rows"][0] == 2, found)
    found = lake.getBatches(n_results=10)
    holds("Catalog.getBatches", [b["status"] for b in found.values()] == ["success"] * len(found) and len(found) >= 1, found)
    found = lake.getFailedBatchesDF(n_results=10)
    holds("Catalog.getFailedBatchesDF", len(found) == 0, found)
    rules = policy.Policy()
    found = [l["name"] for l in rules.getCoreLabels()], rules.getCustomLabels(), rules.getPoliciesCore()["children"], rules.getEnabledCorePolicies()["policyIds"]
    holds("Policy without policies", found == (["C1"], [], [], []), found)
    found = schema.Schema().getSchemas()
    holds("Schema.getSchemas", found["results"] == [], found)

    profiles = Walked(customerprofile.Profile())
    found = profiles.getMergePolicies()
    holds("getMergePolicies", found == [], found)
    ada = profiles.getEntity(schema_name="_xdm.context.profile", entityId="ada@example.com", entityIdNS="email")
    entity = next(iter(ada.values()))["entity"]
    holds("getEntity", entity["segmentMembership"]["CustomerAudienceUpload"][audience]["status"] == "realized", ada)
    part = profiles.getEntity(schema_name="_xdm.context.profile", entityId="ada@example.com", entityIdNS="email", fields="segmentMembership")
    holds("getEntity of one part", list(next(iter(part.values()))["entity"]) == ["segmentMembership"], part)
    nobody = profiles.getEntity(schema_name="_xdm.context.profile", entityId="nobody@example.com", entityIdNS="email")
    holds("getEntity of nobody", nobody.get("status") == 404, nobody)
    both = profiles.getEntities(request_data={
        "schema": {"name": "_xdm.context.profile"},
        "identities": [{"entityId": "ada@example.com", "entityIdNS": {"code": "email"}}, {"entityId": "nobody@example.com", "entityIdNS": {"code": "email"}}],
    })
    holds("getEntities", len(both) == 2, both)
    gone = profiles.deleteEntity("_xdm.context.profile", "grace@example.com", "email")
    holds("deleteEntity", gone == 202, gone)
    nobody = profiles.getEntity(schema_name="_xdm.context.profile", entityId="grace@example.com", entityIdNS="email")
    holds("deleteEntity leaves nobody", nobody.get("status") == 404, nobody)

    flows = Walked(flowservice.FlowService())
    flow, flow_run = ended["details"][0]["flowId"], ended["details"][0]["flowRunId"]
    found = flows.getFlow(flow)
    holds("getFlow", found["id"] == flow, found)
    # The erasure has a run, too. Each run is two of the flow's.
    until(lambda: flows.getRuns(prop=f"flowId=={flow}"), lambda found: [r["metrics"]["statusSummary"]["status"] for r in found] == ["success"] * 4)
    found = flows.getFlows()
    holds("getFlows", [f for f in found if f["id"] == flow and f["lastRunDetails"]["state"] == "success"], found)
    every = {f["id"] for f in found}
    found = flows.getFlows(limit=1, n_results="inf")
    holds("getFlows by pages", len(found) == len(every) and {f["id"] for f in found} == every, found)
    name = flows.getFlow(flow)["name"]
    found = flows.getFlows(prop=f"name=={name}")
    holds("getFlows by name", [f["id"] for f in found] == [flow], found)
    found = flows.getFlows(onlySources=True), flows.getFlows(onlyDestinations=True), flows.getUPSFlows(), flows.getUISFlows()
    holds("getFlows of a kind", {f["id"] for f in found[0]} == every and found[1:] == ([], [], []), found)
    [found] = flows.getRun(flow_run)
    holds("getRun", found["metrics"]["statusSummary"]["status"] == "success" and found["metrics"]["recordSummary"]["inputRecordCount"] == 2, found)
    found = flows.getRuns(prop=f"flowId=={flow}")
    holds("getRuns", flow_run in [r["id"] for r in found], found)
    found = flows.getRuns()
    holds("getRuns of all flows", flow_run in [r["id"] for r in found], found)
    found = flows.getRuns(prop=[f"flowId=={flow}", "metrics.statusSummary.status==failed"])
    holds("getRuns that failed", found == [], found)
    found = flows.getRuns(prop=f"id=={flow_run}")
    holds("getRuns by id", [r["id"] for r in found] == [flow_run], found)
    found = flows.getRuns(limit=1, prop=[f"flowId=={flow}"])
    holds("getRuns by pages", len(found) == 4, found)
    connection = flows.createConnection({"name": "zone", "auth": {"specName": "none", "params": {}}, "connectionSpec": {"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8", "version": "1.0"}})
    holds("createConnection", connection.get("id") and connection.get("etag"), connection)
    found = flows.getConnections()
    holds("getConnections", [c["name"] for c in found] == ["zone"], found)
    for n in range(3):
        flows.createConnection(name=f"more {n}", connectionSpec={"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8"})
    found = [c["name"] for c in flows.getConnections(limit=3, n_results="inf")]
    holds("getConnections by pages", sorted(found) == ["more 0", "more 1", "more 2", "zone"], found)
    found = [c["auth"] for c in flows.getConnections(property="name==more 1")]
    holds("getConnections by name", found == [{"specName": "none", "params": {}}], found)
    found = flows.connectionTest(connection["id"])
    holds("connectionTest", found.get("status") == "success", found)
    found = flows.getResource(flows.endpoint + "/connections", params={"limit": 1})
    holds("getResource of connections", len(found["items"]) == 1, found)
    found = flows.getConnection(connection["id"])
    holds("getConnection", found["name"] == "zone", found)
    found = flows.patchConnection(connection["id"], [{"op": "replace", "path": "/name", "value": "landing"}])
    holds("patchConnection", found.get("etag") and found["etag"] != connection["etag"], found)
    specs = flows.getConnectionSpecsMap()
    holds("getConnectionSpecsMap", specs["landing-zone"] == "26f526f2-58f4-4712-961d-e41bf1ccc0e8" and "amazon-s3" in specs, specs)
    holds("getConnectionSpecs", len(flows.getConnectionSpecs()) == len(specs), specs)
    holds("getConnectionSpecIdFromName", flows.getConnectionSpecIdFromName("sftp") == specs["sftp"], specs)
    found = flows.getConnectionSpec(specs["amazon-s3"])["items"][0]
    holds("getConnectionSpec", found["name"] == "amazon-s3" and found["authSpec"], found)
    found = flows.getFlowSpecs()
    holds("getFlowSpecs", [f["name"] for f in found] == ["CloudStorageToAEP"], found)
    found = flows.getLandingZoneCredential()
    holds("getLandingZoneCredential", found["containerName"] == "dlz-user-container" and found["uploadUrl"], found)
    gone = flows.deleteConnection(connection["id"])
    holds("deleteConnection", gone == 204, gone)

    found = [flows.getLandingZoneContainer(), flows.getLandingZoneContainerName(), flows.getLandingZoneStorageName(), flows.getLandingZoneContainerTTL(), flows.getLandingZoneStorageTTL()]
    holds("landing zone", found == [{"containerName": "dlz-user-container", "containerTTL": "7"}, *["dlz-user-container"] * 2, 7, 7], found)
    [found] = flows.exploreLandingZone("folder", object="dlz-user-container/lists")
    holds("exploreLandingZone", found["path"] == "dlz-user-container/lists/loyal.csv", found)
    found = flows.getLandingZoneContent(file=found["path"])
    holds("getLandingZoneContent", [row["tier"] for row in found["data"]] == ["gold", "silver"], found)

    ids = Walked(identity.Identity())
    codes = [n["code"] for n in ids.getIdentities()]
    holds("getIdentities", "Email" in codes and "ECID" in codes, codes)
    made = ids.createIdentity(name="Shop", code="shop", idType="CROSS_DEVICE")
    holds("createIdentity", made.get("code") == "shop", made)

    made = ids.createIdentity(dict_identity={"name": "Card", "code": "card", "idType": "CROSS_DEVICE"})
    codes = [n["code"] for n in ids.getIdentities(only_custom=True)]
    holds("getIdentities of the organization's own", sorted(codes) == ["card", "shop"], codes)

    boxes = Walked(sandboxes.Sandboxes())
    names = [b["name"] for b in boxes.getSandboxes()]
    holds("getSandboxes", creds["sandbox"] in names, names)
    made = boxes.createSandbox(name="dev", title="Development")
    holds("createSandbox", made.get("name") == "dev", made)
    found = boxes.getSandbox("dev")
    holds("getSandbox", found["title"] == "Development", found)

    holds("getSandboxId", boxes.getSandboxId("dev") == found["id"], found)
    holds("resetSandbox", boxes.resetSandbox("dev").get("name") == "dev", found)
    until(lambda: boxes.getSandbox("dev"), lambda b: b["state"] == "active")
    gone = boxes.deleteSandbox("dev")
    holds("deleteSandbox", gone in (200, 202, 204), gone)

    gone = seg.deleteAudience(audience)
    holds("deleteAudience", gone == 204, gone)
    holds("the list is empty", seg.getAudiences() == [], seg.getAudiences())
    for service in (seg, profiles, flows, ids, boxes):
        service.all_or_beyond()


said = io.StringIO()
with contextlib.redirect_stdout(said):  # aepp prints what it does
    main()
print(json.dumps(steps))
