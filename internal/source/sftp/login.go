package sftp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"roster/internal/source"
)

// handshake is the longest time until a server has identified itself and accepted the user.
const handshake = 15 * time.Second

func parseKey(text, passPhrase string) (ssh.Signer, error) {
	pem := []byte(text)
	if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil {
		pem = decoded
	}
	var signer ssh.Signer
	var err error
	if passPhrase == "" {
		signer, err = ssh.ParsePrivateKey(pem)
	} else {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(pem, []byte(passPhrase))
	}
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("%w: the private key has a pass phrase, which is missing", source.ErrCredentials)
	case err != nil:
		return nil, fmt.Errorf("%w: the private key cannot be read, or the pass phrase is wrong", source.ErrCredentials)
	}
	return signer, nil
}

// answers answers questions with hidden answers with the password, and others with nothing.
func answers(password string, questions []string, shown []bool) []string {
	list := make([]string, len(questions))
	for i := range questions {
		if !shown[i] {
			list[i] = password
		}
	}
	return list
}

// without returns the algorithms except those of a type of keys; nil stands for all.
func without(algorithms []string, keyType string) []string {
	if algorithms == nil {
		algorithms = ssh.SupportedAlgorithms().HostKeys
	}
	return slices.DeleteFunc(slices.Clone(algorithms), func(a string) bool {
		return a == keyType || keyType == ssh.KeyAlgoRSA && (a == ssh.KeyAlgoRSASHA256 || a == ssh.KeyAlgoRSASHA512) ||
			strings.Contains(keyType, "-cert-") && strings.Contains(a, "-cert-")
	})
}

// login connects. It also returns the server's key if that is not the pinned one.
func (s *Store) login(ctx context.Context, address string, algorithms []string) (shown ssh.PublicKey, err error) {
	within, done := context.WithTimeout(ctx, handshake)
	defer done()
	raw, err := s.cfg.Dial(within, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(within, func() { raw.Close() })
	defer stop()
	var wrong error
	conn, chans, reqs, err := ssh.NewClientConn(raw, address, &ssh.ClientConfig{User: s.cfg.User, Auth: s.auth, HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if wrong = s.known(key); wrong != nil {
				shown = key
			}
			return wrong
		}})
	if err != nil {
		raw.Close()
		switch {
		case wrong != nil:
			return shown, wrong
		case within.Err() != nil && ctx.Err() == nil:
			return nil, fmt.Errorf("%w: it has not accepted the user within %s", source.ErrFailed, handshake)
		case strings.Contains(err.Error(), "unable to authenticate"), strings.Contains(err.Error(), noQuestion):
			return nil, fmt.Errorf("%w: the server does not accept this user with this password or key", source.ErrCredentials)
		}
		return nil, err
	}
	client := ssh.NewClient(conn, chans, reqs)
	files, err := sftp.NewClient(client)
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("%w: the server accepts the user, but does not start SFTP", source.ErrFailed)
	}
	if !stop() {
		return nil, errors.Join(context.Cause(within), client.Close())
	}
	s.client, s.conn = files, client
	return nil, nil
}

// noQuestion is the library's error for a server that refuses the user without asking a question.
const noQuestion = "unexpected message type 51 (expected 60)"

// known checks the key of the server.
func (s *Store) known(key ssh.PublicKey) error {
	print := ssh.FingerprintSHA256(key)
	pinned := strings.Fields(s.cfg.HostKey)
	if len(pinned) == 0 {
		return fmt.Errorf("%w: the server's key is not known; it is %s: if that is right, set hostKey to it", source.ErrCredentials, print)
	}
	if slices.Contains(pinned, print) || slices.Contains(pinned, base64.StdEncoding.EncodeToString(key.Marshal())) {
		return nil
	}
	return fmt.Errorf("%w: the server's key differs from hostKey: it is %s; either the key was changed, or somebody intercepts the connection", source.ErrCredentials, print)
}
