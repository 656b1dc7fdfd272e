package tabular

import (
	"fmt"

	"roster/internal/unpack"
)

// File is a stored file.
type File = unpack.File

// Envelope describes how encrypted files are opened.
type Envelope = unpack.Envelope

func Unreadable(err error) error {
	return &FileError{Code: "READ", Message: "the file cannot be opened", Err: err}
}

func WrongFormat(message string, args ...any) error {
	return &FileError{Code: "FORMAT", Message: fmt.Sprintf(message, args...)}
}
