package bucket

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"roster/internal/blob"
)

// gcsClient sends the few requests of the JSON API of Google Cloud Storage that Roster needs. Google's own clients compile 70
// packages (the generated one) or 210 packages (the one for storage) more.
type gcsClient struct {
	http *http.Client // puts the token into each request
	base string       // scheme and host, without a slash at its end
}

// gcsError is an answer with another status than 2xx.
type gcsError struct {
	status int
	reason string // of the first error in the body, such as "notFound"
}

func (e *gcsError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the store answers with status %d %s", e.status, e.reason))
}

const (
	// attempts is how often a request is sent in all. Reading on is ahead's.
	attempts = 3
	// gcsWait is the longest first wait between two attempts; the next one is twice as long.
	gcsWait = time.Second
	// maxAnswer is the size of the largest answer that is not an object's content, in bytes. A page of a list has at most 1,000
	// names of 1,024 bytes.
	maxAnswer = 16 << 20
	// uploadPart is how much of an object one request carries, in bytes: a multiple of 256 KiB.
	uploadPart = 8 << 20
)

// gcsObject is what Roster asks of an object.
type gcsObject struct {
	Name       string    `json:"name"`
	Size       int64     `json:"size,string"`
	Updated    time.Time `json:"updated"`
	Generation int64     `json:"generation,string"`
	CRC32C     string    `json:"crc32c"`
}

const gcsFields = "name,size,updated,generation"

// bucketURL is the address of a bucket, or of something in it.
func (c gcsClient) bucketURL(bucket string) string {
	return c.base + "/storage/v1/b/" + url.PathEscape(bucket)
}

func (c gcsClient) objectURL(bucket, key string) string {
	return c.bucketURL(bucket) + "/o/" + url.PathEscape(key)
}

// buckets returns the names of all buckets of a project.
func (c gcsClient) buckets(ctx context.Context, project string) (names []string, err error) {
	q := url.Values{"project": {project}, "fields": {"nextPageToken,items(name)"}}
	for {
		var page struct {
			Items         []struct{ Name string }
			NextPageToken string
		}
		if err := c.ask(ctx, c.base+"/storage/v1/b?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		for _, b := range page.Items {
			names = append(names, b.Name)
		}
		if page.NextPageToken == "" {
			return names, nil
		}
		q.Set("pageToken", page.NextPageToken)
	}
}

// gcsPage is a page of the list of a bucket.
type gcsPage struct {
	Items         []gcsObject
	Prefixes      []string
	NextPageToken string
}

// list returns the page of a bucket's objects that begins at a token. An absent bucket is blob.ErrNoBucket.
func (c gcsClient) list(ctx context.Context, bucket, prefix, delimiter, token string, most int) (page gcsPage, err error) {
	q := url.Values{"prefix": {prefix}, "fields": {"nextPageToken,prefixes,items(" + gcsFields + ")"}}
	for name, value := range map[string]string{"delimiter": delimiter, "pageToken": token} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if most > 0 {
		q.Set("maxResults", strconv.Itoa(most))
	}
	err = c.ask(ctx, c.bucketURL(bucket)+"/o?"+q.Encode(), &page)
	return page, noBucket(err)
}

// noBucket translates an error of a request that needs nothing to exist but the bucket.
func noBucket(err error) error {
	if isStatus(err, http.StatusNotFound) {
		return blob.ErrNoBucket
	}
	return err
}

func isStatus(err error, status int) bool {
	var e *gcsError
	return errors.As(err, &e) && e.status == status
}

func (c gcsClient) stat(ctx context.Context, bucket, key string) (o gcsObject, err error) {
	err = c.ask(ctx, c.objectURL(bucket, key)+"?fields="+gcsFields, &o)
	return o, err
}

// read returns the answer with bytes of an object as it is stored, if the object still has the generation. The store would unpack an
// object that is marked as packed by gzip, whatever range was asked for, unless the request takes gzip.
func (c gcsClient) read(ctx context.Context, bucket, key string, generation, offset, length int64) (*http.Response, error) {
	address := fmt.Sprintf("%s?alt=media&ifGenerationMatch=%d", c.objectURL(bucket, key), generation)
	return c.send(ctx, http.MethodGet, address, http.Header{"Accept-Encoding": {"gzip"}, "Range": {fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)}}, nil)
}

