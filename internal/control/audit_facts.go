package control

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"roster/internal/audience"
)

// audienceFacts returns the properties of an audience for the audit log. Of the texts that people write, which may
// contain personal data, it includes only the name.
func audienceFacts(a *audience.Audience) map[string]any {
	fields := map[string]any{}
	for _, f := range a.Fields {
		fields[f.Name] = map[string]any{"type": f.Type, "identityNs": f.IdentityNs, "role": f.Role, "labels": listed(f.Labels)}
	}
	return map[string]any{
		"name": a.Name, "description": digest(a.Description), "fields": fields, "labels": listed(a.Labels), "tags": digest(a.Tags...),
		"ttlInDays": a.TTLDays, "lifecycleState": a.State, "guards": a.Guards, "schedule": a.Schedule, "keepRejectedRows": a.KeepRejectedRows, "payload": !a.NoPayload, "expressActivation": a.ExpressActivation,
		"connection": a.Source.BaseConnectionID, "path": a.Source.Path, "encryption": a.Source.Encryption,
	}
}

// listed returns a sorted copy of the texts; nil and an empty list give the same result.
func listed(texts []string) []string {
	return append([]string{}, slices.Sorted(slices.Values(texts))...)
}

// digest identifies texts without revealing them; "" for no text.
func digest(texts ...string) string {
	if len(texts) == 0 || len(texts) == 1 && texts[0] == "" {
		return ""
	}
	sum := sha256.New()
	for _, t := range texts {
		sum.Write([]byte(t))
		sum.Write([]byte{0})
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)[:8])
}

// connectionFacts returns the properties of a stored connection: of its parameters only the names, and of its secrets
// only whether there are any.
func connectionFacts(c *audience.Connection) map[string]any {
	return map[string]any{"name": c.Name, "description": digest(c.Description), "connectionSpec": c.SpecID, "auth": c.AuthSpec,
		"params": slices.Sorted(maps.Keys(c.Params)), "secrets": c.Sealed != ""}
}

// keyFacts returns the properties of a PGP key.
func keyFacts(k *audience.Key) map[string]any {
	return map[string]any{"kind": k.Kind, "name": k.Name, "encryptionAlgorithm": k.Algorithm, "publicKey": digest(k.Public), "expiresAt": k.ExpiresAt}
}

// clientFacts returns the properties of an API client for the audit log.
func clientFacts(c *audience.Client) map[string]any {
	roles := map[string]audience.ClientRole{}
	maps.Copy(roles, c.Roles)
	return map[string]any{"name": c.Name, "roles": roles, "labels": listed(c.Grants)}
}
