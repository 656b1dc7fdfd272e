package unpack

import (
	"archive/zip"
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"

	"roster/internal/audience"
)

// maxNames is the number of files of an archive that an error names.
const maxNames = 5

// maxSkipped is the number of skipped files of an archive that are reported.
const maxSkipped = 100

// OpenZip opens the only data file in a zip file, and reads the zip file by ranges. It also returns the names of the
// other files, which contain no data. Errors are *Error or those of the file.
func OpenZip(ctx context.Context, f File) (r io.ReadCloser, skipped []string, err error) {
	ranges := &ranges{ctx: ctx, file: f}
	member, skipped, err := onlyMember(ranges, f.Size)
	if err != nil {
		ranges.close()
		return nil, nil, err
	}
	return &zipReader{ReadCloser: ahead(&output{method: Zip, in: &ranges.input, stored: cmp.Or(f.packed, f.Size), bombSize: bombSize, open: func() (io.Reader, func(), error) {
		r, err := member.Open()
		if err != nil {
			return nil, nil, err
		}
		return &toEnd{r: r, ranges: ranges}, func() { r.Close() }, nil
	}}), ranges: ranges}, skipped, nil
}

// onlyMember finds the only data file in an archive's directory, and returns the names of the others.
func onlyMember(r *ranges, size int64) (only *zip.File, skipped []string, err error) {
	if err := checkDirectory(r, size); err != nil {
		return nil, nil, err
	}
	directory := &directoryReader{ranges: r, left: maxZipDirectory}
	archive, err := zip.NewReader(directory, size)
	directory.left = -1
	switch {
	case r.input.err != nil:
		return nil, nil, r.input.err
	case directory.over:
		return nil, nil, &Error{Zip, fmt.Sprintf("has a directory of more than %d MiB, of many files; unpack it", maxZipDirectory>>20)}
	case err != nil:
		return nil, nil, &Error{Zip, fmt.Sprintf("has no directory at its end (%s): it is cut off or damaged; upload it again, whole", err)}
	}
	archive.RegisterDecompressor(zip.Deflate, func(r io.Reader) io.ReadCloser {
		return flate.NewReader(bufio.NewReaderSize(r, inBuffer))
	})
	var members []*zip.File
	for _, m := range archive.File {
		switch {
		case strings.HasSuffix(m.Name, "/"):
		case strings.HasPrefix(m.Name, "__MACOSX/"):
			skipped = append(skipped, m.Name)
		default:
			members = append(members, m)
		}
	}
	if slices.ContainsFunc(members, func(m *zip.File) bool { return m.Name == "[Content_Types].xml" || m.Name == "META-INF/manifest.xml" }) {
		return nil, nil, &Error{Zip, "is a spreadsheet or a document of an office program; save it as CSV"}
	}
	if len(members) > 1 {
		members = slices.DeleteFunc(members, func(m *zip.File) bool {
			beside := strings.HasPrefix(path.Base(m.Name), ".") || path.Base(m.Name) == "_SUCCESS" || audience.Incidental(m.Name) != ""
			if beside {
				skipped = append(skipped, m.Name)
			}
			return beside
		})
	}
	switch {
	case len(members) == 0:
		return nil, nil, &Error{Zip, "has no file in it"}
	case len(members) > 1:
		return nil, nil, &Error{Zip, fmt.Sprintf("must have one file in it, but has %d: %s; unpack it", len(members), nameList(members))}
	}
	const encrypted = 1
	switch m := members[0]; {
	case m.Flags&encrypted != 0:
		return nil, nil, &Error{Zip, "is encrypted; zip it without a password"}
	case m.Method != zip.Store && m.Method != zip.Deflate:
		return nil, nil, &Error{Zip, fmt.Sprintf("is compressed by method %d, which is not supported; zip it with deflate", m.Method)}
	}
	return members[0], skipped[:min(len(skipped), maxSkipped)], nil
}

func nameList(members []*zip.File) string {
	var names []string
	for _, m := range members[:min(len(members), maxNames)] {
		names = append(names, fmt.Sprintf("%.64q", m.Name))
	}
	list := strings.Join(names, ", ")
	if len(members) > maxNames {
		list += ", …"
	}
	return list
}

// zipReader ends the reading of ranges after the decompression.
type zipReader struct {
	io.ReadCloser
	ranges *ranges
}

func (z *zipReader) Close() error {
	err := z.ReadCloser.Close()
	z.ranges.close()
	return err
}

// toEnd reads a member and then the rest of the stored file. Only the end of the stored file shows that the file has
// not changed.
type toEnd struct {
	r      io.Reader
	ranges *ranges
}

func (t *toEnd) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err == io.EOF {
		if rest := t.ranges.drain(); rest != nil {
			return n, rest
		}
	}
	return n, err
}

// ranges reads a file at any offset. A range extends to the end of the file, so sequential reads use the same range.
type ranges struct {
	ctx   context.Context
	file  File
	input input // the current range
	body  io.Closer
	at    int64
}

// ReadAt implements io.ReaderAt, for one goroutine at a time.
func (s *ranges) ReadAt(p []byte, at int64) (n int, err error) {
	if s.body == nil || s.at != at {
		s.close()
		body, err := s.file.Open(s.ctx, at, -1)
		if err != nil {
			s.input.err = err
			return 0, err
		}
		s.input.r, s.body, s.at = body, body, at
	}
	n, err = io.ReadFull(&s.input, p)
	s.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// drain reads to the end of the file.
func (s *ranges) drain() error {
	if s.body == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, &s.input)
	return err
}

func (s *ranges) close() {
	if s.body != nil {
		s.body.Close()
		s.body = nil
	}
}
