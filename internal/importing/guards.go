package importing

import (
	"context"
	"reflect"

	"roster/client"
)

// guard updates the guards of an existing audience with those of the request.
func (im *Import) guard(ctx context.Context, a client.Audience) (client.Audience, error) {
	var p client.AudiencePatch
	if g := im.guards(a.Guards); !reflect.DeepEqual(g, a.Guards) {
		p.Guards = g
	}
	if im.KeepRejectedRows && !a.KeepRejectedRows {
		p.KeepRejectedRows = &im.KeepRejectedRows
	}
	if p.Guards == nil && p.KeepRejectedRows == nil {
		return a, nil
	}
	if _, err := im.api.UpdateAudience(ctx, a.AudienceID, p); err != nil {
		return a, err
	}
	return im.api.Audience(ctx, a.AudienceID)
}

// guards returns the guards of an audience with the changes of the request.
func (im *Import) guards(g *client.Guards) *client.Guards {
	if im.MaxRejectedPercent == nil && !im.AnyIdentity {
		return g
	}
	changed := client.Guards{}
	if g != nil {
		changed = *g
	}
	if im.MaxRejectedPercent != nil {
		changed.MaxRejectedPercent = im.MaxRejectedPercent
	}
	changed.AllowAnyIdentity = changed.AllowAnyIdentity || im.AnyIdentity
	return &changed
}
