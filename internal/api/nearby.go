package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"roster/client"
	"roster/internal/audience"
)

// Labels lists the labels of a sandbox.
type Labels interface {
	Labels(ctx context.Context, a audience.Actor) ([]string, error)
}

// Clients of AEP read lists of other services when they start. For services that Roster does not have, it answers empty
// lists, each in the form of its service (contract, section 5). The forms differ in how they show the last page.

// children is a list in the form of a service whose lists have the property children.
type children struct {
	Children []any          `json:"children"`
	Page     map[string]int `json:"_page"`
	Links    any            `json:"_links"`
}

// emptyLists are the lists that are always empty, by their paths.
var emptyLists = map[string]any{
	"/core/ups/segment/definitions": map[string]any{"segments": []any{}, "page": map[string]int{"totalCount": 0, "totalPages": 0, "pageSize": 0}, "link": map[string]any{}},
	"/core/ups/segment/jobs":        map[string]any{"children": []any{}, "_page": map[string]int{"totalCount": 0, "pageSize": 0}, "_links": map[string]any{}},
	// aepp reads further pages while next has an href.
	"/core/ups/config/mergePolicies":             children{Children: []any{}, Page: map[string]int{"totalCount": 0, "pageSize": 0}, Links: map[string]any{"next": map[string]any{}}},
	"/foundation/schemaregistry/tenant/schemas":  schemas,
	"/foundation/schemaregistry/global/schemas":  schemas,
	"/foundation/dulepolicy/policies/core":       policyList([]any{}),
	"/foundation/dulepolicy/policies/custom":     policyList([]any{}),
	"/foundation/dulepolicy/enabledCorePolicies": map[string]any{"policyIds": []any{}},
	"/unifiedtags/tags":                          map[string]any{"tags": []any{}, "_page": map[string]any{"count": 0, "next": nil}},
}

// ofEmpty are the parameters that AEP describes for these lists.
var ofEmpty = ignored("limit", "start", "page", "sort", "sortBy", "sortOrder", "orderBy", "orderby", "property", "status", "default", "snapshot.name",
	"schema.name", "duleLabels", "marketingAction", "evaluationInfo.continuous.enabled", "evaluationInfo.batch.enabled", "evaluationInfo.synchronous.enabled")

var schemas = map[string]any{"results": []any{}, "_page": map[string]any{"orderby": "updated", "next": nil, "count": 0}, "_links": map[string]any{"next": nil}}

// policyList is a list of the policy service. Its link is a template without an address, because clients read further
// pages while there is an address.
func policyList(entries []any) children {
	return children{Children: entries, Page: map[string]int{"count": len(entries)}, Links: map[string]any{"page": map[string]any{"href": "", "templated": false}}}
}

// nearby returns the routes of the lists that are always empty.
func nearby() (list []route) {
	for path, body := range emptyLists {
		list = append(list, route{method: "GET", path: path, takes: ofEmpty, do: func(*call) (answer, error) { return answer{http.StatusOK, body}, nil }})
	}
	return list
}

// label is a usage label in the policy service.
type label struct {
	Name         string `json:"name"`
	Category     string `json:"category"`
	FriendlyName string `json:"friendlyName"`
	Description  string `json:"description"`
}

// labelCategory returns the category of a label's name in AEP's glossary.
func labelCategory(of, name string) string {
	if of == "core" {
		for prefix, category := range map[string]string{"C": "Contract", "I": "Identity", "S": "Sensitive"} {
			if strings.HasPrefix(name, prefix) {
				return category
			}
		}
	}
	return "Custom"
}

// listLabels answers the labels of a family, core or custom, that audiences of the organization have and the caller
// holds.
func (s *server) listLabels(c *call) (answer, error) {
	used, err := s.Service.Labels(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	family := c.PathValue("family")
	if family != "core" && family != "custom" {
		return answer{}, audience.Errorf(audience.NotFound, "there is no family of labels %.64q; the families are core and custom", family)
	}
	entries := []any{}
	for _, l := range used {
		if of, name, _ := strings.Cut(l, "/"); of == family {
			entries = append(entries, label{Name: name, Category: labelCategory(of, name), FriendlyName: name, Description: "a label of audiences: " + l})
		}
	}
	return answer{http.StatusOK, policyList(entries)}, nil
}

// connectionSpec describes a kind of base connection.
type connectionSpec struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Type       string     `json:"type"`
	Attributes any        `json:"attributes"`
	AuthSpec   []authSpec `json:"authSpec"`
}

type authSpec struct {
	Name string   `json:"name"`
	Type string   `json:"type"`
	Spec authForm `json:"spec"`
}

// authForm is the JSON schema of an authentication's params.
type authForm struct {
	Type       string                    `json:"type"`
	Properties map[string]map[string]any `json:"properties"`
	Required   []string                  `json:"required"`
}

