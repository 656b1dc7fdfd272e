package api

import (
	"bytes"
	"io"
	"strings"

	"roster/internal/audience"
)

// maxBody is the largest JSON body, in bytes.
const maxBody = 1 << 20

// body reads the call's body, which may be absent.
func (c *call) body() ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(c.Body, maxBody+1))
	if err != nil {
		return nil, brokenOff()
	}
	if len(data) > maxBody {
		return nil, audience.Errorf(audience.Invalid, "the body is larger than 1 MiB")
	}
	return bytes.TrimSpace(data), nil
}

func brokenOff() error {
	return audience.Errorf(audience.Invalid, "the body could not be read: the transfer was interrupted or too slow")
}

// json decodes the call's required body into dst.
func (c *call) json(dst any) error {
	data, err := c.body()
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return audience.Errorf(audience.Invalid, "the body is missing; it must be a JSON object")
	}
	return decode(data, dst)
}

// typedJSON is json for the calls whose documented form has a content type. If the request has one, it must be JSON, so
// that a form sent by mistake gets a clear answer.
func (c *call) typedJSON(dst any) error {
	if err := c.wantJSON(); err != nil {
		return err
	}
	return c.json(dst)
}

// parsed reads a required JSON body. what describes the body in the error for an absent one.
func (c *call) parsed(what string) (node, error) {
	if err := c.wantJSON(); err != nil {
		return node{}, err
	}
	data, err := c.body()
	if err != nil {
		return node{}, err
	}
	if len(data) == 0 {
		return node{}, audience.Errorf(audience.Invalid, "the body is missing; it must be %s", what)
	}
	return parse(data)
}

// wantJSON refuses a body with another content type than JSON.
func (c *call) wantJSON() error {
	mediaType, _, _ := strings.Cut(c.Header.Get("Content-Type"), ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	if mediaType != "" && mediaType != "application/json" && !strings.HasSuffix(mediaType, "+json") {
		return audience.InvalidField("Content-Type", "must be application/json, not %.100s", mediaType)
	}
	return nil
}
