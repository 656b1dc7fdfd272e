package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/landing"
)

// Files stores the files of landing zones.
type Files interface {
	Upload(ctx context.Context, a audience.Actor, path string, u landing.Upload) (landing.State, error)
	Files(ctx context.Context, a audience.Actor, prefix, after string, limit int) (files []control.File, more bool, err error)
	DeleteFile(ctx context.Context, a audience.Actor, path string) error
}

// landingZone describes the landing zone.
func (s *server) landingZone(c *call) (answer, error) {
	q := c.query()
	if t := q.Get("type"); t != "" && t != "user_drop_zone" {
		return answer{}, audience.InvalidField("type", "must be user_drop_zone; there is no other landing zone")
	}
	return answer{http.StatusOK, client.LandingZone{ContainerName: audience.LandingContainer, ContainerTTL: strconv.Itoa(audience.LandingDays)}}, nil
}

// upload receives a file for the sandbox's landing zone, or a range of its bytes.
func (s *server) upload(c *call) (answer, error) {
	path, err := c.landingPath()
	if err != nil {
		return answer{}, err
	}
	u := landing.Upload{Body: uploadBody{c.Body}, Length: c.ContentLength}
	if u.Range, err = contentRange(c.Header); err != nil {
		return answer{}, err
	}
	if u.SHA256, err = c.digest(); err != nil {
		return answer{}, err
	}
	state, err := s.Service.Upload(c.Context(), c.actor, path, u)
	if err != nil {
		return answer{}, err
	}
	if state.File == nil {
		return answer{http.StatusAccepted, client.UploadState{Path: audience.LandingPath(path), Size: state.Size, Received: state.Received}}, nil
	}
	return answer{http.StatusOK, client.Upload{Path: state.File.Path, Size: state.File.Size, Version: state.File.Version, SHA256: hex.EncodeToString(state.SHA256)}}, nil
}

// landingPath returns the path of a file in the landing zone.
func (c *call) landingPath() (string, error) {
	path := c.PathValue("path")
	if problem := audience.CheckPath(path); problem != "" {
		return "", audience.InvalidField("path", "%s", problem)
	}
	return path, nil
}

var rangeForm = regexp.MustCompile(`^bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15})$`)

// contentRange reads which bytes of a file a request contains; nil means all.
func contentRange(h http.Header) (*landing.Range, error) {
	values := h.Values("Content-Range")
	if values == nil {
		return nil, nil
	}
	m := rangeForm.FindStringSubmatch(strings.Join(values, ", "))
	if m == nil {
		return nil, audience.InvalidField("Content-Range", "must have the form bytes 0-1048575/5000000, or bytes */5000000 to ask for the progress of the upload")
	}
	number := func(digits string) int64 {
		n, _ := strconv.ParseInt(digits, 10, 64) // the pattern limits the digits
		return n
	}
	r := &landing.Range{First: -1, Last: -1, Size: number(m[3])}
	if m[1] != "" {
		r.First, r.Last = number(m[1]), number(m[2])
		if r.First > r.Last || r.Last >= r.Size {
			return nil, audience.InvalidField("Content-Range", "must have the first byte before the last one, and the last one within the file")
		}
	}
	return r, nil
}

var digestForm = regexp.MustCompile(`(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):\s*(?:,|$)`)

// digest reads the required SHA-256 of a file (RFC 9530), nil if there is none. For a request with the whole file the
// digest of the content is the same.
func (c *call) digest() ([]byte, error) {
	for _, name := range []string{"Repr-Digest", "Content-Digest"} {
		values := c.Header.Values(name)
		if values == nil {
			continue
		}
		if name == "Content-Digest" && c.Header.Get("Content-Range") != "" {
			return nil, audience.InvalidField(name, "is not checked for a range; send the digest of the whole file in Repr-Digest")
		}
		m := digestForm.FindStringSubmatch(strings.Join(values, ", "))
		if m == nil {
			return nil, audience.InvalidField(name, "must have a SHA-256, such as sha-256=:BASE64:")
		}
		sum, err := base64.StdEncoding.DecodeString(m[1])
		if err != nil || len(sum) != 32 {
			return nil, audience.InvalidField(name, "does not contain a SHA-256, which is 32 bytes in base64")
		}
		return sum, nil
	}
	return nil, nil
}

// uploadBody is a body whose unexpected end is an error of the client.
type uploadBody struct{ io.Reader }

func (b uploadBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = audience.Errorf(audience.Invalid, "the upload was interrupted")
	}
	return n, err
}

// filePages are the pages of the files of a landing zone.
var filePages = pages{"start", []string{"prefix"}}

// listFiles lists the files of the landing zone.
func (s *server) listFiles(c *call) (answer, error) {
	q := c.query()
	after := ""
	filePages.read(q, &after)
	limit, prefix := q.limit(landing.DefaultFiles, landing.MaxFiles), q.Get("prefix")
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	files, more, err := s.Service.Files(c.Context(), c.actor, prefix, after, limit)
	if err != nil {
		return answer{}, err
	}
	body := client.FileList{Files: []client.File{}, Page: client.CursorPage{Limit: limit, Count: len(files)}}
	for _, f := range files {
		body.Files = append(body.Files, client.File{Path: f.Path, Size: f.Size, Version: f.Version,
			ModifiedAt: f.Modified.Unix(), ExpiresAt: f.Expires.Unix()})
	}
	if more {
		body.Page.Next = filePages.token(q, files[len(files)-1].Path)
	}
	return answer{http.StatusOK, body}, nil
}

// deleteFile removes a file from the landing zone.
func (s *server) deleteFile(c *call) (answer, error) {
	path, err := c.landingPath()
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, s.Service.DeleteFile(c.Context(), c.actor, path)
}
