package control

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"roster/internal/audience"
)

// audienceFacts are the properties of an audience in the audit log. Texts that people write may hold personal data;
// only the name is told.
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

// listed is a copy of the texts in order; no list and an empty one are alike.
func listed(texts []string) []string {
	return append([]string{}, slices.Sorted(slices.Values(texts))...)
}

// digest tells texts from others without telling what they say; "" of nothing.
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

// connectionFacts are those of a stored connection. Of its parameters only the names are told, and of its secrets
// whether there are any.
func connectionFacts(c *audience.Connection) map[string]any {
	return map[string]any{"name": c.Name, "description": digest(c.Description), "connectionSpec": c.SpecID, "auth": c.AuthSpec,
		"params": slices.Sorted(maps.Keys(c.Params)), "secrets": c.Sealed != ""}
}

// keyFacts are those of a PGP key.
func keyFacts(k *audience.Key) map[string]any {
	return map[string]any{"kind": k.Kind, "name": k.Name, "encryptionAlgorithm": k.Algorithm, "publicKey": digest(k.Public), "expiresAt": k.ExpiresAt}
}

// clientFacts are the properties of an API client in the audit log.
func clientFacts(c *audience.Client) map[string]any {
	roles := map[string]audience.ClientRole{}
	maps.Copy(roles, c.Roles)
	return map[string]any{"name": c.Name, "roles": roles, "labels": listed(c.Grants)}
}
