package e2e

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"roster/tests/servertest"
)

// place is a store where a test writes files, with a connection of Roster to it.
type place struct {
	put     func(name, content string)
	connect func() (connection string)
}

// cloud is a store of a cloud: a server, a way to write files to it, and a connection by an address. The address is
// that of the server or of a proxy in front of it.
type cloud struct {
	address string
	put     func(name, content string)
	body    func(address string) map[string]any // connectionSpec and auth
}

// connected creates a connection to a cloud.
func (c cloud) connected(s *server, address string) string {
	s.t.Helper()
	body := c.body(address)
	body["name"] = "cloud"
	return s.call("POST", flow, compact(body)).ok(201)["id"].(string)
}

// of describes a connection of a kind.
func of(spec, auth string, params map[string]any) map[string]any {
	return map[string]any{"connectionSpec": map[string]any{"id": spec, "version": "1.0"}, "auth": map[string]any{"specName": auth, "params": params}}
}

func s3Cloud(t *testing.T) cloud {
	t.Helper()
	return s3CloudOf(startS3(t))
}

// motoCloud is a bucket of a second server with the protocol of S3.
func motoCloud(t *testing.T) cloud {
	t.Helper()
	return s3CloudOf(s3At(t, servertest.Moto(t)))
}

// hmacCloud is a bucket with HMAC keys of Google Cloud Storage, which accepts them with the protocol of S3.
func hmacCloud(t *testing.T) cloud {
	t.Helper()
	c := motoCloud(t)
	c.body = func(address string) map[string]any {
		return of("32e8f412-cdf7-464c-9885-78184cb113fd", "Basic Authentication for google-cloud", map[string]any{"accessKeyId": s3Key, "secretAccessKey": s3Secret,
			"bucketName": "people", "folderPath": "exports", "endpoint": "http://" + address})
	}
	return c
}

func s3CloudOf(store *s3Server) cloud {
	return cloud{address: strings.TrimPrefix(store.url, "http://"), put: func(name, content string) { store.put("exports/"+name, content) },
		body: func(address string) map[string]any {
			return of("ecadc60c-7455-4d87-84dc-2a0e293d997b", "Access Key", map[string]any{"s3AccessKey": s3Key, "s3SecretKey": s3Secret,
				"serviceUrl": "http://" + address, "bucketName": "people", "folderPath": "exports"})
		}}
}

// azuriteAccount and azuriteKey are the fixed credentials of Azurite.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azureCloud is a container of Azurite; connect describes a connection to it.
func azureCloud(t *testing.T, body func(admin *azblob.Client, address, connection string) map[string]any) cloud {
	t.Helper()
	address := servertest.Azurite(t)
	connection := func(address string) string {
		return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s/%s;", azuriteAccount, azuriteKey, address, azuriteAccount)
	}
	admin, err := azblob.NewClientFromConnectionString(connection(address), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateContainer(t.Context(), "people", nil); err != nil {
		t.Fatal(err)
	}
	return cloud{address: address, put: func(name, content string) {
		t.Helper()
		if _, err := admin.UploadBuffer(t.Context(), "people", "exports/"+name, []byte(content), nil); err != nil {
			t.Fatal(err)
		}
	}, body: func(address string) map[string]any { return body(admin, address, connection(address)) }}
}

const azureBlob = "4c10e202-c428-4796-9208-5f1f5732b1cf"

func azureByString(t *testing.T) cloud {
	t.Helper()
	return azureCloud(t, func(_ *azblob.Client, _, connection string) map[string]any {
		return of(azureBlob, "ConnectionString", map[string]any{"connectionString": connection, "container": "people", "folderPath": "exports"})
	})
}

func azureBySignature(t *testing.T) cloud {
	t.Helper()
	return azureCloud(t, func(admin *azblob.Client, _, _ string) map[string]any {
		url, err := admin.ServiceClient().NewContainerClient("people").GetSASURL(sas.ContainerPermissions{Read: true, List: true}, time.Now().Add(time.Hour),
			&container.GetSASURLOptions{StartTime: new(time.Now().Add(-time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		return of(azureBlob, "SasURIAuthentication", map[string]any{"sasUri": url, "folderPath": "exports"})
	})
}

func dataLake(t *testing.T) cloud {
	t.Helper()
	return azureCloud(t, func(_ *azblob.Client, address, _ string) map[string]any {
		return of("b3ba5556-48be-44b7-8b85-ff2b69b46dc4", "Account Key", map[string]any{"url": "http://" + address + "/" + azuriteAccount,
			"accountName": azuriteAccount, "accountKey": azuriteKey, "container": "people", "folderPath": "exports"})
	})
}

func gcsCloud(t *testing.T) cloud {
	t.Helper()
	address := servertest.FakeGCS(t)
	bucket := servertest.MakeGCSBucket(t, address, "people")
	account := servertest.ServiceAccount(t, false)
	return cloud{address: address, put: func(name, content string) {
		t.Helper()
		bucket.Put(t, "exports/"+name, "", []byte(content))
	}, body: func(address string) map[string]any {
		return of("32e8f412-cdf7-464c-9885-78184cb113fd", "Basic Authentication for google-cloud", map[string]any{"serviceAccountJson": account,
			"bucketName": "people", "folderPath": "exports", "endpoint": "http://" + address})
	}}
}

// sftpPlace is a folder of an OpenSSH server.
func sftpPlace(t *testing.T, s *server) place {
	t.Helper()
	sshd := servertest.SSHD(t, "")
	host, port, err := net.SplitHostPort(sshd.Address)
	if err != nil {
		t.Fatal(err)
	}
	return place{put: s.put, connect: func() string {
		body := of("b7bf2577-4520-42c9-bae9-cad01560f7bc", "SSH PublicKey Authentication for sftp", map[string]any{
			"host": host, "port": port, "userName": sshd.User, "privateKeyContent": sshd.Private, "hostKey": sshd.HostKey, "folderPath": s.root})
		body["name"] = "server"
		return s.call("POST", flow, compact(body)).ok(201)["id"].(string)
	}}
}

// passwordPlace is a folder of another SFTP server, with password login.
func passwordPlace(t *testing.T, s *server) place {
	t.Helper()
	host, port, err := net.SplitHostPort(servertest.PasswordSFTP(t, s.root, "open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	return place{put: s.put, connect: func() string {
		body := of("b7bf2577-4520-42c9-bae9-cad01560f7bc", "Basic Authentication for sftp", map[string]any{"host": host, "port": port, "userName": "asked", "password": "open sesame"})
		body["name"] = "server"
		conn := s.call("POST", flow, compact(body)).ok(201)["id"].(string)
		print := regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`).FindString(string(s.call("POST", flow+"/"+conn+"/test", "").body))
		s.callWith("PATCH", flow+"/"+conn, compact([]any{map[string]any{"op": "add", "path": "/auth/params/hostKey", "value": print}}), map[string]string{"If-Match": "*"}).ok(200)
		return conn
	}}
}

// landingPlace is the landing zone, into which files are uploaded.
func landingPlace(_ *testing.T, s *server) place {
	return place{put: func(name, content string) { s.call("PUT", "/landing/"+name, content).ok(200) }, connect: func() string {
		return s.call("POST", flow, `{"name": "zone", "connectionSpec": {"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8"}}`).ok(201)["id"].(string)
	}}
}
