package main

import (
	"context"
	"reflect"

	"roster/client"
)

// guard gives an audience that exists the guards that the flags ask for.
func (im *importer) guard(ctx context.Context, a client.Audience) (client.Audience, error) {
	var p client.AudiencePatch
	if g := im.guards(a.Guards); !reflect.DeepEqual(g, a.Guards) {
		p.Guards = g
	}
	if im.keepRejectedRows && !a.KeepRejectedRows {
		p.KeepRejectedRows = &im.keepRejectedRows
	}
	if p.Guards == nil && p.KeepRejectedRows == nil {
		return a, nil
	}
	if _, err := im.client.UpdateAudience(ctx, a.AudienceID, p); err != nil {
		return a, err
	}
	return im.client.Audience(ctx, a.AudienceID)
}

// guards returns the guards of an audience as the flags change them.
func (im *importer) guards(g *client.Guards) *client.Guards {
	if im.maxRejected == nil && !im.anyIdentity {
		return g
	}
	changed := client.Guards{}
	if g != nil {
		changed = *g
	}
	if im.maxRejected != nil {
		changed.MaxRejectedPercent = im.maxRejected
	}
	changed.AllowAnyIdentity = changed.AllowAnyIdentity || im.anyIdentity
	return &changed
}
