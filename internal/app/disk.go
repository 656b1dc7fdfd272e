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

// troubles say what an error of the operating system means to the operator, and what there is to do.
var troubles = []struct {
	errors []error
	sqlite int // the code of SQLite for the same, 0 for none
	text   string
}{
	{[]error{syscall.ENOSPC}, sqlite3.SQLITE_FULL, "the disk is full, or out of inodes; make room and start again"},
	{[]error{syscall.EDQUOT}, 0, "the user's quota of the disk is used up; raise it or make room, and start again"},
	{[]error{syscall.EFBIG}, 0, "a file may not become so long; raise the limit of the user (ulimit -f) or of the file system"},
	{[]error{syscall.EROFS}, sqlite3.SQLITE_READONLY, "the file system or the file is read-only; the server has to write to its data directory"},
	{[]error{syscall.EACCES, syscall.EPERM}, 0, "the server's user may not do this; give the file or folder to that user (chown -R)"},
	{[]error{syscall.ENOTDIR, syscall.EISDIR}, 0, "there is a file where a folder has to be, or the other way round; move it away"},
	{[]error{syscall.EMFILE, syscall.ENFILE}, 0, "too many files are open; raise the limit (ulimit -n)"},
	{[]error{syscall.EIO, syscall.ESTALE}, sqlite3.SQLITE_IOERR, "the disk does not read or write; look at the system's log, and restore a backup on a sound disk"},
	{nil, sqlite3.SQLITE_CANTOPEN, "a database file cannot be opened or made: its folder is full, out of inodes, or not the server's to write to"},
	{nil, sqlite3.SQLITE_CORRUPT, "a database file is damaged; restore the data directory from a backup"},
	{nil, sqlite3.SQLITE_NOTADB, "a file of the data directory is no database of SQLite; restore it from a backup"},
}

// explained puts what an error of the disk means in front of it.
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
