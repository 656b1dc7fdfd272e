package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"

	"roster/client"
	"roster/internal/audience"
)

// Keys administers PGP keys.
type Keys interface {
	CreateKey(ctx context.Context, a audience.Actor, k audience.Key) (audience.Key, error)
	AddCustomerKey(ctx context.Context, a audience.Actor, k audience.Key) (audience.Key, error)
	Keys(ctx context.Context, a audience.Actor, kind audience.KeyKind) ([]audience.Key, error)
	Key(ctx context.Context, a audience.Actor, kind audience.KeyKind, id audience.KeyID) (k audience.Key, expired bool, err error)
	DeleteKey(ctx context.Context, a audience.Actor, kind audience.KeyKind, id audience.KeyID) error
}

func (s *server) createKey(c *call) (answer, error) {
	var in client.NewKey
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	k, err := s.Service.CreateKey(c.Context(), c.actor, audience.Key{Name: in.Name, Algorithm: in.EncryptionAlgorithm})
	if err != nil {
		return answer{}, err
	}
	b := keyBody(&k)
	return answer{http.StatusCreated, client.EncryptionKey{PublicKeyID: b.PublicKeyID, PublicKey: b.PublicKey, ExpiryTime: b.ExpiryTime}}, nil
}

func (s *server) addCustomerKey(c *call) (answer, error) {
	var in client.CustomerKey
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	k, err := s.Service.AddCustomerKey(c.Context(), c.actor, audience.Key{Name: in.Name, Algorithm: in.EncryptionAlgorithm, Public: in.PublicKey})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, client.EncryptionKey{PublicKeyID: string(k.ID)}}, nil
}

// Keys of both kinds are listed, read and deleted in the same way.

func (s *server) listKeys(kind audience.KeyKind) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		list, err := s.Service.Keys(c.Context(), c.actor, kind)
		if err != nil {
			return answer{}, err
		}
		body := []client.EncryptionKey{}
		for i := range list {
			body = append(body, keyBody(&list[i]))
		}
		return answer{http.StatusOK, body}, nil
	}
}

func (s *server) key(kind audience.KeyKind) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		k, _, err := s.keyOf(c, kind)
		if err != nil {
			return answer{}, err
		}
		return answer{http.StatusOK, keyBody(&k)}, nil
	}
}

// validateKey reports whether a key pair has expired.
func (s *server) validateKey(c *call) (answer, error) {
	k, expired, err := s.keyOf(c, audience.OwnKey)
	if err != nil {
		return answer{}, err
	}
	status := "Active"
	if expired {
		status = "Expired"
	}
	return answer{http.StatusOK, client.KeyStatus{PublicKeyID: string(k.ID), Status: status}}, nil
}

func (s *server) keyOf(c *call, kind audience.KeyKind) (k audience.Key, expired bool, err error) {
	id, err := c.id("publicKeyId", "key")
	if err != nil {
		return audience.Key{}, false, err
	}
	return s.Service.Key(c.Context(), c.actor, kind, audience.KeyID(id))
}

func (s *server) deleteKey(kind audience.KeyKind) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		id, err := c.id("publicKeyId", "key")
		if err != nil {
			return answer{}, err
		}
		if err := s.Service.DeleteKey(c.Context(), c.actor, kind, audience.KeyID(id)); err != nil {
			return answer{}, err
		}
		return answer{status: http.StatusNoContent}, nil
	}
}

func keyBody(k *audience.Key) client.EncryptionKey {
	b := client.EncryptionKey{EncryptionAlgorithm: k.Algorithm, Name: k.Name, PublicKeyID: string(k.ID), KeyType: "ServerManaged",
		PublicKey: base64.StdEncoding.EncodeToString([]byte(k.Public))}
	if k.Kind == audience.CustomerKey {
		b.KeyType = "CustomerManaged"
	}
	if !k.ExpiresAt.IsZero() {
		b.ExpiryTime = strconv.FormatInt(k.ExpiresAt.Unix(), 10)
	}
	return b
}
