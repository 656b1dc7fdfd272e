package e2e

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/app"
	"roster/tests/servertest"
)

// sealed is a server that reads encrypted files, with a sender of such files.
type sealed struct {
	*server
	gpg      *servertest.GPG
	key      string // the id of the key pair
	customer string // the id of the sender's key
}

func newSealed(t *testing.T) *sealed {
	t.Helper()
	s := &sealed{server: start(t), gpg: servertest.NewGPG(t)}
	s.key = s.newKey()
	sender := s.gpg.NewKey("Sender", "ed25519", "1y")
	body := fmt.Sprintf(`{"name": "Acme", "encryptionAlgorithm": "GPG", "publicKey": %q}`, base64.StdEncoding.EncodeToString([]byte(sender)))
	s.customer = s.call("POST", encryption+"customer-keys", body).ok(201)["publicKeyId"].(string)
	return s
}

// newKey creates a key pair and gives its public key to the sender.
func (s *sealed) newKey() string {
	s.t.Helper()
	made := s.call("POST", encryption+"keys", `{"name": "Acme", "encryptionAlgorithm": "PGP", "params": {"passPhrase": "secret-phrase"}}`).ok(201)
	public, err := base64.StdEncoding.DecodeString(made["publicKey"].(string))
	if err != nil || made["expiryTime"].(string) == "" {
		s.t.Fatal(err, made)
	}
	s.gpg.Run(public, "--import")
	return made["publicKeyId"].(string)
}

// to encrypts a text with a key of the server.
func (s *sealed) to(key, text string, args ...string) string {
	return string(s.gpg.Run([]byte(text), append(args, "--encrypt", "--recipient", key)...))
}

// reading submits an audience that reads an encrypted path of the landing zone. The text is the JSON of the encryption.
func (s *sealed) reading(name, path, typ, encryption string) string {
	s.t.Helper()
	return s.submit(fmt.Sprintf(`{"name": %q, "fields": [{"name": "mail", "type": "string", "identityNs": "Email"}], "originName": "CUSTOM_UPLOAD",
		"sourceSpec": {"params": {"path": %q, "type": %q, "cloudType": "DLZ", "encryption": %s}}}`, name, path, typ, encryption))
}

const plainMails = "mail\nada@example.com\ngrace@example.com\n"

// TestEncrypted imports encrypted files into audiences, and rotates the key.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	s := newSealed(t)
	s.land("in/a.csv.gpg", s.to(s.key, plainMails, "--sign"))
	s.land("in/b.csv.pgp", s.to(s.key, "mail\nlin@example.com\n", "--sign", "--armor"))
	s.land("in/a.csv.gpg.sig", "checksum")
	by := fmt.Sprintf(`{"publicKeyId": %q, "signVerificationId": %q}`, strings.ToUpper(s.key), s.customer)
	id := s.reading("sealed", "in", "folder", by)
	spec := s.call("GET", ais+"/"+id, "").ok(200)["sourceSpec"].(map[string]any)["params"].(map[string]any)["encryption"].(map[string]any)
	if len(spec) != 2 || spec["publicKeyId"] != s.key || spec["signVerificationKeyId"] != s.customer {
		t.Error(spec)
	}
	run := s.ingest(id, "{}")
	if run["status"] != "SUCCESS" || run["members"].(map[string]any)["after"].(float64) != 3 {
		t.Fatal(compact(run))
	}
	s.call("GET", ais+"/"+id+"/runs/"+run["runId"].(string)+"/receipt", "").ok(200)
	s.keysInUse(id)

	next := s.newKey()
	s.land("in/c.csv.gpg", s.to(next, "mail\nmax@example.com\n", "--sign"))
	if run = s.ingest(id, "{}"); run["status"] != "FAILED" || !strings.Contains(compact(run["error"]), "in/c.csv.gpg: the PGP file is encrypted for the PGP keys") {
		t.Error(compact(run))
	}
	s.call("PATCH", ais+"/"+id, `{"sourceSpec": {"path": "elsewhere"}}`).refused(400, "100910-400", "cannot change except its encryption")
	s.call("PATCH", ais+"/"+id, fmt.Sprintf(`{"sourceSpec": {"params": {"encryption": {"publicKeyId": %q, "signVerificationKeyId": %q}}}}`, next, s.customer)).ok(200)
	if run = s.ingest(id, "{}"); run["status"] != "SUCCESS" || run["members"].(map[string]any)["after"].(float64) != 4 {
		t.Error(compact(run))
	}
	elsewhere := fmt.Sprintf(`{"sourceSpec": {"path": "in", "type": "folder", "cloudType": "DLZ", "encryption": {"publicKeyId": %q}}}`, s.customer)
	s.call("PUT", ais+"/"+id+"/source", elsewhere).refused(400, "100910-400", "does not exist in sandbox")
	s.call("DELETE", encryption+"keys/"+s.key, "").ok(204)
	s.call("GET", encryption+"keys/"+s.key, "").refused(404, "100940-404")

	s.call("POST", "/roster/secrets/rotate", "").ok(200)
	s.stop()
	s.open()
	s.land("in/d.csv.gpg", s.to(next, "mail\neve@example.com\n", "--sign"))
	if run = s.ingest(id, "{}"); run["status"] != "SUCCESS" || run["members"].(map[string]any)["after"].(float64) != 5 {
		t.Error(compact(run))
	}
	s.stop()
	s.holdsNo("secret-phrase")
	s.holdsNo("PRIVATE KEY")
}

