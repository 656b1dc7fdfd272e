package api

import (
	"net/http"
	"strings"
)

// tagged is a body with an entity tag. A client that already has this version gets 304 instead.
type tagged struct {
	etag string
	body any
}

// answer sets the tag's headers and returns the answer to send instead of a.
func (t tagged) answer(w http.ResponseWriter, r *http.Request, a answer) answer {
	w.Header().Set("ETag", t.etag)
	w.Header().Set("Cache-Control", "private, no-cache") // clients may store it, and must ask before they use it
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && has(etags(r.Header, "If-None-Match"), t.etag) {
		return answer{status: http.StatusNotModified}
	}
	return answer{a.status, t.body}
}

// has reports whether a header's list contains the tag, also as a weak one.
func has(list []string, etag string) bool {
	for _, one := range list {
		if one == "*" || strings.TrimPrefix(one, "W/") == etag {
			return true
		}
	}
	return false
}

// ifMatch returns the entity tags of If-Match, none if any version is accepted.
func (c *call) ifMatch() []string {
	list := etags(c.Header, "If-Match")
	if len(list) == 1 && list[0] == "*" {
		return nil
	}
	return list
}

// etags splits a header's list of entity tags. Tags of Roster contain no commas.
func etags(h http.Header, name string) []string {
	var list []string
	for _, line := range h.Values(name) {
		for one := range strings.SplitSeq(line, ",") {
			list = append(list, strings.TrimSpace(one))
		}
	}
	return list
}
