package abuse

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// cpu returns the processor time that the process has used.
func (s *server) cpu() time.Duration {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		s.t.Fatalf("/proc/%d/stat: %q", s.cmd.Process.Pid, data)
	}
	const tick = 10 * time.Millisecond
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// validation is the request body of a look at a file.
func validation(connection, path, kind, fields, more string) string {
	return fmt.Sprintf(`{"rows":10000,"preview":true,"fields":%s,"sourceSpec":{"path":%q,"type":%q,"sourceType":"Cloud Storage","baseConnectionId":%q%s}}`, fields, path, kind, connection, more)
}

// header returns a number of column names, each of a number of bytes.
func header(columns, size int, parted string) string {
	names := make([]string, columns)
	for i := range names {
		names[i] = fmt.Sprintf("%0*d", size, i) + "x"
	}
	return "email" + parted + strings.Join(names, parted) + "\n"
}

// hostileFiles are files that make a look at them as expensive as possible.
func hostileFiles() map[string]string {
	wide := "a@example.com" + strings.Repeat(",2025-05-13T10:00:00", 9999) + "\n"
	numbers := "a@example.com" + strings.Repeat(",1", 9999) + "\n"
	object := func(value string) string {
		var b strings.Builder
		b.WriteString(`{"email":"a@example.com"`)
		for i := range 9998 {
			fmt.Fprintf(&b, `,"%d":%s`, i, value)
		}
		return b.String() + "}\n"
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, "email\n")
	for range 256 {
		z.Write(bytes.Repeat([]byte{'\n'}, 1<<20))
	}
	z.Close()
	return map[string]string{
		"header of 57 KiB":        header(9999, 4, ",") + "a@example.com\n",
		"header of 1 MiB":         header(9999, 104, ",") + "a@example.com\n",
		"header of 15 MiB":        header(9999, 1500, ",") + "a@example.com\n",
		"100,000 columns":         header(100_000, 9, ","),
		"wide rows of times":      header(9999, 4, ",") + strings.Repeat(wide, 200),
		"wide rows of numbers":    header(9999, 4, ",") + strings.Repeat(numbers, 2000),
		"empty columns":           header(9999, 4, ",") + strings.Repeat(strings.Repeat(",", 9999)+"\n", 3000),
		"no delimiter":            strings.Repeat("x", 15<<20),
		"rare marks":              strings.Repeat("^~: \x01\x1f", 1<<20),
		"apostrophes and slashes": header(5000, 4, ",") + strings.Repeat(strings.Repeat(`'\',"\""`, 900)+"\n", 2000),
		"a quote that stays open": "email,x\na@example.com,\"" + strings.Repeat("x\n", 15<<19),
		"blank lines":             "email\n" + strings.Repeat("\n", 64<<20),
		"gzip of blank lines":     zipped.String(),
		"objects of numbers":      strings.Repeat(object("1"), 300),
		"objects of nothing":      strings.Repeat(object("null"), 300),
		"objects of other keys":   manyKeys(),
		"deep JSON":               `{"email":"a@example.com","x":` + strings.Repeat(`{"a":`, 990) + "1" + strings.Repeat("}", 991) + "\n" + `{"email":` + strings.Repeat("[", 1<<20),
		"an array of arrays":      "[" + strings.Repeat("[],", 5<<20) + "[]]",
		"long values":             "email,x\n" + strings.Repeat("a@example.com,"+strings.Repeat("9", 1<<20)+"\n", 40),
	}
}

func manyKeys() string {
	var b strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&b, `{"email":"a@example.com","k%d":1}`+"\n", i)
	}
	return b.String()
}

