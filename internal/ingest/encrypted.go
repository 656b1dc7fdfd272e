package ingest

import (
	"errors"
	"fmt"
	"os"

	"roster/internal/fault"
	"roster/internal/pgp"
	"roster/internal/tabular"
)

// envelope returns the decryption of a run's files, or nil if encrypted files are not allowed. Corrected rows come
// through the API and are not encrypted.
func (a *attempt) envelope() *tabular.Envelope {
	if a.spec.Keys == nil {
		return nil
	}
	return a.p.envelope(a.spec.Keys, true, 0)
}

// envelope returns the decryption with the given keys. Content that cannot be read sequentially needs at most most
// bytes in the scratch directory; 0 means no limit.
func (p *Pipeline) envelope(keys pgp.KeyLoader, demanded bool, most int64) *tabular.Envelope {
	return &tabular.Envelope{Keys: keys, Demanded: demanded, Scratch: func() (*os.File, error) { return scratchFile(p.Scratch) }, MostScratch: most}
}

// scratchFile creates a file and removes its name, so the system removes the file when the process ends.
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
