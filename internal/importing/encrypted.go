package importing

import (
	"context"
	"strings"

	"roster/client"
)

// intoEncrypted brings an encrypted file into an audience that demands encrypted files. The server has the key of the
// audience, this machine has none: the file is taken as it is, with the fields and the format of the audience.
func (im *Import) intoEncrypted(ctx context.Context, a client.Audience) error {
	if !im.encrypted {
		key := a.SourceSpec.Where().Encryption.PublicKeyID
		return usagef("%s is not encrypted, and the audience %q reads only files that are encrypted for its key %s. "+
			"Encrypt the file for the public key that GET /data/foundation/connectors/encryption/keys/%s answers, and import the encrypted file", im.file.Name, im.Name, key, key)
	}
	if options := im.describing(); len(options) > 0 {
		return usagef("%s is encrypted, so import cannot hold %s against its columns. Leave this out: the audience %q has its own fields and format",
			im.file.Name, strings.Join(options, ", "), im.Name)
	}
	im.audienceFormat = formatOf(a)
	im.tell("%s is encrypted: import does not look at its columns, and the audience %q reads it by its own fields and format.", im.file.base(), im.Name)
	a, err := im.applySettings(ctx, a)
	if err != nil {
		return err
	}
	im.Result.AudienceID, im.Result.Fields = a.AudienceID, a.Fields
	return im.runAudience(ctx, a)
}

// describing lists the members of the request that describe the columns or the format of the file.
func (im *Import) describing() (options []string) {
	for _, member := range []struct {
		name string
		set  bool
	}{
		{"identities", len(im.Identities) > 0}, {"columns", len(im.Columns) > 0}, {"types", len(im.Types) > 0},
		{"deleteColumn", im.DeleteColumn != ""}, {"expressActivation", im.ExpressActivation},
	} {
		if member.set {
			options = append(options, im.option(member.name))
		}
	}
	for _, name := range im.Given {
		options = append(options, im.option(name))
	}
	return options
}
