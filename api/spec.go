// Package api holds the description of the REST API, openapi.yaml, for the server to serve and the tests to
// check the server against.
package api

import _ "embed"

// OpenAPI is the text of openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte
