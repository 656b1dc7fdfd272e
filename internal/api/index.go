package api

import (
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// indexBody is the answer of /.
type indexBody struct {
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Version     string     `json:"version"`
	Links       indexLinks `json:"links"`
	// Documentation tells where the documentation is: the server has no pages of it.
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

// page returns the body as HTML. It does not use html/template, because a program that can run templates keeps every
// exported method of its libraries, 30 MB of them.
func (b indexBody) page() string {
	l := b.Links
	values := []any{b.Name, b.Version, b.Description, l.API, l.Audiences, l.Tokens, l.OpenAPI, l.Health, l.Readiness, l.Metrics, l.Keys, b.Documentation}
	for i, v := range values {
		values[i] = html.EscapeString(v.(string))
	}
	return fmt.Sprintf(indexPage, values...)
}

const indexPage = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>%[1]s</title>
<h1>%[1]s %[2]s</h1>
<p>%[3]s</p>
<ul>
<li>The API is served under <code>%[4]s</code>, and without this prefix. External audiences are at <code>%[5]s</code>.
<li>Tokens: <code>POST %[6]s</code>
<li>Every call, described: <a href="%[7]s">%[7]s</a>
<li>The process lives: <a href="%[8]s">%[8]s</a>; it takes requests: <a href="%[9]s">%[9]s</a>
<li>Metrics for Prometheus: <a href="%[10]s">%[10]s</a>
<li>Public keys of receipts and certificates: <a href="%[11]s">%[11]s</a>
</ul>
<p>%[12]s</p>
</html>
`

// index answers / without credentials: as JSON, or as HTML for clients that accept it and do not prefer JSON.
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
	page := body.page()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	_, _ = io.WriteString(w, page)
}

// prefersHTML reports whether a client accepts HTML by name and prefers it to JSON, or accepts both equally (RFC 9110,
// section 12.5.1).
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
	asked := of("text/html", "text/*")
	return asked > 0 && asked >= of("application/json", "application/*", "*/*")
}
