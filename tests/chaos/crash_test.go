package chaos

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"roster/client"
	"roster/tests/rostertest"
)

// TestCrash ends the process while it reads a file: by signals from outside, which say nothing about the file, and by
// crashes. After two crashes the run has failed and names the file. It is not tried again, and the next run succeeds.
func TestCrash(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signals []os.Signal
		failed  bool
	}{
		"kills":           {[]os.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGQUIT, syscall.SIGKILL}, false},
		"a fault":         {[]os.Signal{syscall.SIGSEGV, syscall.SIGKILL}, false},
		"faults":          {[]os.Signal{syscall.SIGSEGV, syscall.SIGSEGV}, true},
		"faults and kill": {[]os.Signal{syscall.SIGSEGV, syscall.SIGKILL, syscall.SIGSEGV}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			data, file := filepath.Join(dir, "data"), filepath.Join(dir, "people.csv")
			write(t, file, 600_000, 0)
			for _, s := range c.signals {
				strike(t, data, file, s)
			}
			out, err := rostertest.ImportCommand(t.Context(), t, data, file, "mail=Email", "--full").CombinedOutput()
			if c.failed && err != nil { // the command found the run before it failed; otherwise the command has started the next run
				out, err = rostertest.ImportCommand(t.Context(), t, data, file, "mail=Email", "--full").CombinedOutput()
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			check := serve(t, data)
			var failed []string
			for _, r := range runs(t, check) {
				switch {
				case r.Status == client.Failed && r.Error != nil:
					failed = append(failed, r.Error.Detail)
				case r.Status != client.Success:
					t.Errorf("run %s is %s", r.RunID, r.Status)
				}
			}
			if (len(failed) == 1) != c.failed || len(failed) > 1 {
				t.Errorf("failed: %q", failed)
			}
			for _, why := range failed {
				if !strings.Contains(why, "ended 2 times") || !strings.Contains(why, "people.csv") || !strings.Contains(why, "not tried again") {
					t.Error(why)
				}
			}
		})
	}
}

// strike starts an import and sends its process a signal when it reads the file.
func strike(t *testing.T, data, file string, s os.Signal) {
	t.Helper()
	var said bytes.Buffer
	cmd := rostertest.ImportCommand(t.Context(), t, data, file, "mail=Email", "--full")
	cmd.Stdout, cmd.Stderr = &said, &said
	reading := filepath.Join(data, "reading")
	before, _ := os.Stat(reading)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			t.Fatalf("the command ended before it read the file: %v\n%s", err, said.String())
		case <-tick.C:
		}
		// The previous process left both files, too.
		words, _ := os.ReadFile(filepath.Join(data, "crash.log"))
		noted, _ := os.ReadFile(reading)
		if now, err := os.Stat(reading); err != nil || before != nil && now.ModTime().Equal(before.ModTime()) {
			continue
		}
		if bytes.Contains(words, fmt.Appendf(nil, "/%d/", cmd.Process.Pid)) && bytes.Contains(noted, []byte(filepath.Base(file))) {
			break
		}
	}
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// runs lists the runs of the only audience.
func runs(t *testing.T, c *client.Client) []client.Run {
	t.Helper()
	all, err := c.Audiences(t.Context(), "", 10)
	if err != nil || len(all.Audiences) != 1 {
		t.Fatal(all, err)
	}
	list, err := c.Runs(t.Context(), all.Audiences[0].AudienceID, url.Values{"limit": {"40"}})
	if err != nil {
		t.Fatal(err)
	}
	return list.Runs
}
