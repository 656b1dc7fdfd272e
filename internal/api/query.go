package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"roster/client"
	"roster/internal/audience"
)

// parameters are the allowed query parameters of a call, with the allowed values of each. openapi.yaml describes them,
// and a test compares the two.
type parameters map[string]parameter

// parameter describes the allowed values of a query parameter.
type parameter int

const (
	exact  parameter = iota + 1 // a number, a word of a list, a condition: anything except an empty text
	text                        // any text; an empty one selects nothing
	unused                      // a parameter of AEP without effect here
)

// ignored are parameters without effect.
func ignored(names ...string) parameters {
	p := parameters{}
	for _, name := range names {
		p[name] = unused
	}
	return p
}

// and returns the parameters of both.
func (p parameters) and(more parameters) parameters {
	all := maps.Clone(p)
	maps.Copy(all, more)
	return all
}

// ignoredHeader is the header that names parameters without effect.
const ignoredHeader = "X-Roster-Ignored"

// query is the query of a call's URL, with the problems found in it.
type query struct {
	url.Values
	call     *call
	problems audience.Problems
}

// Limits of a query.
const (
	maxParameters = 200
	maxFilters    = 20
)

// parseQuery reads the query of the call's URL. It refuses a parameter that the call does not have, and an empty value
// where it is not allowed. It names parameters without effect in a header of the answer.
func (c *call) parseQuery(h http.Header, takes parameters) error {
	c.values = url.Values{}
	if c.URL.RawQuery == "" {
		return nil
	}
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return audience.Errorf(audience.Invalid, "the query of the URL is not well-formed")
	}
	given := 0
	for _, list := range values {
		given += len(list)
	}
	if given > maxParameters {
		return audience.Errorf(audience.Invalid, "the query of the URL has %d parameters; at most %d are allowed", given, maxParameters)
	}
	var problems audience.Problems
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch kind := takes[name]; {
		case kind == unused:
			delete(values, name)
			h.Add(ignoredHeader, name)
		case kind == exact && slices.Contains(values[name], ""):
			problems.Add(name, "is empty; give it a value, or omit it")
		case kind == 0:
			problems.Add(shown(name), "is not a parameter of this call; %s", takes)
		}
	}
	c.values = values
	return problems.Err()
}

// shown returns the name of an unknown parameter, shortened for an error.
func shown(name string) string {
	return fmt.Sprintf("%.64s", strings.ToValidUTF8(name, "?"))
}

func (p parameters) String() string {
	if len(p) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(slices.Sorted(maps.Keys(p)), ", ")
}

// query returns the parameters of the call's URL.
func (c *call) query() *query { return &query{Values: maps.Clone(c.values), call: c} }

// Get returns a parameter, "" if it is absent. A parameter that is given several times is a problem.
func (q *query) Get(name string) string {
	if len(q.Values[name]) > 1 && !slices.ContainsFunc(q.problems, func(p audience.Problem) bool { return p.Path == name }) {
		q.problems.Add(name, "is given more than once")
	}
	return q.Values.Get(name)
}

// limit reads the size of a page.
func (q *query) limit(byDefault, most int) int {
	text := q.Get("limit")
	if !q.Has("limit") {
		return byDefault
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		q.problems.Add("limit", "must be from 1 to %d", most)
		return byDefault
	}
	return n
}

// start reads the start of a page: the next of the page before.
func (q *query) start() int {
	text := q.Get("start")
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		q.problems.Add("start", "must be the value of next in the page before")
		return 0
	}
	return int(n)
}

// wholeNumber reads a number. It drops a fraction, which times may have.
func wholeNumber(text string) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if strings.Trim(fraction, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(whole, 10, 64)
}

// filters reads the filters of a list, which are the values of one repeated parameter.
func (q *query) filters(parameter string) []string {
	list := q.Values[parameter]
	if len(list) > maxFilters {
		q.problems.Add(parameter, "is given %d times; a list takes at most %d filters", len(list), maxFilters)
		return nil
	}
	return list
}

// pageOf describes a page. The last page has no next.
func pageOf(limit, offset, count, total int) client.Page {
	p := client.Page{Limit: limit, Count: count, TotalCount: total}
	if count > 0 && offset+count < total {
		p.Next = strconv.Itoa(offset + count)
	}
	return p
}

// id reads an id in the path. A text that is not an id is answered 404.
func (c *call) id(name, noun string) (string, error) {
	text := c.PathValue(name)
	if id, err := uuid.Parse(text); err == nil && len(text) == len(id.String()) {
		return id.String(), nil
	}
	return "", audience.Errorf(audience.NotFound, "there is no %s %.100q", noun, strings.ToValidUTF8(text, "?"))
}

func (c *call) audienceID() (audience.ID, error) {
	id, err := c.id("audienceId", "audience")
	return audience.ID(id), err
}
