package api

import (
	"bytes"
	"io"
	"strings"

	"roster/internal/audience"
)

// maxBody bounds a body of JSON.
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
	return audience.Errorf(audience.Invalid, "the body could not be read: it broke off, or came too slowly")
}

// json decodes the call's body, which must be there, into dst.
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

// typedJSON is json for the calls whose documented form names the body's type. It must be JSON when it is named,
// so that a form sent by mistake gets a clear answer.
func (c *call) typedJSON(dst any) error {
	if err := c.wantJSON(); err != nil {
		return err
	}
	return c.json(dst)
}

// parsed reads a body that must be JSON. what it must be is said when there is none.
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

// wantJSON refuses a body that is named as something else than JSON.
func (c *call) wantJSON() error {
	mediaType, _, _ := strings.Cut(c.Header.Get("Content-Type"), ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	if mediaType != "" && mediaType != "application/json" && !strings.HasSuffix(mediaType, "+json") {
		return audience.InvalidField("Content-Type", "must be application/json, not %.100s", mediaType)
	}
	return nil
}
