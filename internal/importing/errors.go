package importing

import (
	"fmt"
	"strings"
)

// UsageError reports that the request is wrong or does not match the file.
type UsageError struct{ err error }

func (e *UsageError) Error() string { return e.err.Error() }
func (e *UsageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// RunError reports that a run failed or was stopped, or that a dry run predicts this.
type RunError struct{ err error }

func (e *RunError) Error() string { return e.err.Error() }
func (e *RunError) Unwrap() error { return e.err }

func runErrorf(format string, args ...any) error { return &RunError{fmt.Errorf(format, args...)} }

// MismatchError reports that an audience differs from the file and the request. It is a usage error.
type MismatchError struct {
	Audience    string
	Differences []string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the audience %q differs from the command: %s.\nA field of an audience with members cannot change", e.Audience, strings.Join(e.Differences, "; "))
}

// missingColumn is the error for an option that names a column that is not in the file.
type missingColumn struct {
	option, name string // the option in the person's spelling
	columns      []string
}

func (e *missingColumn) Error() string {
	return fmt.Sprintf("%s %s: there is no such column; the columns are %s", e.option, e.name, strings.Join(e.columns, ", "))
}