// specNames are AEP's names of the kinds, by their first ids.
var specNames = map[string]string{
	audience.SpecS3: "amazon-s3", audience.SpecGCS: "google-cloud", audience.SpecAzureBlob: "azure-blob", audience.SpecLandingZone: "landing-zone", audience.SpecLocal: "local-files",
	"b3ba5556-48be-44b7-8b85-ff2b69b46dc4": "adls-gen2", "b7bf2577-4520-42c9-bae9-cad01560f7bc": "sftp",
}

func (s *server) listConnectionSpecs(c *call) (answer, error) {
	q := c.query()
	property, want, filtered := strings.Cut(q.Get("property"), "==")
	if filtered && property != "name" && property != "id" {
		q.problems.Add("property", "%.100q must be name== and a name, or id== and an id", q.Get("property"))
	}
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	items := []connectionSpec{}
	for _, kind := range audience.ConnectionKinds() {
		id := kind.SpecIDs[0] // clients find the id by the name, which all ids of a kind share
		if property == "id" && slices.Contains(kind.SpecIDs, want) {
			id = want
		}
		if !filtered || property == "name" && want == specNames[kind.SpecIDs[0]] || property == "id" && want == id {
			items = append(items, connectionSpecBody(id, &kind))
		}
	}
	return answer{http.StatusOK, map[string]any{"items": items, "_links": map[string]any{}}}, nil
}

func (s *server) connectionSpec(c *call) (answer, error) {
	id := strings.ToLower(c.PathValue("specId"))
	kind, ok := audience.KindOf(id)
	if !ok {
		return answer{}, audience.Errorf(audience.NotFound, "there is no connection spec %.64q", id)
	}
	return answer{http.StatusOK, map[string]any{"items": []connectionSpec{connectionSpecBody(id, &kind)}}}, nil
}

// connectionConfigs describes the credentials of S3 connections without keys: those of the server itself.
func (s *server) connectionConfigs(c *call) (answer, error) {
	if id := c.PathValue("specId"); strings.ToLower(id) != audience.SpecS3 {
		return answer{}, audience.Errorf(audience.NotFound, "the connection spec %.64q has no configs; that of S3 has, %s", id, audience.SpecS3)
	}
	q := c.query()
	if q.Get("authType") != "IamBasedAuthentication" {
		q.problems.Add("authType", "must be IamBasedAuthentication")
	}
	return answer{http.StatusOK, map[string]any{"configParams": map[string]any{"IAMRole": "the role of the server itself"}}}, q.problems.Err()
}

func connectionSpecBody(id string, kind *audience.ConnectionKind) connectionSpec {
	body := connectionSpec{ID: id, Name: specNames[kind.SpecIDs[0]], Version: specVersion, Type: "connectionSpec", AuthSpec: []authSpec{},
		Attributes: map[string]any{"category": "Cloud Storage", "isSource": true, "description": kind.Name}}
	for _, auth := range kind.Auths {
		form := authForm{Type: "object", Properties: map[string]map[string]any{}, Required: []string{}}
		for _, p := range auth.Params {
			form.Properties[p.Name] = map[string]any{"type": "string"}
			if p.Secret {
				form.Properties[p.Name]["format"] = "password"
			}
			if p.Required {
				form.Required = append(form.Required, p.Name)
			}
		}
		body.AuthSpec = append(body.AuthSpec, authSpec{Name: auth.Name, Type: auth.Name, Spec: form})
	}
	return body
}

// listFlowSpecs answers the only flow specification.
func (s *server) listFlowSpecs(c *call) (answer, error) {
	var sources []string
	for _, kind := range audience.ConnectionKinds() {
		sources = append(sources, kind.SpecIDs...)
	}
	spec := map[string]any{"id": specCloudFlow, "name": "CloudStorageToAEP", "version": specVersion, "sourceConnectionSpecIds": sources,
		"targetConnectionSpecIds": []string{specDataLake, specProfileStore}}
	items := []any{spec}
	q := c.query()
	if property, want, filtered := strings.Cut(q.Get("property"), "=="); filtered && spec[property] != want {
		items = []any{}
	}
	return answer{http.StatusOK, map[string]any{"items": items, "_links": map[string]any{}}}, q.problems.Err()
}

// landingCredentials describes how to upload files to the landing zone: with the credentials of the API. The keys of
// the store are never sent.
func (s *server) landingCredentials(c *call) (answer, error) {
	if _, err := s.landingZone(c); err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.LandingCredentials{ContainerName: audience.LandingContainer, DLZProvider: "Roster",
		UploadURL: inLanding, Method: http.MethodPut, DLZPath: client.LandingPath{BucketName: audience.LandingContainer}}}, nil
}
