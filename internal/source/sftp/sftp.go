// Package sftp reads folders of SFTP servers. The server's key is pinned: an unknown key is refused, with an error that
// shows its fingerprint.
package sftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"roster/internal/blob"
	"roster/internal/blob/ahead"
	"roster/internal/source"
)

// Config is the address of a server and the credentials: a password or a private key.
type Config struct {
	Host       string
	Port       int // 0 means 22
	User       string
	Password   string
	PrivateKey string // PEM, or PEM in base64
	PassPhrase string // of the private key
	HostKey    string // the server's key: its fingerprint, SHA256:…, or a line of a known_hosts file
	Folder     string // the root of all paths; "" is the user's initial folder
	Dial       func(ctx context.Context, network, address string) (net.Conn, error)
}

// Store is a folder of a server.
type Store struct {
	cfg    Config
	auth   []ssh.AuthMethod
	mu     sync.Mutex
	client *sftp.Client // nil before the first use, and after the connection is lost
	conn   *ssh.Client
}

var _ source.Linked = (*Store)(nil)

// Open parses the credentials. It does not contact the server.
func Open(c Config) (*Store, error) {
	s := &Store{cfg: c}
	if c.PrivateKey != "" {
		signer, err := parseKey(c.PrivateKey, c.PassPhrase)
		if err != nil {
			return nil, err
		}
		s.auth = append(s.auth, ssh.PublicKeys(signer))
	}
	if c.Password != "" {
		// Servers that ask for the password with their own questions accept it only in this way.
		s.auth = append(s.auth, ssh.Password(c.Password), ssh.KeyboardInteractive(func(_, _ string, questions []string, shown []bool) ([]string, error) {
			return answers(c.Password, questions, shown), nil
		}))
	}
	return s, nil
}

// Close implements io.Closer.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hangUp()
}

func (s *Store) hangUp() error {
	if s.client == nil {
		return nil
	}
	err := errors.Join(s.client.Close(), s.conn.Close())
	s.client, s.conn = nil, nil
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		err = nil // the server closed it first
	}
	return err
}

// connect returns the connection, and makes a new one if there is none.
func (s *Store) connect(ctx context.Context) (*sftp.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		return s.client, nil
	}
	port := s.cfg.Port
	if port == 0 {
		port = 22
	}
	address := net.JoinHostPort(s.cfg.Host, strconv.Itoa(port))
	var refused error
	for asked := []string(nil); ; {
		shown, err := s.login(ctx, address, asked)
		switch {
		case err == nil:
			return s.client, nil
		case shown == nil && refused != nil:
			return nil, refused // the server has no other keys
		case shown == nil || s.cfg.HostKey == "":
			return nil, err
		}
		// The server may have the pinned key in addition to the one that it prefers.
		refused = cmp.Or(refused, err)
		asked = without(asked, shown.Type())
	}
}

// do calls the server. It replaces a lost connection once.
func (s *Store) do(ctx context.Context, name string, fn func(*sftp.Client) error) error {
	for again := true; ; again = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := s.connect(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return failure(name, err)
		}
		stop := context.AfterFunc(ctx, func() { s.lost(c) }) // calls cannot be cancelled in another way
		err = fn(c)
		stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if again && cutOff(err) {
			s.lost(c)
			continue
		}
		return failure(name, err)
	}
}

// cutOff reports whether an error means that the connection is lost. It does not include the end of a file: see part.
func cutOff(err error) bool {
	var inNet *net.OpError
	return errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &inNet)
}

// lost closes a connection that is no longer usable.
func (s *Store) lost(c *sftp.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == c {
		_ = s.hangUp()
	}
}

// failure translates an error of a server.
func failure(name string, err error) error {
	var status *sftp.StatusError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, source.ErrCredentials), errors.Is(err, source.ErrNotExist), errors.Is(err, source.ErrOutside), errors.Is(err, source.ErrChanged),
		errors.Is(err, source.ErrFailed):
		return fmt.Errorf("%q: %w", name, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%q: %w", name, source.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%q: %w", name, source.ErrPermission)
	case errors.As(err, &status):
		return fmt.Errorf("%q: %w: it answers with %s", name, source.ErrFailed, status.FxCode())
	case errors.Is(err, sftp.ErrSSHFxConnectionLost):
		return fmt.Errorf("%q: %w: the connection was interrupted", name, source.ErrFailed)
	}
	return fmt.Errorf("%q: %w", name, blob.Unanswered(err))
}

// at returns the path on the server.
func (s *Store) at(name string) string {
	if at := path.Join(s.cfg.Folder, name); at != "" {
		return at
	}
	return "."
}

// clean checks a path and each of its components, as for a local folder, and returns the file or folder at the path.
func (s *Store) clean(c *sftp.Client, name string) (fs.FileInfo, error) {
	if name == "" {
		return c.Stat(s.at(""))
	}
	if !fs.ValidPath(name) || name == "." || strings.Contains(name, "\x00") {
		return nil, source.ErrOutside
	}
	var info fs.FileInfo
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if info != nil && !info.IsDir() {
			return nil, source.ErrNotExist
		}
		var err error
		if info, err = c.Lstat(s.at(name[:i])); err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, source.ErrOutside
		}
	}
	return info, nil
}

