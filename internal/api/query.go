package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"roster/client"
	"roster/internal/audience"
)

// query is the query of a call's URL, with the problems found in it. Parameters that a call does not know are
// ignored: clients send many.
type query struct {
	url.Values
	call     *call
	problems audience.Problems
}

// Bounds of a query.
const (
	maxParameters = 200
	maxFilters    = 20
)

func (c *call) query() (*query, error) {
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, audience.Errorf(audience.Invalid, "the query of the URL is not well-formed")
	}
	given := 0
	for _, list := range values {
		given += len(list)
	}
	if given > maxParameters {
		return nil, audience.Errorf(audience.Invalid, "the query of the URL has %d parameters; at most %d are allowed", given, maxParameters)
	}
	return &query{Values: values, call: c}, nil
}

// Get returns a parameter, "" when it is not there. One that is there several times leaves open what is meant.
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

// start reads where a page starts: the next of the page before.
func (q *query) start() int {
	text := q.Get("start")
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		q.problems.Add("start", "must be the next of the page before")
		return 0
	}
	return int(n)
}

// filters reads the filters of a list, which follow each other in one parameter that is repeated.
func (q *query) filters() []string {
	list := q.Values["property"]
	if len(list) > maxFilters {
		q.problems.Add("property", "is given %d times; a list takes at most %d filters", len(list), maxFilters)
		return nil
	}
	return list
}

// pageOf describes a page. The last one has no next.
func pageOf(limit, offset, count, total int) client.Page {
	p := client.Page{Limit: limit, Count: count, TotalCount: total}
	if count > 0 && offset+count < total {
		p.Next = strconv.Itoa(offset + count)
	}
	return p
}

// id reads an id in the path. What is no id names nothing: 404.
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
