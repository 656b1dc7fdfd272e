package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roster/client"
	"roster/internal/app"
	"roster/internal/auth"
)

// verifyOptions are the flags of the command verify.
type verifyOptions struct {
	receipt      string // a file, or "-" for standard input
	server, jwks string // sources of the keys; both "" for the data directory
	asJSON       bool
}

// verification is what `roster verify --json` prints.
type verification struct {
	Valid   bool            `json:"valid"`
	Faults  []string        `json:"faults"` // the checks that failed
	Receipt *client.Receipt `json:"receipt,omitempty"`
	// Certificate is set for an erasure, instead of Receipt.
	Certificate *client.ErasureCertificate `json:"certificate,omitempty"`
}

func newVerify() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify RECEIPT",
		Short: "Check the receipt of a run, or the certificate of an erasure",
		Long: "Check that a receipt was signed with the server's key, that it was not changed, and that its ledger adds " +
			"up. RECEIPT is a file with the answer of GET …/runs/RUN/receipt or GET …/erasures/ERASURE/certificate, or " +
			"- for standard input. The server's public keys come from the data directory, from a server, or from a " +
			"file that was saved from its /.well-known/jwks.json. Keys in the receipt itself are never used.\n\nExit " +
			"codes: 0 the receipt is valid, 1 it is not, 2 the check failed.",
		Example: "  roster verify receipt.json\n" +
			"  roster verify receipt.json --server https://roster.example.com",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.receipt = args[0]
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return runVerify(cmd, o, cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.server, "server", "", "address (`URL`) of the server whose keys are used")
	f.StringVar(&o.jwks, "jwks", "", "`FILE` with the server's keys, a JSON Web Key Set")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON document to standard output")
	addSettings(cmd, "data-dir")
	return cmd
}

// keysTimeout is the longest wait for the server's keys.
const keysTimeout = 30 * time.Second

func runVerify(cmd *cobra.Command, o verifyOptions, cfg app.Config) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), keysTimeout)
	defer cancel()
	keys, err := o.keys(ctx, cfg)
	if err != nil {
		return usagef("the server's keys: %w", named(err))
	}
	text, err := readReceipt(cmd.InOrStdin(), o.receipt)
	if err != nil {
		return usagef("the receipt: %w", named(err))
	}
	v, err := verifyReceipt(text, keys)
	if err != nil {
		return usagef("the receipt was not checked: %w", err)
	}
	if o.asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(v)
	} else {
		err = v.show(cmd.OutOrStdout())
	}
	if err == nil && !v.Valid {
		err = &exitError{exitFailed, errReported}
	}
	return err
}

// keys returns the public keys of the server.
func (o verifyOptions) keys(ctx context.Context, cfg app.Config) ([]byte, error) {
	switch {
	case o.server != "" && o.jwks != "":
		return nil, errors.New("--server and --jwks exclude each other")
	case o.server != "":
		if err := checkAddress(o.server); err != nil {
			return nil, err
		}
		return client.Keys(ctx, o.server)
	case o.jwks != "":
		return os.ReadFile(o.jwks)
	}
	if !app.IsDataDir(cfg.DataDir) {
		return nil, noDataDir(cfg.DataDir, "name one with --data-dir, a server with --server, or a file with a server's keys with --jwks")
	}
	return auth.PublicKeys(app.KeyPath(cfg.DataDir))
}

// maxReceipt is the longest receipt that is read. Receipts of runs with many files are long.
const maxReceipt = 1 << 30

func readReceipt(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxReceipt+1))
	if err == nil && len(text) > maxReceipt {
		err = fmt.Errorf("the receipt is longer than %d bytes", maxReceipt)
	}
	return text, err
}

// verifyReceipt checks a receipt. It uses only the signed content, and ignores what stands beside the signature. It
// returns an error if it cannot check the receipt.
func verifyReceipt(text, keys []byte) (verification, error) {
	bad := func(format string, args ...any) (verification, error) {
		return verification{Faults: []string{fmt.Sprintf(format, args...)}}, nil
	}
	var certificate client.SignedCertificate
	if err := json.Unmarshal(text, &certificate); err == nil && len(certificate.Certificate) > 0 {
		return verifyCertificate(text, certificate.Signature, keys)
	}
	var signed client.SignedReceipt
	if err := json.Unmarshal(text, &signed); err != nil || signed.Signature == "" || len(signed.Receipt) == 0 {
		return bad("this is not a receipt: a receipt is a JSON object with the members receipt and signature")
	}
	payload, err := auth.VerifyReceipt(signed.Signature, keys)
	if errors.Is(err, auth.ErrNoKeys) {
		return verification{}, err
	}
	if err != nil {
		return bad("%v", err)
	}
	genuine, err := json.Marshal(client.SignedReceipt{Receipt: payload, Signature: signed.Signature})
	if err != nil || !sameJSON(text, genuine) {
		return bad("the receipt was changed after it was signed")
	}
	var r client.Receipt
	if err := json.Unmarshal(payload, &r); err != nil || r.Version != client.ReceiptVersion {
		return verification{}, fmt.Errorf("the receipt has version %d, which this program does not know; use a newer Roster", r.Version)
	}
	faults := r.Faults()
	return verification{Valid: len(faults) == 0, Faults: append([]string{}, faults...), Receipt: &r}, nil
}