func object(name string, info fs.FileInfo) source.Object {
	return source.Object{Path: name, Size: info.Size(), Modified: info.ModTime(), Version: version(info), Link: info.Mode()&fs.ModeSymlink != 0}
}

// version consists of all that the protocol tells about a file's content: its size and the second of its last change. A
// file that changes within that second and keeps its size has the same version; the settle age keeps runs from reading
// such files.
func version(info fs.FileInfo) string {
	return fmt.Sprintf("%x-%x", info.Size(), info.ModTime().Unix())
}

// Stat implements source.Store.
func (s *Store) Stat(ctx context.Context, name string) (o source.Object, err error) {
	err = s.do(ctx, name, func(c *sftp.Client) error {
		info, err := s.clean(c, name)
		if err == nil && !info.Mode().IsRegular() {
			err = source.ErrNotExist
		}
		if err == nil {
			o = object(name, info)
		}
		return err
	})
	return o, err
}

// List implements source.Store.
func (s *Store) List(ctx context.Context, folder string, fn func(source.Object) error) error {
	return s.ListLinks(ctx, folder, source.WithoutLinks(fn))
}

// ListLinks implements source.Linked.
func (s *Store) ListLinks(ctx context.Context, folder string, fn func(source.Object) error) error {
	if err := s.isFolder(ctx, folder); err != nil {
		return err
	}
	return blob.Stopped(s.walk(ctx, folder, fn))
}

func (s *Store) isFolder(ctx context.Context, name string) error {
	return s.do(ctx, name, func(c *sftp.Client) error {
		info, err := s.clean(c, name)
		if err == nil && !info.IsDir() {
			err = source.ErrNotExist
		}
		return err
	})
}

// Browse implements source.Store.
func (s *Store) Browse(ctx context.Context, folder string, fn func(o source.Object, folder bool) error) error {
	if err := s.isFolder(ctx, folder); err != nil {
		return err
	}
	return blob.Stopped(s.browse(ctx, folder, func(o source.Object, deeper bool) error {
		if o.Link {
			return nil
		}
		return fn(o, deeper)
	}))
}

// walk lists one folder and those below it.
func (s *Store) walk(ctx context.Context, folder string, fn func(source.Object) error) error {
	return s.browse(ctx, folder, func(o source.Object, deeper bool) error {
		if !deeper {
			return fn(o)
		}
		err := s.walk(ctx, o.Path, fn)
		if errors.Is(err, source.ErrNotExist) {
			return nil // removed since its folder was listed
		}
		return err
	})
}

// browse lists one folder. A folder sorts as its name with a slash, like the paths below it.
func (s *Store) browse(ctx context.Context, folder string, fn func(o source.Object, folder bool) error) error {
	var entries []os.FileInfo
	err := s.do(ctx, folder, func(c *sftp.Client) (err error) {
		entries, err = c.ReadDirContext(ctx, s.at(folder))
		return err
	})
	if err != nil {
		return err
	}
	key := func(e os.FileInfo) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b os.FileInfo) int { return strings.Compare(key(a), key(b)) })
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		switch {
		case e.IsDir():
			err = fn(source.Object{Path: name}, true)
		case e.Mode().IsRegular(), e.Mode()&fs.ModeSymlink != 0:
			err = fn(object(name, e), false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Open implements source.Store. Each part opens the file anew, which must be the pinned version before and after the
// read.
func (s *Store) Open(ctx context.Context, obj source.Object, offset, length int64) (io.ReadCloser, error) {
	end := obj.Size
	if length >= 0 {
		end = min(end, offset+length)
	}
	err := s.do(ctx, obj.Path, func(c *sftp.Client) error {
		info, err := s.clean(c, obj.Path)
		if err == nil && version(info) != obj.Version {
			err = source.ErrChanged
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return ahead.Read(ctx, offset, end, func(ctx context.Context, offset int64, part []byte) (n int, err error) {
		err = s.do(ctx, obj.Path, func(c *sftp.Client) (err error) {
			n, err = s.part(c, obj, offset, part)
			return err
		})
		return n, err
	}), nil
}

func (s *Store) part(c *sftp.Client, obj source.Object, offset int64, part []byte) (int, error) {
	f, err := c.Open(s.at(obj.Path))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := same(f, obj); err != nil {
		return 0, err
	}
	n, err := f.ReadAt(part, offset)
	switch {
	case n == len(part):
		err = same(f, obj)
	case err == io.EOF: // the end that the server reports; a lost connection wraps io.EOF in another error
		err = source.ErrChanged
	}
	if err != nil {
		n = 0 // the data may belong to another version
	}
	return n, err
}

// same checks that an open file is the pinned version.
func same(f *sftp.File, obj source.Object) error {
	info, err := f.Stat()
	if err == nil && version(info) != obj.Version {
		err = source.ErrChanged
	}
	return err
}