// TestValidateIsBounded looks at files that try to keep the server busy. Each look ends with a response and uses
// limited processor time and memory. Look-ups stay right meanwhile.
func TestValidateIsBounded(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(100)
	connection := s.connect()
	end := s.lookUps(100)
	defer end()
	thousand := make([]string, 1000)
	for i := range thousand {
		thousand[i] = fmt.Sprintf(`{"name":"field %d","type":"datetime"}`, i)
	}
	thousand[0] = `{"name":"email","type":"string","identityNs":"Email"}`
	patterns := strings.Repeat(`"dd/MM/yyyy HH:mm:ss",`, 49) + `"yyyyMMdd"`
	const most = 5 * time.Second // of processor time; without a limit, a header of 1 MiB took 54 seconds
	for name, content := range hostileFiles() {
		s.put(name, []byte(content))
		for what, body := range map[string]string{
			"proposed":       validation(connection, name, "file", "[]", ""),
			"a thousand":     validation(connection, name, "file", "["+strings.Join(thousand, ",")+"]", ""),
			"fifty patterns": validation(connection, name, "file", "[]", `,"format":{"dateFormats":[`+patterns+`]}`),
		} {
			before, began := s.cpu(), time.Now()
			s.forgetPeak()
			a := s.call("POST", ais+"/validate", body)
			used := s.cpu() - before
			t.Logf("%s, %s: status %d, %d bytes, %v of processor time, %v, %d MiB", name, what, a.status, len(a.body), used, time.Since(began).Round(time.Millisecond), s.peak()>>20)
			if a.status >= 500 && a.status != http.StatusBadGateway || used > most {
				t.Errorf("%s, %s: status %d after %v of processor time: %.500s", name, what, a.status, used, a.body)
			}
		}
	}
	for i := range 12 {
		s.put(fmt.Sprintf("wide/%d.csv", i), []byte(hostileFiles()["header of 1 MiB"]))
	}
	before := s.cpu()
	a := s.call("POST", ais+"/validate", validation(connection, "wide", "folder", "["+strings.Join(thousand, ",")+"]", ""))
	used := s.cpu() - before
	if t.Logf("a folder of wide files: status %d, %v of processor time", a.status, used); a.status != http.StatusOK || used > most {
		t.Errorf("a folder of wide files: status %d after %v of processor time: %.500s", a.status, used, a.body)
	}
}

// TestValidateEndsWithItsClient sends requests and closes the connections. The work for them ends.
func TestValidateEndsWithItsClient(t *testing.T) {
	t.Parallel()
	s := start(t)
	connection := s.connect()
	s.put("wide.csv", []byte(hostileFiles()["wide rows of times"]))
	body := validation(connection, "wide.csv", "file", "[]", "")
	whole := s.cpu()
	s.call("POST", ais+"/validate", body).json(t, http.StatusOK)
	whole = s.cpu() - whole
	before := s.cpu()
	const clients = 8
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "POST", s.c.BaseURL+ais+"/validate", strings.NewReader(body))
			for name, value := range map[string]string{"Authorization": "Bearer " + s.token, "x-api-key": s.c.ClientID, "x-gw-ims-org-id": s.c.Org, "x-sandbox-name": s.c.Sandbox} {
				req.Header.Set(name, value)
			}
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	s.idle()
	t.Logf("a whole look took %v of processor time, %d that were left alone %v", whole, clients, s.cpu()-before)
	if used := s.cpu() - before; used > clients/2*whole {
		t.Errorf("%d looks that nobody waits for took %v of processor time, a whole one takes %v", clients, used, whole)
	}
}

// idle waits until the process uses little processor time.
func (s *server) idle() {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		before := s.cpu()
		<-time.After(500 * time.Millisecond)
		if s.cpu()-before < 150*time.Millisecond {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("the server works on and on")
		}
	}
}

// TestValidateTakesTurns sends many requests in parallel. Some succeed, the others are told to retry later. Look-ups
// stay right meanwhile.
func TestValidateTakesTurns(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(100)
	connection := s.connect()
	s.put("wide.csv", []byte(hostileFiles()["wide rows of times"]))
	end := s.lookUps(100)
	defer end()
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[int]int{}
	for range 24 {
		wg.Go(func() {
			a, err := s.try(http.DefaultClient, "POST", ais+"/validate", strings.NewReader(validation(connection, "wide.csv", "file", "[]", "")))
			mu.Lock()
			defer mu.Unlock()
			seen[a.status]++
			switch {
			case err != nil:
				t.Error(err)
			case a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "":
				t.Error("no Retry-After")
			case a.status != http.StatusOK && a.status != http.StatusTooManyRequests:
				t.Errorf("status %d: %.300s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if t.Log(seen); seen[http.StatusOK] == 0 {
		t.Error("no look was answered")
	}
}
