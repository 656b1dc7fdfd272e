package secret

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	key, err := MasterKey(filepath.Join(dir, "master.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *Ring {
		t.Helper()
		again, err := MasterKey(filepath.Join(dir, "master.key"), false)
		if err != nil || !bytes.Equal(again, key) {
			t.Fatalf("the master key is another one, %v", err)
		}
		r, err := Open(path, key)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	first, err := r.Seal([]byte("hush"), "here")
	if err != nil || strings.Contains(first, "hush") {
		t.Fatal(first, err)
	}
	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	second, err := r.Seal([]byte("hush, too"), "here")
	if err != nil {
		t.Fatal(err)
	}
	r = open()
	for sealed, want := range map[string]string{first: "hush", second: "hush, too"} {
		if got, err := r.Open(sealed, "here"); err != nil || string(got) != want {
			t.Errorf("opened as %q, %v", got, err)
		}
		if _, err := r.Open(sealed, "there"); err == nil {
			t.Error("a secret was opened at another place")
		}
	}
	if _, err := r.Open("rubbish", "here"); err == nil {
		t.Error("rubbish was opened")
	}

	other := bytes.Repeat([]byte{7}, MasterKeySize)
	if _, err := Open(path, other); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("by another master key: %v", err)
	}
	if _, err := Open(path, other[:16]); err == nil {
		t.Error("a short master key is taken")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Errorf("files %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
}

func TestBadMasterKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"short":    {"c2hvcnQ=", 0o600, "not a master key"},
		"no text":  {"", 0o600, "not a master key"},
		"readable": {"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", 0o644, "chmod 600"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := MasterKey(path, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := MasterKey(filepath.Join(dir, "absent"), false); err == nil {
		t.Error("an absent master key was made although nobody asked for it")
	}
}
