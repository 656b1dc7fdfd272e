package api

import (
	"bytes"
	"html/template"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// indexBody says what answers here.
type indexBody struct {
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Version     string     `json:"version"`
	Links       indexLinks `json:"links"`
	// Documentation is where people read more: the server has no pages of it.
	Documentation string `json:"documentation"`
}

// indexLinks are paths of this server.
type indexLinks struct {
	API       string `json:"api"`
	Audiences string `json:"audiences"`
	Tokens    string `json:"tokens"`
	OpenAPI   string `json:"openapi"`
	Health    string `json:"health"`
	Readiness string `json:"readiness"`
	Metrics   string `json:"metrics"`
	Keys      string `json:"keys"`
}

// indexPage is the body for people.
var indexPage = template.Must(template.New("index").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Name}}</title>
<h1>{{.Name}} {{.Version}}</h1>
<p>{{.Description}}</p>
<ul>
<li>The API is served under <code>{{.Links.API}}</code>, and without this prefix. External audiences are at <code>{{.Links.Audiences}}</code>.
<li>Tokens: <code>POST {{.Links.Tokens}}</code>
<li>Every call, described: <a href="{{.Links.OpenAPI}}">{{.Links.OpenAPI}}</a>
<li>The process lives: <a href="{{.Links.Health}}">{{.Links.Health}}</a>; it takes requests: <a href="{{.Links.Readiness}}">{{.Links.Readiness}}</a>
<li>Metrics for Prometheus: <a href="{{.Links.Metrics}}">{{.Links.Metrics}}</a>
<li>Public keys of receipts and certificates: <a href="{{.Links.Keys}}">{{.Links.Keys}}</a>
</ul>
<p>{{.Documentation}}</p>
</html>
`))

// index answers / to everybody: as JSON, or as a page to who accepts HTML and does not prefer JSON.
func (s *server) index(w http.ResponseWriter, r *http.Request) {
	body := indexBody{
		Name: "Roster", Version: s.Version,
		Description: "Roster turns files of people into audiences and answers which audiences an identity is in. It speaks the External Audiences API of Adobe Experience Platform.",
		Links: indexLinks{API: "/data", Audiences: "/data" + external, Tokens: "/ims/token/v3", OpenAPI: "/openapi.yaml", Health: "/healthz", Readiness: "/readyz",
			Metrics: "/metrics", Keys: "/.well-known/jwks.json"},
		Documentation: "The documentation is in README.md and in the folder docs of the source of this version.",
	}
	w.Header().Set("Vary", "Accept")
	if !prefersHTML(r.Header.Values("Accept")) {
		s.write(w, r, http.StatusOK, "application/json", body)
		return
	}
	var page bytes.Buffer
	if err := indexPage.Execute(&page, body); err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	_, _ = w.Write(page.Bytes())
}

// prefersHTML reports whether a client accepts HTML by name and prefers it to JSON or accepts both alike (RFC 9110, section 12.5.1).
func prefersHTML(accept []string) bool {
	quality := map[string]float64{}
	for text := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(text)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		quality[kind] = q
	}
	of := func(kinds ...string) float64 { // the most specific one first
		for _, kind := range kinds {
			if q, ok := quality[kind]; ok {
				return q
			}
		}
		return 0
	}
	html := of("text/html", "text/*")
	return html > 0 && html >= of("application/json", "application/*", "*/*")
}
