package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// onTerminal runs a command on a terminal with a number of columns and returns what the terminal shows.
func (n *newcomer) onTerminal(columns uint16, env, line string) string {
	n.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		n.Skip("no terminals here: ", err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns})
	}
	if err != nil {
		n.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		n.Fatal(err)
	}
	cmd := n.command(strings.Fields(line)...)
	cmd.Env = append(slices.DeleteFunc(cmd.Env, func(v string) bool {
		return strings.HasPrefix(v, "TERM=") || strings.HasPrefix(v, "NO_COLOR=") || strings.HasPrefix(v, "COLUMNS=")
	}), strings.Fields(env)...)
	cmd.Stdout, cmd.Stderr = slave, slave
	if err := cmd.Start(); err != nil {
		n.Fatal(err)
	}
	slave.Close()
	var shown bytes.Buffer
	_, _ = io.Copy(&shown, master) // returns an error when the command has closed the terminal
	if err := cmd.Wait(); err != nil {
		n.Fatalf("roster %s: %v\n%s", line, err, shown.String())
	}
	return shown.String()
}

var percent = regexp.MustCompile(`(\d+)%`)

// TestProgress imports a file through a server on several kinds of terminal. A single bar shows the progress from the
// upload to the end of the run.
func TestProgress(t *testing.T) {
	n := newNewcomer(t)
	s := serve(t)
	n.file("people.csv", manyPeople(300_000))
	credentials := s.data + "/credentials.json"
	line := "import people.csv --name %s --identity mail=Email --server " + s.url + " --credentials " + credentials
	shown := n.onTerminal(120, "TERM=xterm", fmt.Sprintf(line, "shown"))
	last := 0
	for _, m := range percent.FindAllStringSubmatch(shown, -1) {
		now, err := strconv.Atoi(m[1])
		if err != nil || now < last {
			t.Errorf("the bar goes back from %d to %s", last, m[1])
		}
		last = now
	}
	if !strings.Contains(shown, "\x1b[") || !strings.Contains(shown, "uploading") || last == 0 {
		t.Errorf("no bar is drawn:\n%q", shown)
	}
	for name, env := range map[string]string{"dumb": "TERM=dumb", "plain": "TERM=xterm NO_COLOR=1"} {
		if shown := n.onTerminal(120, env, fmt.Sprintf(line, name)); strings.ContainsAny(strings.ReplaceAll(shown, "\r\n", "\n"), "\x1b\r") {
			t.Errorf("%s: something is redrawn:\n%q", env, shown)
		}
	}
	code, stdout, stderr := finish(t, n.command(strings.Fields(fmt.Sprintf(line, "piped"))...))
	if code != 0 || strings.ContainsAny(stdout+stderr, "\x1b\r") {
		t.Errorf("without a terminal: exit code %d, %q%q", code, stdout, stderr)
	}
}

// TestHelp checks the help of every command on a narrow terminal.
func TestHelp(t *testing.T) {
	n := newNewcomer(t)
	for _, width := range []int{50, 100} {
		for _, c := range append(n.commands(), "", "audience", "client") {
			example := false
			for line := range strings.SplitSeq(n.onTerminal(uint16(width), "TERM=xterm", c+" --help"), "\r\n") {
				if example = line == "Examples:" || example && line != ""; !example && utf8.RuneCountInString(line) > width {
					t.Errorf("roster %s --help, %d columns: %q has %d", c, width, line, utf8.RuneCountInString(line))
				}
			}
		}
	}
	help, last := n.run(0, "import --help"), 0
	for _, title := range []string{"Audience:", "Source format:", "Columns:", "Identity:", "Run and guards:", "Server:", "Output:"} {
		at := strings.Index(help, "\n\n"+title+"\n")
		if at < last {
			t.Errorf("%s is at %d, behind %d", title, at, last)
		}
		last = at
	}
	if _, rest, _ := strings.Cut(n.run(0, "serve --help"), "\nFlags:\n"); strings.Index(rest, "\n\n") != strings.Index(rest, "\n\nServer:") {
		t.Errorf("serve has flags of no group:\n%.300s", rest)
	}
}
