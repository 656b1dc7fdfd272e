package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// postgreSQL is a separate server on loopback, started for each repetition: COPY into a staging table, then upsert and
// delete in the table of members, which serves look-ups by its primary key.
type postgreSQL struct {
	dir, bin string
	server   *exec.Cmd
	port     string
}

func (p *postgreSQL) name() string { return "PostgreSQL" }

func (p *postgreSQL) data() string { return filepath.Join(p.dir, "pg") }

// asServer runs a command as a user that PostgreSQL accepts, because PostgreSQL refuses root.
func asServer(cmd *exec.Cmd) (*exec.Cmd, error) {
	if os.Getuid() != 0 {
		return cmd, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	cmd.Dir = "/"
	return cmd, nil
}

func (p *postgreSQL) begin(ctx context.Context) error {
	if err := os.Mkdir(p.data(), 0o700); err != nil {
		return err
	}
	init, err := asServer(exec.CommandContext(ctx, p.program("initdb"), "-D", p.data(), "-A", "trust", "-U", "bench"))
	if err != nil {
		return err
	}
	if init.SysProcAttr != nil {
		if err := os.Chown(p.data(), int(init.SysProcAttr.Credential.Uid), int(init.SysProcAttr.Credential.Gid)); err != nil {
			return err
		}
	}
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if p.port, err = freePort(); err != nil {
		return err
	}
	server, err := asServer(exec.Command(p.program("postgres"), "-D", p.data(), "-p", p.port, "-c", "listen_addresses=127.0.0.1", "-k", p.data(),
		"-c", "shared_buffers=1GB", "-c", "max_wal_size=8GB", "-c", "work_mem=256MB", "-c", "maintenance_work_mem=512MB", "-c", "checkpoint_timeout=30min"))
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	p.server = server
	for range 100 {
		if exec.CommandContext(ctx, p.program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", p.port).Run() == nil {
			return p.createMembers(ctx)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the server did not start")
}

func (p *postgreSQL) program(name string) string { return filepath.Join(p.bin, name) }

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

func (p *postgreSQL) createMembers(ctx context.Context) error {
	out, err := p.psql(ctx, `CREATE TABLE members (id text PRIMARY KEY, ppid text, name text, city text, birth date, score double precision, points integer,
		opted_in boolean, last_seen timestamptz, since timestamptz NOT NULL DEFAULT now())`).CombinedOutput()
	if err != nil {
		return fmt.Errorf("create the table: %w\n%s", err, out)
	}
	return nil
}

func (p *postgreSQL) psql(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", p.port, "-U", "bench", "postgres")
	cmd.Stdin = strings.NewReader(script)
	return cmd
}

func (p *postgreSQL) do(ctx context.Context, w work) (figures, counts, error) {
	remove := "SELECT 0::bigint AS removed INTO TEMP deleted;"
	if w.Full {
		remove = `CREATE TEMP TABLE deleted AS WITH d AS (DELETE FROM members m WHERE NOT EXISTS (SELECT 1 FROM fresh f WHERE f.id = m.id) RETURNING 1) SELECT count(*) AS removed FROM d;`
	}
	from := fmt.Sprintf("'%s'", w.File) // a path of this program, which has no quotes
	if strings.HasSuffix(w.File, ".gz") {
		from = fmt.Sprintf("PROGRAM 'gzip -dc %s'", w.File)
	}
	script := fmt.Sprintf(`BEGIN;
CREATE TEMP TABLE staging (n bigserial, ppid text, name text, city text, birth date, score double precision, points integer, opted_in boolean, last_seen timestamptz);
\copy staging (ppid, name, city, birth, score, points, opted_in, last_seen) FROM %s WITH (FORMAT csv, HEADER)
CREATE TEMP TABLE fresh AS SELECT DISTINCT ON (lower(trim(ppid))) lower(trim(ppid)) AS id, * FROM staging ORDER BY lower(trim(ppid)), n DESC;
CREATE INDEX ON fresh (id);
ANALYZE fresh;
%s
CREATE TEMP TABLE written (inserted boolean);
WITH u AS (INSERT INTO members (id, ppid, name, city, birth, score, points, opted_in, last_seen)
  SELECT id, ppid, name, city, birth, score, points, opted_in, last_seen FROM fresh
  ON CONFLICT (id) DO UPDATE SET ppid = excluded.ppid, name = excluded.name, city = excluded.city, birth = excluded.birth, score = excluded.score,
    points = excluded.points, opted_in = excluded.opted_in, last_seen = excluded.last_seen
  WHERE (members.name, members.city, members.birth, members.score, members.points, members.opted_in, members.last_seen)
    IS DISTINCT FROM (excluded.name, excluded.city, excluded.birth, excluded.score, excluded.points, excluded.opted_in, excluded.last_seen)
  RETURNING xmax = 0 AS inserted)
INSERT INTO written SELECT inserted FROM u;
COMMIT;
SELECT json_build_object('members', (SELECT count(*) FROM members), 'added', (SELECT count(*) FROM written WHERE inserted),
  'updated', (SELECT count(*) FROM written WHERE NOT inserted), 'removed', (SELECT removed FROM deleted));
`, from, remove)
	before := p.cpu()
	watch := watchPeak(p.server.Process.Pid)
	out, f, err := measured(p.psql(ctx, script))
	f.Peak, f.Written = max(f.Peak, watch()), 0
	f.CPU += p.cpu() - before
	if err != nil {
		return f, counts{}, err
	}
	var c counts
	err = json.Unmarshal(out, &c)
	return f, c, err
}

func (p *postgreSQL) end() error {
	var err error
	if p.server != nil {
		err = errors.Join(p.server.Process.Signal(os.Interrupt), p.server.Wait())
		p.server = nil
	}
	return errors.Join(err, os.RemoveAll(p.data()))
}

// cpu returns the processor time of the server and its children, including those that ended.
func (p *postgreSQL) cpu() float64 {
	ticks := int64(0)
	for i, pid := range append([]int{p.server.Process.Pid}, children(p.server.Process.Pid)...) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		last := 13 // utime and stime
		if i == 0 {
			last = 15 // and those of children that ended
		}
		for _, f := range fields[11:last] {
			n, _ := strconv.ParseInt(f, 10, 64)
			ticks += n
		}
	}
	return float64(ticks) / 100
}

func children(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var list []int
	for _, f := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(f); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// watchPeak samples the resident size of a server's processes until the returned function is called, which returns the
// largest.
func watchPeak(pid int) func() int64 {
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		for {
			for _, c := range children(pid) {
				most = max(most, resident(c))
			}
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-peak }
}

func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
