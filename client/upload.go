package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const pathLanding = "/landing"

// Limits of uploads by ranges.
const (
	rangeSize     = 64 << 20
	rangeAttempts = 8 // without progress
	slowest       = 10 * time.Second
)

func filePath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return pathLanding + "/" + strings.Join(segments, "/")
}

// Upload uploads a file to the sandbox's landing zone in one request. The file appears only when it is complete.
func (c *Client) Upload(ctx context.Context, path string, content io.Reader) (Upload, error) {
	var out Upload
	err := c.call(ctx, request{method: http.MethodPut, path: filePath(path), stream: io.NopCloser(content)}, &out)
	return out, err
}

// UploadFile uploads a file of the given size to the sandbox's landing zone, range by range. It resumes an earlier
// upload of the same content and retries after broken connections. The server verifies the file's SHA-256 before the
// file appears. If progress is not nil, it is called with the number of bytes sent so far.
func (c *Client) UploadFile(ctx context.Context, path string, content io.ReaderAt, size int64, progress func(sent int64)) (Upload, error) {
	if size == 0 {
		return c.Upload(ctx, path, strings.NewReader(""))
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(content, 0, size)); err != nil {
		return Upload{}, err
	}
	u := uploader{c: c, path: filePath(path), content: content, size: size, progress: progress,
		digest: "sha-256=:" + base64.StdEncoding.EncodeToString(sum.Sum(nil)) + ":"}
	came, delay, failed := int64(-1), firstDelay, 0
	for {
		done, err := u.goOn(ctx)
		if done != nil {
			return *done, nil
		}
		if u.received > came {
			came, delay, failed = u.received, firstDelay, 0
		}
		if err == nil {
			continue
		}
		if failed++; failed == rangeAttempts || !u.again(err) {
			return Upload{}, err
		}
		u.asked = false
		if err := sleep(ctx, delay); err != nil {
			return Upload{}, err
		}
		delay = min(delay*2, slowest)
	}
}

// uploader sends a file by ranges.
type uploader struct {
	c        *Client
	path     string
	content  io.ReaderAt
	size     int64
	digest   string
	progress func(sent int64)

	asked    bool  // received is known from the server
	received int64 // bytes
}

// again reports whether an upload may continue after an error: the connection broke, the server is at another offset or
// receives the file from another request, or the token of a range was refused, which the next request renews.
func (u *uploader) again(err error) bool {
	var refused *APIError
	if errors.As(err, &refused) && (refused.Status == http.StatusPreconditionFailed || refused.Code == codeBadToken && u.asked) {
		return true
	}
	return passing(err)
}

// uploadAnswer is the answer to a complete or incomplete upload.
type uploadAnswer struct {
	Upload
	Received int64 `json:"received"`
}

// goOn asks for the progress of the upload, or sends the next range. It returns the file when the upload is complete.
func (u *uploader) goOn(ctx context.Context) (*Upload, error) {
	r := request{method: http.MethodPut, path: u.path, header: http.Header{"Repr-Digest": {u.digest}}}
	r.reads = !u.asked
	if u.asked {
		n := min(rangeSize, u.size-u.received)
		r.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", u.received, u.received+n-1, u.size))
		r.stream = io.NopCloser(&counted{Reader: io.NewSectionReader(u.content, u.received, n), u: u, sent: u.received})
		r.length = n
	} else {
		r.header.Set("Content-Range", fmt.Sprintf("bytes */%d", u.size))
	}
	var out uploadAnswer
	if err := u.c.call(ctx, r, &out); err != nil {
		return nil, err
	}
	if out.SHA256 != "" {
		u.tell(u.size)
		return &out.Upload, nil
	}
	u.asked, u.received = true, out.Received
	u.tell(u.received)
	return nil, nil
}

func (u *uploader) tell(sent int64) {
	if u.progress != nil {
		u.progress(sent)
	}
}

// counted counts the bytes that were read of a range.
type counted struct {
	io.Reader
	u    *uploader
	sent int64
}

func (r *counted) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.sent += int64(n)
	r.u.tell(r.sent)
	return n, err
}

// Files reads a page of the files of the sandbox's landing zone whose paths begin with prefix. start is "" or a page's
// Next; limit 0 is the default.
func (c *Client) Files(ctx context.Context, prefix, start string, limit int) (FileList, error) {
	var out FileList
	query := page(start, limit)
	if prefix != "" {
		query.Set("prefix", prefix)
	}
	err := c.call(ctx, request{method: http.MethodGet, path: pathLanding, query: query}, &out)
	return out, err
}

// DeleteFile removes a file from the sandbox's landing zone.
func (c *Client) DeleteFile(ctx context.Context, path string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: filePath(path)}, nil)
}