// TestImportEncrypted imports files with the command into an audience that requires encryption.
func TestImportEncrypted(t *testing.T) {
	t.Parallel()
	s := newSealed(t)
	s.land("in/a.csv.gpg", s.to(s.key, plainMails))
	id := s.reading("sealed", "in/a.csv.gpg", "file", fmt.Sprintf(`{"publicKeyId": %q}`, s.key))
	bring := func(name, content string) (int, imported) {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return runImport(t, file, "--name", "sealed", "--full", "--server", s.app.URL(), "--credentials", app.CredentialsPath(s.dir))
	}
	if code, v := bring("b.csv.gpg", s.to(s.key, "mail\nlin@example.com\n")); code != 0 || v.Run == nil || v.Run.Members.After != 1 {
		t.Errorf("exit %d: %+v", code, v)
	}
	if s.lookup("email", "lin@example.com", id) == "" {
		t.Error("the member of the encrypted file is absent")
	}
	if code, v := bring("b.csv", plainMails); code != 2 || v.Error == nil || !strings.Contains(v.Error.Message, "reads only files that are encrypted for its key "+s.key) {
		t.Errorf("a plain file: exit %d: %+v", code, v)
	}
}

// keysInUse checks the keys that an audience names.
func (s *sealed) keysInUse(id string) {
	s.t.Helper()
	for _, path := range []string{"keys/" + s.key, "customer-keys/" + s.customer} {
		s.call("DELETE", encryption+path, "").refused(422, "100960-422", "in use by an audience")
		if got := compact(s.call("GET", encryption+path, "").ok(200)); strings.Contains(got, "sealed") || strings.Contains(got, "phrase") {
			s.t.Error(got)
		}
	}
	if got := compact(s.call("GET", encryption+"keys/validate/"+s.key, "").ok(200)); !strings.Contains(got, `"status":"Active"`) {
		s.t.Error(got)
	}
	for path, kind := range map[string]string{"keys": "ServerManaged", "customer-keys": "CustomerManaged"} {
		if got := string(s.call("GET", encryption+path, "").body); !strings.HasPrefix(got, "[{") || !strings.Contains(got, kind) {
			s.t.Error(got)
		}
	}
	if got := string(s.call("GET", "/roster/audit?action=key.create", "").body); strings.Count(got, `"key.create"`) < 2 || strings.Contains(got, "phrase") {
		s.t.Error(got)
	}
	s.call("GET", encryption+"customer-keys/"+s.key, "").refused(404, "100940-404")
}

