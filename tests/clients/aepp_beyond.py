"""What of aepp's services cannot work with Roster, and why: every method of the five classes that aepp_walk.py does not call."""

SEGMENTS = "segment definitions, their jobs, schedules, previews and exports: Roster evaluates no rules"
POLICIES = "merge policies, projections and computed attributes: Roster stitches no profiles"
EVENTS = "experience events: Roster keeps memberships alone and refuses to be asked for events"
EXPORTS = "exports of profiles and system jobs: GET …/members gives the members of an audience, /roster/erasures the erasures"
DATAFLOWS = "source and target connections, flows made by hand, flow specs: an audience has its one flow, which is read by its id"
CREDENTIALS = "credentials of Azure for the landing zone: uploads go to Roster's own /landing"
GRAPH = "the identity graph: Roster links no identities"
NAMESPACES = "one namespace by its number, those of another organization, changes: namespaces are created and listed"
PACKAGES = "packages of objects between sandboxes"
SANDBOXES = "types and titles of sandboxes: a title is given once, the types are production and development"

BEYOND = {
    "Segmentation": {
        SEGMENTS: "convertSegmentDef createExport createJob createPreview createSchedule createSegment deleteExport deleteJob deletePreview deleteSchedule "
                  "deleteSegment estimateExpression extractPaths getEstimate getExport getExportJobs getJob getJobs getMultipleSegments getPreview getSchedule "
                  "getSchedules getSegment searchEntities searchNamespaces updateSchedule updateScheduledBatchSegmentationJob updateSegment",
    },
    "Profile": {
        POLICIES: "createComputedAttribute createDestination createMergePolicy createProjection deleteComputedAttribute deleteDestination deleteMergePolicy "
                  "deleteProjection getComputedAttribute getComputedAttributes getDestination getDestinations getMergePolicy "
                  "getMergePolicyActiveOnEdge getProjection getProjections patchComputedAttribute patchMergePolicy updateDestination updateMergePolicy "
                  "updateProjection",
        EXPORTS: "createDeleteSystemJob createExportJob deleteDeleteSystemJob deleteExportJob getDeleteSystemJob getDeleteSystemJobs getExportJob getExportJobs "
                 "getPreviewDataSet getPreviewDataSetOverlap getPreviewNamespace getPreviewStatus",
        EVENTS: "getEntityEvents",
    },
    "FlowService": {
        DATAFLOWS: "createBaseConnectionBlobTarget createBaseConnectionDLZTarget createBaseConnectionS3Target createConnectionStreaming createConnectionToUPS "
                   "createFlow createFlowDataLakeToDataLandingZone createFlowDataLandingZoneToDataLake createFlowStreaming createRun createSourceConnection "
                   "createSourceConnectionDataLake createSourceConnectionDataLandingZone createSourceConnectionStreaming createTargetConnection "
                   "createTargetConnectionDataLake createTargetConnectionDataLandingZone createTargetConnectionDatasetToDataLandingZone deleteFlow "
                   "deleteSourceConnection deleteTargetConnection exportDatasetToDLZ getExportableDatasets getExportableDatasetsDLZ getFlowSpec "
                   "getFlowSpecIdFromNames getSourceConnection getSourceConnections getTargetConnection getTargetConnections "
                   "getUISFlow getUISFlowRuns getUPSFlow getUPSFlowRuns postFlowAction updateFlow updatePolicy updateSourceConnection "
                   "updateTargetConnection",
        CREDENTIALS: "getLandingZoneNamespace getLandingZoneSASToken getLandingZoneSASUri getLandingZoneStorageAccountName",
    },
    "Identity": {
        GRAPH: "createB2BIdentities getIdentity getIdentityMapping getLinkedIdentities postIdentityMapping",
        NAMESPACES: "getIdentitiesIMS getIdentityDetail updateIdentity",
    },
    "Sandboxes": {
        PACKAGES: "approvingShareRequest checkPermissions createPackage createShareRequest deletePackage getImportExportJobs getPackage getPackageDependencies "
                  "getPackages getPublicPackages getShareRequests getTransfer getTransfers importPackage importPackageCheck importPublicPackage publishPackage "
                  "publishPackagePublic transferPackage updatePackage",
        SANDBOXES: "getSandboxTypes updateSandbox",
    },
}
