package importing

import (
	"fmt"
	"strings"
)

// UsageError says that the import cannot be done as it was asked for.
type UsageError struct{ err error }

func (e *UsageError) Error() string { return e.err.Error() }
func (e *UsageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// RunError says that a run failed or was stopped, or that it would be.
type RunError struct{ err error }

func (e *RunError) Error() string { return e.err.Error() }
func (e *RunError) Unwrap() error { return e.err }

func runErrorf(format string, args ...any) error { return &RunError{fmt.Errorf(format, args...)} }

// MismatchError says that an audience is not what the file and the request describe. It is a usage error.
type MismatchError struct {
	Audience    string
	Differences []string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the audience %q is not what the command says: %s.\nA field of an audience with members cannot change", e.Audience, strings.Join(e.Differences, "; "))
}

// missingColumn is the error about a column that an option names and the file does not have.
type missingColumn struct {
	option, name string // the option as the person knows it
	columns      []string
}

func (e *missingColumn) Error() string {
	return fmt.Sprintf("%s %s: there is no such column; the columns are %s", e.option, e.name, strings.Join(e.columns, ", "))
}
