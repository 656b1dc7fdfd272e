package ingest

import (
	"cmp"
	"slices"
	"sync"

	"roster/internal/audience"
	"roster/internal/reject"
	"roster/internal/tabular"
)

const (
	// rejectSamples is the number of a run's rejects that are shown with the run.
	rejectSamples = 20
	// heldRejects is the size of the rejects that are collected and sorted before a write, in bytes, if the run's
	// memory allows that much.
	heldRejects = 16 << 20
)

// rejects writes a run's rejects to one Parquet file beside the dataset. The first reject creates the file. The rejects
// are sorted by file and line. If there are more than heldRejects bytes, each section of that size is sorted
// separately. The methods are safe for concurrent use.
type rejects struct {
	run     *attempt
	mu      sync.Mutex
	held    []fileReject
	size    int // bytes of the held rejects
	w       *reject.Writer
	path    string
	samples []audience.RejectSample
}

type fileReject struct {
	file int // index in the manifest
	tabular.Reject
}

func byPlace(a, b fileReject) int {
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Offset, b.Offset))
}

// add records rejects of the index-th file of the manifest.
func (r *rejects) add(index int, list []tabular.Reject) error {
	if len(list) == 0 {
		return nil
	}
	keepRaw := r.run.spec.Audience.KeepRejectedRows
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range list {
		if !keepRaw {
			x.Raw = nil
		}
		r.held = append(r.held, fileReject{index, x})
		r.size += reject.Size(x.Raw)
		if r.size < heldRejects && int64(r.size) < r.run.share.Base/4 {
			continue
		}
		if err := r.write(); err != nil {
			return err
		}
	}
	return nil
}

// write sorts and writes the held rejects.
func (r *rejects) write() (err error) {
	if len(r.held) == 0 {
		return nil
	}
	if r.w == nil {
		if r.w, err = reject.Create(r.run.dataset, r.run.dir); err != nil {
			return err
		}
		r.path = r.w.Location()
	}
	slices.SortStableFunc(r.held, byPlace)
	r.sample()
	for _, x := range r.held {
		f := r.run.files[x.file]
		err := r.w.Add(audience.RejectedRow{File: f.Path, Version: f.Version, Line: x.Line, Lines: x.Lines, Offset: x.Offset, Column: x.Column, Code: x.Code, Reason: x.Reason, Raw: x.Raw})
		if err != nil {
			return err
		}
	}
	if err := r.w.EndGroup(); err != nil {
		return err
	}
	clear(r.held)
	r.held, r.size = r.held[:0], 0
	return nil
}

// sample keeps the first of the held rejects, which are sorted, and of the earlier samples.
func (r *rejects) sample() {
	for _, x := range r.held[:min(len(r.held), rejectSamples)] {
		r.samples = append(r.samples, audience.RejectSample{File: r.run.files[x.file].Path, Line: x.Line, Column: x.Column, Code: x.Code, Reason: x.Reason})
	}
	slices.SortStableFunc(r.samples, func(a, b audience.RejectSample) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	r.samples = r.samples[:min(len(r.samples), rejectSamples)]
}

// close ends the file, makes it durable, and adds its location and the samples to the result. A second call writes
// nothing.
func (r *rejects) close(result *audience.RunResult) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write(); err != nil {
		return err
	}
	if w := r.w; w != nil {
		r.w = nil
		if err := w.Close(); err != nil {
			return err
		}
	}
	result.RejectsPath, result.Rejects = r.path, r.samples
	return nil
}

// abort closes the file of a failed attempt.
func (r *rejects) abort() {
	if r.w != nil {
		r.w.Close()
		r.w = nil
	}
}
