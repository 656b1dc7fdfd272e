package abuse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// attackers are the functions that TestMain calls instead of the tests if elsewhereEnv names one. The argument is the
// server's address.
var attackers = map[string]func(host string) error{"frames": floodWithFrames}

const elsewhereEnv = "ROSTER_ABUSE_ATTACKER"

// elsewhere runs an attacker as a separate process with the lowest priority, because real attackers use their own
// processors: the attack must not slow the server or the look-ups. The returned function waits for the attacker to end.
func elsewhere(t *testing.T, attacker, host string) (wait func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), elsewhereEnv+"="+attacker+" "+host)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, 19); err != nil {
		t.Error(err)
	}
	return func() {
		t.Helper()
		defer cancel()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", attacker, err, out.Bytes())
		}
	}
}

// attack runs the attacker that elsewhere started this process for, if any.
func attack() (status int, attacks bool) {
	name, host, ok := strings.Cut(os.Getenv(elsewhereEnv), " ")
	if !ok {
		return 0, false
	}
	if err := attackers[name](host); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// floodWithFrames floods a server over two connections of each kind. It fails if a connection stays open.
func floodWithFrames(host string) error {
	fields := func(extra ...string) []byte {
		var b bytes.Buffer
		e := hpack.NewEncoder(&b)
		pairs := append([]string{":method", "POST", ":path", "/ims/token/v3", ":scheme", "http", ":authority", "roster"}, extra...)
		for i := 0; i < len(pairs); i += 2 {
			e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
		return b.Bytes()
	}
	floods := map[string]func(f *http2.Framer, i uint32) error{
		"rapid resets": func(f *http2.Framer, i uint32) error {
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: fields(), EndHeaders: true}); err != nil {
				return err
			}
			return f.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		},
		"pings":    func(f *http2.Framer, _ uint32) error { return f.WritePing(false, [8]byte{}) },
		"settings": func(f *http2.Framer, _ uint32) error { return f.WriteSettings() },
		"continuations": func(f *http2.Framer, i uint32) error {
			if i == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields()})
			}
			return f.WriteContinuation(1, false, fields(fmt.Sprint("x-", i), strings.Repeat("x", 1000)))
		},
		"empty data": func(f *http2.Framer, i uint32) error {
			if i == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(), EndHeaders: true})
			}
			return f.WriteData(1, false, nil)
		},
		"bodies that stop": func(f *http2.Framer, i uint32) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: fields("content-length", "100"), EndHeaders: true})
		},
		"windows of a byte": func(f *http2.Framer, i uint32) error {
			if i == 0 {
				return f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
			}
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: fields(), EndHeaders: true, EndStream: true})
		},
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for name, flood := range floods {
		for range 2 {
			c, err := net.Dial("tcp", host)
			if err != nil {
				return err
			}
			defer c.Close()
			wg.Go(func() {
				if err := floodConnection(c, flood); err != nil {
					mu.Lock()
					failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	return failed
}

// floodConnection sends frames until the server closes the connection, as it must.
func floodConnection(c net.Conn, flood func(f *http2.Framer, i uint32) error) error {
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return nil
	}
	go io.Copy(io.Discard, c)
	f := http2.NewFramer(c, c)
	f.AllowIllegalWrites = true
	err := f.WriteSettings()
	c.SetWriteDeadline(time.Now().Add(2 * time.Minute))
	for i := uint32(0); err == nil && i < 2_000_000; i++ {
		err = flood(f, i)
	}
	if err == nil || strings.Contains(err.Error(), "timeout") {
		return fmt.Errorf("the connection was not ended: %v", err)
	}
	return nil
}
