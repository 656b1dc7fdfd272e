package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Holder is the process that uses a data directory.
type Holder struct {
	PID int    `json:"pid"`
	URL string `json:"url,omitempty"` // the address of its API, "" before it serves
	// Operator is the address for the operator's commands, which need the token; "" if the process takes none.
	Operator string `json:"operator,omitempty"`
	Token    string `json:"token,omitempty"`
}

// LockedError reports that another process uses the data directory.
type LockedError struct {
	Dir    string
	Holder Holder
}

func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("the data directory %s is in use by another process", e.Dir)
	}
	at := ""
	if e.Holder.URL != "" {
		at = ", whose address is " + e.Holder.URL
	}
	return fmt.Sprintf("the data directory %s is in use by process %d%s", e.Dir, e.Holder.PID, at)
}

// dirLock reserves a data directory for one process. The operating system releases it when the process dies.
type dirLock struct {
	file            *flock.Flock
	path            string
	operator, token string // as in Holder
}

func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, "lock")
	l := &dirLock{file: flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR)), path: path}
	ok, err := l.file.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data directory %s: %w", dir, err)
	}
	if !ok {
		holder, _ := ReadHolder(dir)
		return nil, &LockedError{Dir: dir, Holder: holder}
	}
	if err := l.announce(""); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// announce writes the process id and the address for other processes to read.
func (l *dirLock) announce(url string) error {
	data, err := json.Marshal(Holder{PID: os.Getpid(), URL: url, Operator: l.operator, Token: l.token})
	if err != nil {
		return err
	}
	return os.WriteFile(l.path, append(data, '\n'), 0o600)
}

// release releases the directory. The file stays, because removing it would race with the next process.
func (l *dirLock) release() { _ = l.file.Unlock() }

// ReadHolder returns the last process that announced itself in the data directory. It may have ended.
func ReadHolder(dir string) (Holder, error) {
	var h Holder
	data, err := os.ReadFile(filepath.Join(dir, "lock"))
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(data, &h)
}
