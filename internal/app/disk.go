package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// troubles explain errors of the operating system to the operator, with what to do.
var troubles = []struct {
	errors []error
	sqlite int // SQLite's code for the same error, 0 if there is none
	text   string
}{
	{[]error{syscall.ENOSPC}, sqlite3.SQLITE_FULL, "the disk is full, or out of inodes; make room and start again"},
	{[]error{syscall.EDQUOT}, 0, "the user's disk quota is used up; raise it or make room, and start again"},
	{[]error{syscall.EFBIG}, 0, "a file reached the maximum size; raise the limit of the user (ulimit -f) or of the file system"},
	{[]error{syscall.EROFS}, sqlite3.SQLITE_READONLY, "the file system or the file is read-only; the server must be able to write to its data directory"},
	{[]error{syscall.EACCES, syscall.EPERM}, 0, "the server's user lacks the permission; make that user the owner of the file or folder (chown -R)"},
	{[]error{syscall.ENOTDIR, syscall.EISDIR}, 0, "a file is in the place of a folder, or a folder in the place of a file; move it away"},
	{[]error{syscall.EMFILE, syscall.ENFILE}, 0, "too many files are open; raise the limit (ulimit -n)"},
	{[]error{syscall.EIO, syscall.ESTALE}, sqlite3.SQLITE_IOERR, "the disk failed to read or write; look at the system's log, and restore a backup on another disk"},
	{nil, sqlite3.SQLITE_CANTOPEN, "a database file cannot be opened or created: the disk is full, out of inodes, or the server may not write to the folder"},
	{nil, sqlite3.SQLITE_CORRUPT, "a database file is damaged; restore the data directory from a backup"},
	{nil, sqlite3.SQLITE_NOTADB, "a file of the data directory is not an SQLite database; restore it from a backup"},
}

// explained puts the explanation of an error of the disk in front of it.
func (a *App) explained(err error) error {
	var locked *LockedError
	var network *net.OpError
	if err == nil || errors.As(err, &locked) || errors.As(err, &network) {
		return err
	}
	where := a.cfg.DataDir
	if file := new(fs.PathError); errors.As(err, &file) {
		where = file.Path
	}
	var database *sqlite.Error
	fromSQLite := errors.As(err, &database)
	for _, t := range troubles {
		found := fromSQLite && t.sqlite != 0 && database.Code()&0xff == t.sqlite
		for _, e := range t.errors {
			found = found || errors.Is(err, e)
		}
		if found {
			return fmt.Errorf("%s: %s (user %d: %w)", where, t.text, os.Geteuid(), err)
		}
	}
	return err
}
