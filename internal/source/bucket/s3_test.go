package bucket

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"roster/internal/source"
	"roster/internal/source/sourcetest"
)

const (
	accessKey = "AKIATESTTESTTESTTEST"
	secretKey = "a secret of these tests only"
)

// start starts a server of a test on a free port of loopback, waits until it answers, and ends it with the test.
func start(t *testing.T, program string, args func(port string) []string, env ...string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args(port)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v\n%s", program, err, log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// program finds a server that the variable names.
func program(t *testing.T, variable, what string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("set %s to the program of %s to run this test", variable, what)
	}
	return path
}

// s3World is a fresh bucket of a server.
func s3World(t *testing.T, address string) (sourcetest.World, S3) {
	t.Helper()
	c := S3{Endpoint: "http://" + address, PathStyle: true, Bucket: fmt.Sprintf("b%d", time.Now().UnixNano()), Folder: "/below/this/",
		AccessKey: accessKey, SecretKey: secretKey, Client: &http.Client{}}
	admin := s3.New(s3.Options{Region: "us-east-1", UsePathStyle: true, BaseEndpoint: aws.String(c.Endpoint),
		Credentials:                credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired})
	if _, err := admin.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &c.Bucket}); err != nil {
		t.Fatal(err)
	}
	store, err := OpenS3(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return sourcetest.World{Store: store,
		Put: func(t *testing.T, path string, content []byte) {
			t.Helper()
			if _, err := admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &c.Bucket, Key: aws.String("below/this/" + path), Body: bytes.NewReader(content)}); err != nil {
				t.Fatal(err)
			}
		},
		Remove: func(t *testing.T, path string) {
			t.Helper()
			if _, err := admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &c.Bucket, Key: aws.String("below/this/" + path)}); err != nil {
				t.Fatal(err)
			}
		}}, c
}

func versityGW(t *testing.T) string {
	t.Helper()
	path := program(t, "ROSTER_TEST_VERSITYGW", "Versity S3 Gateway")
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	return start(t, path, func(port string) []string {
		return []string{"--port", "127.0.0.1:" + port, "--access", accessKey, "--secret", secretKey, "--quiet", "posix", root}
	})
}

func moto(t *testing.T) string {
	t.Helper()
	return start(t, program(t, "ROSTER_TEST_MOTO", "moto_server"), func(port string) []string { return []string{"-H", "127.0.0.1", "-p", port} })
}

func TestVersityGWConformance(t *testing.T) {
	t.Parallel()
	address := versityGW(t)
	sourcetest.Run(t, func(t *testing.T) sourcetest.World {
		w, _ := s3World(t, address)
		return w
	})
}

func TestMotoConformance(t *testing.T) {
	t.Parallel()
	address := moto(t)
	sourcetest.Run(t, func(t *testing.T) sourcetest.World {
		w, _ := s3World(t, address)
		return w
	})
}

// TestRefused tells what goes wrong most.
func TestRefused(t *testing.T) {
	t.Parallel()
	w, c := s3World(t, versityGW(t))
	w.Put(t, "a", []byte("a"))
	for name, test := range map[string]struct {
		change func(c *S3)
		want   error
	}{
		"a wrong secret": {func(c *S3) { c.SecretKey = "wrong" }, source.ErrCredentials},
		"no bucket":      {func(c *S3) { c.Bucket = "absent" }, source.ErrNoBucket},
		"no such host":   {func(c *S3) { c.Endpoint = "http://nowhere.invalid" }, source.ErrUnreachable},
	} {
		bad := c
		test.change(&bad)
		s, err := OpenS3(t.Context(), bad)
		if err != nil {
			t.Fatal(err)
		}
		err = s.List(t.Context(), "", func(source.Object) error { return nil })
		if err == nil {
			t.Errorf("%s: the list is answered", name)
			continue
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}
