package api

import (
	"encoding/base64"
	"encoding/json"
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
	problems audience.Problems
}

func (c *call) query() (*query, error) {
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, audience.Errorf(audience.Invalid, "the query of the URL is not well-formed")
	}
	return &query{Values: values}, nil
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

// token is where a list goes on, as a query parameter without "=" in it, which clients split at.
func token(from any) string {
	data, err := json.Marshal(from)
	if err != nil {
		panic(err) // it holds nothing but texts and numbers
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// readToken reads what token wrote; false for a text that it did not write.
func readToken(text string, from any) bool {
	data, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(data, from) == nil
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
