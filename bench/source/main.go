// Command source measures the cost of reading files from an S3 server on the same machine, compared with the same runs
// from the local disk: one large file, and the same people in many small files.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"roster/bench/server"
	"roster/client"
)

const (
	accessKey = "AKIABENCHBENCHBENCHB"
	secretKey = "of this benchmark only"
	bucket    = "people"
)

type settings struct {
	rows, files, repeat int
	gateway, memory     string
	delay               time.Duration
}

func main() {
	var s settings
	flag.IntVar(&s.rows, "rows", 11_000_000, "people in the large file, and in the small ones together")
	flag.IntVar(&s.files, "files", 200, "small files")
	flag.IntVar(&s.repeat, "repeat", 3, "repetitions; the table has the medians")
	flag.StringVar(&s.gateway, "versitygw", "", "program of Versity S3 Gateway")
	flag.StringVar(&s.memory, "memory", "512MiB", "Roster's --memory")
	flag.DurationVar(&s.delay, "delay", 0, "delay of each request to the S3 server, to simulate distance")
	limit := flag.Duration("limit", 30*time.Minute, "give up after this time")
	flag.Parse()
	if flag.NArg() > 0 || s.gateway == "" || min(s.rows, s.files, s.repeat) < 1 || s.rows < s.files {
		flag.Usage()
		os.Exit(2)
	}
	server.Main("source", *limit, func(ctx context.Context) error { return run(ctx, s) })
}

func run(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "roster-source-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := prepare(ctx, dir, s); err != nil {
		return err
	}
	gateway, address, err := startGateway(ctx, dir, s.gateway)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Halt(gateway)) }()
	if err := fill(ctx, dir, address); err != nil {
		return err
	}
	if s.delay > 0 {
		far, err := distant(address, s.delay)
		if err != nil {
			return err
		}
		defer far.Close()
		address = far.Addr().String()
	}
	fmt.Printf("| files | from | wall s | CPU s | peak MiB | against the local disk |\n| --- | --- | ---: | ---: | ---: | ---: |\n")
	for _, w := range []work{{"1", "large.csv", "file"}, {strconv.Itoa(s.files), "small", "folder"}} {
		took := map[string][]figures{}
		for range s.repeat {
			for _, from := range []string{"disk", "S3"} {
				f, err := measure(ctx, dir, address, from, w, s)
				if err != nil {
					return fmt.Errorf("%s from %s: %w", w.path, from, err)
				}
				took[from] = append(took[from], f)
			}
		}
		disk, cloud := median(took["disk"]), median(took["S3"])
		for _, r := range []struct {
			from string
			figures
		}{{"disk", disk}, {"S3", cloud}} {
			fmt.Printf("| %s | %s | %.2f | %.2f | %d | %.2f |\n", w.files, r.from, r.wall.Seconds(), r.cpu.Seconds(), r.peak>>20, r.wall.Seconds()/disk.wall.Seconds())
		}
	}
	return nil
}

// work is the files of a run.
type work struct{ files, path, typ string }

// figures are the costs of a run: its time, and the server's processor time and peak memory.
type figures struct {
	wall, cpu time.Duration
	peak      int64
}

// median returns the figures of the repetition with the median time.
func median(list []figures) figures {
	slices.SortFunc(list, func(a, b figures) int { return cmp.Compare(a.wall, b.wall) })
	return list[len(list)/2]
}

// measure imports from the disk or the S3 server on a new data directory.
func measure(ctx context.Context, dir, address, from string, w work, s settings) (f figures, err error) {
	data := filepath.Join(dir, "data")
	defer os.RemoveAll(data)
	syscall.Sync()
	srv, err := server.Start(ctx, filepath.Join(dir, "roster"), data, "--local-roots", filepath.Join(dir, "in"), "--allow-networks", "127.0.0.0/8", "--memory", s.memory, "--settle-age", "0s")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	var conn string
	if from == "disk" {
		conn, err = srv.Folder(ctx, filepath.Join(dir, "in"))
	} else {
		conn, err = srv.Connect(ctx, "ecadc60c-7455-4d87-84dc-2a0e293d997b", client.ConnectionAuth{SpecName: "Access Key", Params: client.ConnectionParams{
			"s3AccessKey": accessKey, "s3SecretKey": secretKey, "bucketName": bucket, "serviceUrl": "http://" + address}})
	}
	if err != nil {
		return f, err
	}
	used, started := server.CPU(srv.Pid()), time.Now()
	r, err := srv.Import(ctx, conn, w.path, w.typ)
	if err == nil && r.Rows.Added != int64(s.rows) {
		err = fmt.Errorf("%d people were added, not %d", r.Rows.Added, s.rows)
	}
	return figures{wall: time.Since(started), cpu: server.CPU(srv.Pid()) - used, peak: server.Peak(srv.Pid())}, err
}

// prepare builds the server and writes the files.
func prepare(ctx context.Context, dir string, s settings) error {
	for name, pkg := range map[string]string{"roster": "roster/cmd/roster", "gen": "roster/bench/gen"} {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "in", "small"), 0o755); err != nil {
		return err
	}
	write := func(name string, from, rows int) error {
		cmd := exec.CommandContext(ctx, filepath.Join(dir, "gen"), "-rows", strconv.Itoa(rows), "-from", strconv.Itoa(from), "-out", filepath.Join(dir, "in", name))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("write %s: %w\n%s", name, err, out)
		}
		return nil
	}
	if err := write("large.csv", 0, s.rows); err != nil {
		return err
	}
	for i := range s.files {
		from, to := i*s.rows/s.files, (i+1)*s.rows/s.files
		if err := write(filepath.Join("small", fmt.Sprintf("%05d.csv", i)), from, to-from); err != nil {
			return err
		}
	}
	return nil
}

// startGateway starts the S3 server on a free port.
func startGateway(ctx context.Context, dir, program string) (*exec.Cmd, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, "", err
	}
	root := filepath.Join(dir, "s3")
	if err := os.Mkdir(root, 0o755); err != nil {
		return nil, "", err
	}
	cmd := exec.Command(program, "--port", address, "--access", accessKey, "--secret", secretKey, "--quiet", "posix", root)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return cmd, address, conn.Close()
		}
		select {
		case <-ctx.Done():
			return nil, "", errors.Join(ctx.Err(), err, server.Halt(cmd))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// distant forwards connections to an address and delays each request.
func distant(address string, delay time.Duration) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	forward := func(from net.Conn) {
		defer from.Close()
		to, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer to.Close()
		go func() {
			_, _ = io.Copy(from, to)
			from.Close()
		}()
		for buf := make([]byte, 64<<10); ; {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			time.Sleep(delay)
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go forward(conn)
		}
	}()
	return l, nil
}

// fill uploads the files to the S3 server.
func fill(ctx context.Context, dir, address string) error {
	c := s3.New(s3.Options{Region: "us-east-1", UsePathStyle: true, BaseEndpoint: aws.String("http://" + address),
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""), RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired})
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return err
	}
	in := filepath.Join(dir, "in")
	names, err := filepath.Glob(filepath.Join(in, "small", "*"))
	if err != nil {
		return err
	}
	for _, name := range append(names, filepath.Join(in, "large.csv")) {
		key, err := filepath.Rel(in, name)
		if err != nil {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: f})
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}
