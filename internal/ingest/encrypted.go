package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"

	"roster/internal/fault"
	"roster/internal/pgp"
	"roster/internal/tabular"
)

// envelope opens the files of a run; nil where none may be encrypted. Corrected rows come by the API and are plain.
func (a *attempt) envelope() *tabular.Envelope {
	if a.spec.Keys == nil {
		return nil
	}
	return a.p.envelope(a.spec.Keys, true, 0)
}

// envelope opens files by the keys. What cannot be read in one go takes so many bytes of the scratch directory at most, 0 for any.
func (p *Pipeline) envelope(keys func(context.Context) (*pgp.Keys, error), demanded bool, most int64) *tabular.Envelope {
	return &tabular.Envelope{Keys: keys, Demanded: demanded, Scratch: func() (*os.File, error) { return scratchFile(p.Scratch) }, MostScratch: most}
}

// scratchFile makes a file that has no name any more, so that it goes with the process whatever happens.
func scratchFile(dir string) (*os.File, error) {
	if err := fault.At("spill.create"); err != nil {
		return nil, fmt.Errorf("create a scratch file: %w", err)
	}
	f, err := os.CreateTemp(dir, spillPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("create a scratch file: %w", err)
	}
	if err := errors.Join(fault.At("spill.create"+fault.Done), os.Remove(f.Name())); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink the scratch file: %w", err), f.Close())
	}
	return f, nil
}