// remove removes an object if the object has the generation; 0 means any. The request is sent once: a second one would not find the
// object that the first one removed.
func (c gcsClient) remove(ctx context.Context, bucket, key string, generation int64) error {
	address := c.objectURL(bucket, key)
	if generation != 0 {
		address += fmt.Sprintf("?ifGenerationMatch=%d", generation)
	}
	r, err := c.sendOnce(ctx, http.MethodDelete, address, nil, nil)
	if err != nil {
		return err
	}
	return r.Body.Close()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is a CRC32C as the API writes it.
func checksum(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// put writes an object. The store checks the checksum of an object of up to uploadPart bytes before the object exists. A larger object is
// checked after its last part, and removed if the store has other content. With absent the answer to an object that exists has the status
// 412.
func (c gcsClient) put(ctx context.Context, bucket, key string, content io.Reader, absent bool) error {
	part := make([]byte, uploadPart)
	n, err := io.ReadFull(content, part)
	if err == nil {
		return noBucket(c.putParts(ctx, bucket, key, part, content, absent))
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return noBucket(c.putSmall(ctx, bucket, key, part[:n], absent))
}

func (c gcsClient) uploadURL(bucket, kind string, absent bool) string {
	address := c.base + "/upload/storage/v1/b/" + url.PathEscape(bucket) + "/o?uploadType=" + kind + "&fields=" + gcsFields + ",crc32c"
	if absent {
		address += "&ifGenerationMatch=0"
	}
	return address
}

func (c gcsClient) putSmall(ctx context.Context, bucket, key string, content []byte, absent bool) error {
	about, err := json.Marshal(map[string]string{"name": key, "contentType": contentType, "crc32c": checksum(crc32.Checksum(content, castagnoli))})
	if err != nil {
		return err
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for _, p := range []struct {
		kind    string
		content []byte
	}{{"application/json", about}, {contentType, content}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {p.kind}})
		if err == nil {
			_, err = w.Write(p.content)
		}
		if err != nil {
			return err
		}
	}
	if err := parts.Close(); err != nil {
		return err
	}
	r, err := c.send(ctx, http.MethodPost, c.uploadURL(bucket, "multipart", absent), http.Header{"Content-Type": {"multipart/related; boundary=" + parts.Boundary()}}, body.Bytes())
	if err != nil {
		return err
	}
	return r.Body.Close()
}

// putParts puts an object that begins with a full part.
func (c gcsClient) putParts(ctx context.Context, bucket, key string, part []byte, rest io.Reader, absent bool) error {
	about, err := json.Marshal(map[string]string{"name": key, "contentType": contentType})
	if err != nil {
		return err
	}
	r, err := c.send(ctx, http.MethodPost, c.uploadURL(bucket, "resumable", absent), http.Header{"Content-Type": {"application/json"}, "X-Upload-Content-Type": {contentType}}, about)
	if err != nil {
		return err
	}
	r.Body.Close()
	session, err := c.session(r)
	if err != nil {
		return err
	}
	sum, at := uint32(0), int64(0)
	next := make([]byte, uploadPart)
	for {
		n, err := io.ReadFull(rest, next)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		if n == 0 {
			break // part is the last one
		}
		sum = crc32.Update(sum, castagnoli, part)
		if _, err := c.putPart(ctx, session, at, -1, part); err != nil {
			return err
		}
		at += int64(len(part))
		part, next = next[:n], part[:cap(part)]
	}
	sum = crc32.Update(sum, castagnoli, part)
	o, err := c.putPart(ctx, session, at, at+int64(len(part)), part)
	if err != nil {
		return err
	}
	if o.CRC32C == checksum(sum) {
		return nil
	}
	err = fmt.Errorf("%w: it has stored other content than was sent", blob.ErrFailed)
	if o.Generation > 0 {
		err = errors.Join(err, c.remove(ctx, bucket, key, o.Generation))
	}
	return err
}

// session returns the address of an upload. The store names the address; its host does not count, since a request carries the token.
func (c gcsClient) session(r *http.Response) (string, error) {
	named, err := url.Parse(r.Header.Get("Location"))
	if err != nil || named.Path == "" {
		return "", fmt.Errorf("%w: it names no address for an upload", blob.ErrFailed)
	}
	return c.base + named.EscapedPath() + "?" + named.RawQuery, nil
}

// putPart sends a part of an upload. at is the part's offset in the object; size is the size of the object if the part is the last one,
// and -1 otherwise. Bytes that the store did not keep are sent again.
func (c gcsClient) putPart(ctx context.Context, session string, at, size int64, part []byte) (o gcsObject, err error) {
	total, end := "*", at+int64(len(part))
	if size >= 0 {
		total = strconv.FormatInt(size, 10)
	}
	for failures, wait := 0, gcsWait; ; {
		rest := part[len(part)-int(end-at):]
		r, err := c.sendOnce(ctx, http.MethodPut, session, http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%s", at, end-1, total)}}, rest)
		if err == nil && r.StatusCode != http.StatusPermanentRedirect {
			if size < 0 {
				r.Body.Close()
				return o, fmt.Errorf("%w: it ends an upload before its last part", blob.ErrFailed)
			}
			return o, decode(r, &o)
		}
		if err != nil {
			failures++
			if failures == attempts || !again(err) || !pause(ctx, &wait) {
				return o, err
			}
			// How much is there is not known: the store tells.
			r, err = c.send(ctx, http.MethodPut, session, http.Header{"Content-Range": {"bytes */" + total}}, nil)
			if err != nil {
				return o, err
			}
			if r.StatusCode != http.StatusPermanentRedirect {
				return o, decode(r, &o)
			}
		}
		r.Body.Close()
		kept, err := keptBytes(r)
		switch {
		case err != nil || kept < at || kept > end || size >= 0 && kept == end:
			return o, fmt.Errorf("%w: it has kept other bytes of an upload than were sent", blob.ErrFailed)
		case kept == end:
			return o, nil
		case kept == at:
			if failures++; failures >= attempts {
				return o, fmt.Errorf("%w: it keeps nothing of an upload", blob.ErrFailed)
			}
		}
		at = kept
	}
}

// keptBytes returns how many bytes of an unfinished upload the store has.
func keptBytes(r *http.Response) (int64, error) {
	kept := r.Header.Get("Range")
	if kept == "" {
		return 0, nil
	}
	last, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimPrefix(kept, "bytes="), "0-"), 10, 64)
	return last + 1, err
}

// ask sends a request without a body and decodes the answer.
func (c gcsClient) ask(ctx context.Context, address string, into any) error {
	r, err := c.send(ctx, http.MethodGet, address, nil, nil)
	if err != nil {
		return err
	}
	return decode(r, into)
}

func decode(r *http.Response, into any) error {
	defer r.Body.Close()
	return json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(into)
}

// send sends a request that may be repeated, up to attempts times.
func (c gcsClient) send(ctx context.Context, method, address string, header http.Header, body []byte) (*http.Response, error) {
	for n, wait := 1, gcsWait; ; n++ {
		r, err := c.sendOnce(ctx, method, address, header, body)
		if err == nil || n == attempts || !again(err) || !pause(ctx, &wait) {
			return r, err
		}
	}
}

// sendOnce sends a request. An answer is a gcsError unless its status is 2xx, or 308 to a part of an upload.
func (c gcsClient) sendOnce(ctx context.Context, method, address string, header http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	r, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if r.StatusCode/100 == 2 || r.StatusCode == http.StatusPermanentRedirect && header.Get("Content-Range") != "" {
		return r, nil
	}
	defer r.Body.Close()
	var told struct {
		Error struct{ Errors []struct{ Reason string } }
	}
	text, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	_ = json.Unmarshal(text, &told) // the reason is not always there
	failed := &gcsError{status: r.StatusCode}
	if len(told.Error.Errors) > 0 {
		failed.reason = told.Error.Errors[0].Reason
	}
	return nil, failed
}

// again reports whether a request that failed may succeed a little later, as Google's guide on retries says.
func again(err error) bool {
	var answer *gcsError
	if errors.As(err, &answer) {
		return answer.status == http.StatusRequestTimeout || answer.status == http.StatusTooManyRequests || answer.status/100 == 5
	}
	for _, broken := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, broken) {
			return true
		}
	}
	var name *net.DNSError
	return errors.As(err, &name) && name.IsTemporary
}

// pause waits for a random time of up to wait and doubles wait. It reports false if the context has ended.
func pause(ctx context.Context, wait *time.Duration) bool {
	timer := time.NewTimer(cmp.Or(rand.N(*wait), 1))
	defer timer.Stop()
	*wait *= 2
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
