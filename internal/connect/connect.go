// Package connect opens what audiences read: the store that a connection leads to or the landing zone, with the secrets
// of the connection, and the PGP keys of encrypted files. The use cases look into stores by it, and the worker reads
// them.
package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/landing"
	"roster/internal/meta"
	"roster/internal/source"
)

// DefaultSettleAge is how old a file of a folder must be to be taken for whole: files are written into folders piece by
// piece.
const DefaultSettleAge = 2 * time.Second

// CorrectedFolder holds, in a landing zone, the corrected files of resubmits. Runs of folders pass over its name.
const CorrectedFolder = ".resubmitted"

// SourceOpener opens the store that an audience's files lie in: that of a connection, or the landing zone of
// the sandbox when conn is nil. An *audience.Error says what is wrong with the connection; any other error that
// the store cannot be reached. A Store that is an io.Closer is closed after use.
type SourceOpener func(ctx context.Context, scope audience.Scope, conn *audience.Connection) (source.Store, error)

// Store is what an Opener needs of the metadata store.
type Store interface {
	meta.Connections
	meta.Keys
}

// Secrets opens what was sealed for a place; see secret.Ring.
type Secrets interface {
	Open(sealed, place string) ([]byte, error)
}

// Config is what an Opener works with.
type Config struct {
	Store   Store
	Open    SourceOpener
	Secrets Secrets
	Landing *landing.Zones
	// SettleAge is how old a file of a folder must be to be taken for whole; nil means DefaultSettleAge.
	SettleAge *time.Duration
	Clock     func() time.Time // default time.Now
	Log       *slog.Logger     // default none
}

// Opener opens stores. It is safe for concurrent use.
type Opener struct {
	cfg      Config
	uploaded uploaded
}

// New returns an Opener.
func New(cfg Config) *Opener {
	if cfg.SettleAge == nil {
		cfg.SettleAge = new(DefaultSettleAge)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Opener{cfg: cfg}
}

// logOf is the log for lines about what is done in a sandbox.
func (o *Opener) logOf(scope audience.Scope) *slog.Logger {
	return o.cfg.Log.With("organization", scope.Org, "sandbox", scope.Sandbox)
}

// Files is an opened store.
type Files struct{ source.Store }

// Close closes the store, if that can be closed.
func (f Files) Close() {
	if c, ok := f.Store.(io.Closer); ok {
		c.Close()
	}
}

// Open opens a connection's store, or the landing zone when conn is nil. Its errors are *audience.Error unless
// ctx was cancelled.
func (o *Opener) Open(ctx context.Context, scope audience.Scope, conn *audience.Connection) (Files, error) {
	if conn != nil {
		whole, err := o.Unsealed(*conn)
		if err != nil {
			return Files{}, err
		}
		conn = &whole
	}
	src, err := o.cfg.Open(ctx, scope, conn)
	if err == nil {
		return Files{source.Bounded(src)}, nil
	}
	var coded *audience.Error
	if ctx.Err() != nil || errors.As(err, &coded) {
		return Files{}, err
	}
	o.logOf(scope).Error("open a source", "connection", conn != nil, "error", err)
	if conn == nil {
		return Files{}, audience.Errorf(audience.BadGateway, "the landing zone cannot be opened")
	}
	return Files{}, audience.Errorf(audience.BadGateway, "connection %q cannot be opened; check its parameters", conn.Name)
}

// OpenAudience opens the store that an audience's files lie in. An *audience.Error means that it cannot be
// opened as things are; any other error is the metadata store's or ctx's.
func (o *Opener) OpenAudience(ctx context.Context, a *audience.Audience) (Files, error) {
	conn, err := ConnectionOf(ctx, o.cfg.Store, a)
	if errors.Is(err, meta.ErrNotFound) {
		return Files{}, audience.Errorf(audience.Impossible, "base connection %.64q does not exist any more", a.Source.BaseConnectionID)
	}
	if err != nil {
		return Files{}, err
	}
	if (conn == nil || conn.SpecID == audience.SpecLandingZone) && strings.HasPrefix(a.Source.Path+"/", CorrectedFolder+"/") {
		return Files{}, audience.InvalidField("sourceSpec.path", "must not lead into %s, where corrected rows lie until they are read", CorrectedFolder)
	}
	return o.Open(ctx, a.Scope, conn)
}

// ConnectionOf returns the connection of an audience's files, nil for the landing zone without one.
func ConnectionOf(ctx context.Context, r meta.Connections, a *audience.Audience) (*audience.Connection, error) {
	if a.Source.BaseConnectionID == "" {
		return nil, nil
	}
	id, ok := audience.Canonical(a.Source.BaseConnectionID)
	if !ok {
		return nil, meta.ErrNotFound
	}
	conn, err := r.Connection(ctx, a.Scope, id)
	if err != nil {
		return nil, fmt.Errorf("base connection %s: %w", id, err)
	}
	return &conn, nil
}

// Unsealed returns a stored connection with its secrets among its parameters.
func (o *Opener) Unsealed(c audience.Connection) (audience.Connection, error) {
	if c.Sealed == "" {
		return c, nil
	}
	text, err := o.cfg.Secrets.Open(c.Sealed, meta.SealedConnection.Place(string(c.ID)))
	if err != nil {
		return c, fmt.Errorf("connection %s: %w", c.ID, err)
	}
	params := map[string]string{}
	if err := json.Unmarshal(text, &params); err != nil {
		return c, fmt.Errorf("connection %s: its secrets cannot be read", c.ID)
	}
	for name, value := range c.Params {
		params[name] = value
	}
	c.Params, c.Sealed = params, ""
	return c, nil
}