// TestEncryptedRefused sends files that violate the encryption of the audience. Nothing of them is published, and the
// error names each.
func TestEncryptedRefused(t *testing.T) {
	t.Parallel()
	s := newSealed(t)
	other := s.newKey()
	good := s.to(s.key, plainMails)
	altered := []byte(good)
	altered[len(altered)-1] ^= 1
	open, signed, none := fmt.Sprintf(`{"publicKeyId": %q}`, s.key), fmt.Sprintf(`{"publicKeyId": %q, "signVerificationKeyId": %q}`, s.key, s.customer), "null"
	for i, c := range []struct{ name, file, encryption, want string }{
		{"another key", s.to(other, plainMails), open, "not for the key that opens it here"},
		{"plain", plainMails, open, "requires files that are encrypted"},
		{"unexpected", good, none, "name its key in sourceSpec.encryption"},
		{"altered", string(altered), open, "was altered or is damaged"},
		{"cut off", good[:len(good)-5], open, "the PGP file"},
		{"no signature", good, signed, "is not signed, and must be signed"},
		{"a passphrase", string(s.gpg.Run([]byte(plainMails), "--symmetric", "--passphrase", "x")), open, "by a passphrase alone"},
		{"two in one", good + good, open, "has something behind the message"},
	} {
		file := fmt.Sprintf("%d.csv.gpg", i)
		s.land(file, c.file)
		id := s.reading(c.name, file, "file", c.encryption)
		run := s.ingest(id, "{}")
		if got := compact(run["error"]); run["status"] != "FAILED" || !strings.Contains(got, c.want) || !strings.Contains(got, file) || strings.Contains(got, "ada") {
			t.Errorf("%s: %s", c.name, compact(run))
		}
		if s.lookup("email", "ada@example.com", id) != "" {
			t.Errorf("%s: there is a member", c.name)
		}
		body := fmt.Sprintf(`{"sourceSpec": {"path": %q, "type": "file", "cloudType": "DLZ", "encryption": %s}}`, file, c.encryption)
		s.call("POST", ais+"/validate", body).refused(422, "100960-422", c.want)
	}
	s.land("folder/a.csv", plainMails)
	s.land("folder/b.csv.gpg", good)
	for encryption, file := range map[string]string{open: "folder/a.csv", none: "folder/b.csv.gpg"} {
		if run := s.ingest(s.reading("mixed "+file, "folder", "folder", encryption), "{}"); run["status"] != "FAILED" || !strings.Contains(compact(run["error"]), file) {
			t.Errorf("mixed: %s", compact(run))
		}
	}
	if got := string(s.call("POST", ais+"/validate", fmt.Sprintf(`{"sourceSpec": {"path": "folder/b.csv.gpg", "type": "file", "cloudType": "DLZ", "encryption": %s}}`, open)).body); !strings.Contains(got, `"name":"mail"`) {
		t.Error("validate:", got)
	}
	explored := s.call("GET", flow[:strings.LastIndex(flow, "/")]+"/connectionSpecs/26f526f2-58f4-4712-961d-e41bf1ccc0e8/explore?objectType=file&preview=true&object="+url.QueryEscape("folder/b.csv.gpg"), "")
	if got := string(explored.body); !strings.Contains(got, "ada@example.com") {
		t.Error("explore:", got)
	}
	for body, want := range map[string]string{
		`{"publicKeyId": "8f3f4f0a-0e5f-4b0c-9a51-2f8f4a1c9d10"}`:                                                           "does not exist in sandbox",
		fmt.Sprintf(`{"publicKeyId": %q}`, s.customer):                                                                      "does not exist in sandbox",
		fmt.Sprintf(`{"publicKeyId": %q, "signVerificationKeyId": %q}`, s.key, s.key):                                       "does not exist in sandbox",
		fmt.Sprintf(`{"publicKeyId": %q, "signVerificationKeyId": %q, "signVerificationId": %q}`, s.key, s.customer, s.key): "differs from signVerificationKeyId",
		`{"signVerificationKeyId": "x"}`:                                                                                    "encryption.publicKeyId: is required",
	} {
		s.call("POST", ais+"/submit", fmt.Sprintf(`{"name": "x", "fields": [{"name": "mail", "type": "string", "identityNs": "Email"}], "originName": "CUSTOM_UPLOAD",
			"sourceSpec": {"path": "a.csv", "type": "file", "cloudType": "DLZ", "encryption": %s}}`, body)).refused(400, "100910-400", want)
	}
	s.call("POST", encryption+"keys", `{"encryptionAlgorithm": "RSA"}`).refused(400, "100910-400", "is not one of PGP, GPG")
	s.call("POST", encryption+"customer-keys", `{"encryptionAlgorithm": "PGP", "publicKey": "key"}`).refused(400, "100910-400", "export it by gpg")
}
