package bucket

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"

	"roster/internal/blob"
	"roster/internal/source/sourcetest"
	"roster/tests/servertest"
)

// wholeAccount runs the suite of stores with one that leads to all buckets of an account, and looks at its root. open opens it below
// a folder; world makes a bucket and returns its name.
func wholeAccount(t *testing.T, world func(t *testing.T) (sourcetest.World, string), open func(t *testing.T, folder string) *Store) {
	t.Helper()
	sourcetest.Run(t, func(t *testing.T) sourcetest.World {
		w, bucket := world(t)
		w.Store = open(t, bucket+"/below/this")
		return w
	})
	w, full := world(t)
	_, empty := world(t)
	w.Put(t, "a b#.csv", []byte("email\n"))
	store := open(t, "")
	browse := func(folder string) (folders, files []string) {
		t.Helper()
		err := store.Browse(t.Context(), folder, func(o blob.Object, below bool) error {
			if below {
				folders = append(folders, o.Path)
			} else {
				files = append(files, o.Path)
			}
			return nil
		})
		if err != nil {
			t.Errorf("browse %q: %v", folder, err)
		}
		return folders, files
	}
	if folders, files := browse(""); !slices.Contains(folders, full) || !slices.Contains(folders, empty) || len(files) > 0 {
		t.Errorf("the root has the buckets %v and %v", folders, files)
	}
	if folders, files := browse(full); !slices.Equal(folders, []string{full + "/below"}) || len(files) > 0 {
		t.Errorf("the bucket has %v and %v", folders, files)
	}
	if folders, files := browse(empty); len(folders)+len(files) > 0 {
		t.Errorf("the empty bucket has %v and %v", folders, files)
	}
	path := full + "/below/this/a b#.csv"
	found := false
	if err := store.List(t.Context(), "", func(o blob.Object) error { found = found || o.Path == path; return nil }); err != nil || !found {
		t.Errorf("the list of all does not have %s: %v", path, err)
	}
	o, err := store.Stat(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := store.Open(t.Context(), o, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "email\n" {
		t.Errorf("read %q, %v", text, err)
	}
	for path, want := range map[string]error{full: blob.ErrNotExist, "absent-bucket-of-nobody/a.csv": blob.ErrNoBucket,
		"arn:aws:s3::1:accesspoint:x/a.csv": blob.ErrNoBucket, "x@host/a.csv": blob.ErrNoBucket} {
		if _, err := store.Stat(t.Context(), path); !errors.Is(err, want) {
			t.Errorf("stat %q: %v, want %v", path, err, want)
		}
	}
}

func TestAccountOfS3(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) string{
		"versitygw": func(t *testing.T) string { return servertest.VersityGW(t, accessKey, secretKey) }, "moto": func(t *testing.T) string { return servertest.Moto(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := start(t)
			wholeAccount(t, func(t *testing.T) (sourcetest.World, string) {
				w, c := s3World(t, address)
				return w, c.Bucket
			}, func(t *testing.T, folder string) *Store {
				store, err := OpenS3(t.Context(), S3{Endpoint: "http://" + address, PathStyle: true, Folder: folder, AccessKey: accessKey, SecretKey: secretKey, Client: &http.Client{}})
				if err != nil {
					t.Fatal(err)
				}
				return store
			})
		})
	}
}

func TestAccountOfAzure(t *testing.T) {
	t.Parallel()
	connection := azurite(t)
	wholeAccount(t, func(t *testing.T) (sourcetest.World, string) {
		w, _, c := azureWorld(t, connection)
		return w, c.Container
	}, func(t *testing.T, folder string) *Store {
		store, err := OpenAzure(Azure{ConnectionString: connection, Folder: folder, Client: &http.Client{}})
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

func TestAccountOfGCS(t *testing.T) {
	t.Parallel()
	address, account := servertest.FakeGCS(t), servertest.ServiceAccount(t, false)
	wholeAccount(t, func(t *testing.T) (sourcetest.World, string) {
		w, c := gcsWorld(t, address, account)
		return w, c.Bucket
	}, func(t *testing.T, folder string) *Store {
		store, err := OpenGCS(t.Context(), GCS{Endpoint: "http://" + address, Folder: folder, ServiceAccount: account, Client: &http.Client{}})
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}
