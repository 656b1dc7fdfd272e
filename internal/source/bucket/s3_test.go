package bucket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"roster/internal/source"
	"roster/internal/source/sourcetest"
	"roster/tests/servertest"
)

const (
	accessKey = "AKIATESTTESTTESTTEST"
	secretKey = "a secret of these tests only"
)

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

func TestVersityGWConformance(t *testing.T) {
	t.Parallel()
	address := servertest.VersityGW(t, accessKey, secretKey)
	sourcetest.Run(t, func(t *testing.T) sourcetest.World {
		w, _ := s3World(t, address)
		return w
	})
}

func TestMotoConformance(t *testing.T) {
	t.Parallel()
	address := servertest.Moto(t)
	sourcetest.Run(t, func(t *testing.T) sourcetest.World {
		w, _ := s3World(t, address)
		return w
	})
}

// TestUntagged reads objects that have no ETag: files that were in a folder before there was a gateway to it.
func TestUntagged(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	file := filepath.Join(root, "people", "a.csv")
	write := func(text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("mail\nada@example.com\n")
	s, err := OpenS3(t.Context(), S3{Endpoint: "http://" + servertest.VersityGWOf(t, root, accessKey, secretKey), PathStyle: true, Bucket: "people",
		AccessKey: accessKey, SecretKey: secretKey, Client: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	var listed source.Object
	if err := s.List(t.Context(), "", func(o source.Object) error { listed = o; return nil }); err != nil {
		t.Fatal(err)
	}
	stated, err := s.Stat(t.Context(), "a.csv")
	if err != nil || stated.Version != listed.Version || !strings.HasPrefix(listed.Version, untagged) {
		t.Fatalf("%+v, %+v, %v", listed, stated, err)
	}
	read := func() ([]byte, error) {
		r, err := s.Open(t.Context(), listed, 0, -1)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	if text, err := read(); string(text) != "mail\nada@example.com\n" {
		t.Errorf("%q, %v", text, err)
	}
	write("mail\nbob@example.com\n+")
	if text, err := read(); !errors.Is(err, source.ErrChanged) {
		t.Errorf("a file that was replaced: %q, %v", text, err)
	}
	write("mail\neve@example.com\n")
	if err := os.Chtimes(file, time.Time{}, time.Now().Add(5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if text, err := read(); !errors.Is(err, source.ErrChanged) {
		t.Errorf("a file that was replaced by one of the same size: %q, %v", text, err)
	}
}

// TestEnvironment reads as the environment of the process says.
func TestEnvironment(t *testing.T) {
	w, c := s3World(t, servertest.VersityGW(t, accessKey, secretKey))
	w.Put(t, "a", []byte("a"))
	c.AccessKey, c.SecretKey, c.Environment = "", "", true
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	s, err := OpenS3(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.List(t.Context(), "", func(source.Object) error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestRefused tells what goes wrong most.
func TestRefused(t *testing.T) {
	t.Parallel()
	w, c := s3World(t, servertest.VersityGW(t, accessKey, secretKey))
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