// verifyCertificate checks the certificate of an erasure, as verifyReceipt does a receipt.
func verifyCertificate(text []byte, signature string, keys []byte) (verification, error) {
	payload, err := auth.VerifyCertificate(signature, keys)
	if errors.Is(err, auth.ErrNoKeys) {
		return verification{}, err
	}
	if err != nil {
		return verification{Faults: []string{err.Error()}}, nil
	}
	genuine, err := json.Marshal(client.SignedCertificate{Certificate: payload, Signature: signature})
	if err != nil || !sameJSON(text, genuine) {
		return verification{Faults: []string{"the certificate was changed after it was signed"}}, nil
	}
	var c client.ErasureCertificate
	if err := json.Unmarshal(payload, &c); err != nil || c.Version != client.CertificateVersion {
		return verification{}, fmt.Errorf("the certificate has version %d, which this program does not know; use a newer Roster", c.Version)
	}
	return verification{Valid: true, Faults: []string{}, Certificate: &c}, nil
}

// sameJSON reports whether two documents have the same content, regardless of their layout. A duplicate name in an
// object is a difference, because readers do not agree on which of the two counts.
func sameJSON(a, b []byte) bool {
	valueA, tokensA := parseJSON(a)
	valueB, tokensB := parseJSON(b)
	return tokensA == tokensB && reflect.DeepEqual(valueA, valueB)
}

// parseJSON returns the value of a document and its number of tokens. The value hides duplicate names in an object, but
// the number of tokens shows them. The value is nil if the text is not JSON.
func parseJSON(text []byte) (value any, tokens int) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, 0
	}
	for d = json.NewDecoder(bytes.NewReader(text)); ; tokens++ {
		if _, err := d.Token(); err != nil {
			return value, tokens
		}
	}
}

// show writes the result for people.
func (v verification) show(out io.Writer) error {
	var b strings.Builder
	switch {
	case !v.Valid:
		fmt.Fprintf(&b, "NOT VALID\n  %s\n", strings.Join(v.Faults, "\n  "))
	case v.Certificate != nil:
		c := v.Certificate
		b.WriteString("VALID: signed by the server, and unchanged.\n")
		fmt.Fprintf(&b, "  erased    %s, an identity of the namespace %s\n", c.XID, c.Namespace)
		fmt.Fprintf(&b, "  from      sandbox %s of %s: %d audiences had data of it\n", c.Sandbox, c.Organization, len(c.Audiences))
		fmt.Fprintf(&b, "  erasure   %s, ended %s\n", c.ErasureID, time.Unix(c.EndedAt, 0).UTC().Format(time.RFC3339))
	default:
		r := v.Receipt
		b.WriteString("VALID: signed by the server, unchanged, and its ledger adds up.\n")
		fmt.Fprintf(&b, "  audience  %s (%s), sandbox %s of %s\n", r.AudienceName, r.AudienceID, r.Sandbox, r.Organization)
		fmt.Fprintf(&b, "  run       %s, number %d, ended %s\n", r.RunID, r.Seq, time.Unix(r.EndedAt, 0).UTC().Format(time.RFC3339))
		fmt.Fprintf(&b, "  files     %d\n", len(r.Files))
		fmt.Fprintf(&b, "  rows      %s read, %s rejected\n", count(r.Rows.Read), count(r.Rows.Rejected))
		fmt.Fprintf(&b, "  members   %s before, %s after\n", count(r.Members.Before), count(r.Members.After))
		fmt.Fprintf(&b, "  dataset   %s, snapshot %s\n", r.Dataset.Location, r.Dataset.SnapshotID)
		fmt.Fprintf(&b, "  content   %s = %s\n", r.ContentSum.Algorithm, r.ContentSum.Value)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
