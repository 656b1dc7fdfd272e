package api

import (
	"net/http"
	"strings"
)

// tagged is a body that has an entity tag. Whoever reads it and has it already is told so instead.
type tagged struct {
	etag string
	body any
}

// answer puts the tag into the headers and returns what to answer in place of a.
func (t tagged) answer(w http.ResponseWriter, r *http.Request, a answer) answer {
	w.Header().Set("ETag", t.etag)
	w.Header().Set("Cache-Control", "private, no-cache") // it may be kept, and used after asking
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && has(etags(r.Header, "If-None-Match"), t.etag) {
		return answer{status: http.StatusNotModified}
	}
	return answer{a.status, t.body}
}

// has reports whether the list of a header has the tag, be it as a weak one.
func has(list []string, etag string) bool {
	for _, one := range list {
		if one == "*" || strings.TrimPrefix(one, "W/") == etag {
			return true
		}
	}
	return false
}

// ifMatch are the entity tags of If-Match, none when what is there may be as it is.
func (c *call) ifMatch() []string {
	list := etags(c.Header, "If-Match")
	if len(list) == 1 && list[0] == "*" {
		return nil
	}
	return list
}

// etags splits a header's list of entity tags. None of Roster's holds a comma.
func etags(h http.Header, name string) []string {
	var list []string
	for _, line := range h.Values(name) {
		for one := range strings.SplitSeq(line, ",") {
			list = append(list, strings.TrimSpace(one))
		}
	}
	return list
}
