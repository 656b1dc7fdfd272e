package bucket

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"roster/internal/source"
	"roster/internal/source/sourcetest"
	"roster/tests/servertest"
)

// azuriteKey is the key that every Azurite has for its account.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azurite starts Azurite and returns its connection string.
func azurite(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s/%s;", azuriteAccount, azuriteKey, servertest.Azurite(t), azuriteAccount)
}

// azureWorld is a fresh container of a server.
func azureWorld(t *testing.T, connection string) (sourcetest.World, *azblob.Client, Azure) {
	t.Helper()
	c := Azure{ConnectionString: connection, Container: fmt.Sprintf("c%d", time.Now().UnixNano()), Folder: "below/this", Client: &http.Client{}}
	admin, err := azblob.NewClientFromConnectionString(connection, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateContainer(t.Context(), c.Container, nil); err != nil {
		t.Fatal(err)
	}
	store, err := OpenAzure(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return sourcetest.World{Store: store,
		Put: func(t *testing.T, path string, content []byte) {
			t.Helper()
			if _, err := admin.UploadBuffer(t.Context(), c.Container, "below/this/"+path, content, nil); err != nil {
				t.Fatal(err)
			}
		},
		Remove: func(t *testing.T, path string) {
			t.Helper()
			if _, err := admin.DeleteBlob(t.Context(), c.Container, "below/this/"+path, nil); err != nil {
				t.Fatal(err)
			}
		}}, admin, c
}

func TestAzuriteConformance(t *testing.T) {
	t.Parallel()
	connection := azurite(t)
	sourcetest.Run(t, func(t *testing.T) sourcetest.World {
		w, _, _ := azureWorld(t, connection)
		w.Unreachable = []string{"100%.csv", "a%20b.csv", "q?x=1&y#z.csv"} // see the package's comment
		return w
	})
}

// TestAzureSAS reads by a shared access signature, and not when it has expired.
func TestAzureSAS(t *testing.T) {
	t.Parallel()
	w, admin, c := azureWorld(t, azurite(t))
	w.Put(t, "a", []byte("a"))
	url := func(expires time.Time) string {
		u, err := admin.ServiceClient().NewContainerClient(c.Container).GetSASURL(sas.ContainerPermissions{Read: true, List: true}, expires,
			&container.GetSASURLOptions{StartTime: new(time.Now().Add(-2 * time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	list := func(c Azure) error {
		s, err := OpenAzure(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return s.List(t.Context(), "", func(source.Object) error { return nil })
	}
	good := Azure{SASURL: url(time.Now().Add(time.Hour)), Folder: c.Folder, Client: c.Client}
	if err := list(good); err != nil {
		t.Errorf("by a signature: %v", err)
	}
	expired := good
	expired.SASURL = url(time.Now().Add(-time.Hour))
	// Azure says that the signature is refused, Azurite that it permits nothing.
	if err := list(expired); !errors.Is(err, source.ErrCredentials) && !errors.Is(err, source.ErrPermission) {
		t.Errorf("by an expired signature: %v", err)
	}
	absent := c
	absent.Container = "absent"
	if err := list(absent); !errors.Is(err, source.ErrNoBucket) {
		t.Errorf("an absent container: %v", err)
	}
}
