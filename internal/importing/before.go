package importing

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
)

// readAsBefore reads the file with the audience's format where the person sets nothing else, and takes the identities
// from the audience if the person names none. If the file clearly has another format, that one is used; showFormat
// reports it.
func (im *Import) readAsBefore(ctx context.Context, a client.Audience) error {
	has, identified := formatOf(a), len(im.Identities) > 0
	if identified && im.unread == nil && reflect.DeepEqual(has, audience.Format{}) {
		return nil // the file was already read so
	}
	im.before, im.hadFormat = a.Fields, has
	names := im.unread == nil && im.hasColumn(a.Fields[primary(a.Fields)].Name)
	if has.Encoding != "utf-8" && (im.utf8 || names && strings.HasPrefix(has.Encoding, "utf-16")) {
		has.Encoding = "" // the file shows that it is UTF-8
	}
	if err := im.lookAsBefore(ctx, a, has); err != nil {
		return err
	}
	if !identified { // a missing column is reported as a difference
		for _, f := range a.Fields {
			if f.IdentityNs != "" && (im.headerless() || im.hasColumn(f.Name)) {
				im.Identities = append(im.Identities, Identity{f.Name, f.IdentityNs})
			}
		}
	}
	return im.makeFields(ctx)
}

// lookAsBefore reads the file with the audience's format options, as long as the column that identifies members can be
// found with them.
func (im *Import) lookAsBefore(ctx context.Context, a client.Audience, has audience.Format) error {
	im.audienceFormat = has
	err := im.lookFor(ctx, a)
	for _, members := range [][]string{{"skipLines", "comment"}, {"delimiter", "quote", "escape"}, {"encoding"}, {"type", "compression"}} {
		if err == nil {
			return nil
		}
		for _, option := range formatOptions {
			if slices.Contains(members, option.member) {
				option.clear(&im.audienceFormat)
			}
		}
		err = im.lookFor(ctx, a)
	}
	if err == nil {
		return nil
	}
	itself := im.audienceFormat
	im.audienceFormat = has
	if err := im.look(ctx); err == nil {
		return nil // the missing column is reported as a difference
	}
	im.audienceFormat = itself
	return im.look(ctx)
}

// lookFor reads the file, which must have the column that identifies the audience's members.
func (im *Import) lookFor(ctx context.Context, a client.Audience) error {
	err := im.look(ctx)
	if name := a.Fields[primary(a.Fields)].Name; err == nil && !im.headerless() && !im.hasColumn(name) {
		err = fmt.Errorf("%s has no column %s", im.file.Name, name)
	}
	return err
}

func (im *Import) hasColumn(name string) bool {
	return slices.ContainsFunc(im.found.Columns, func(c tabular.Column) bool { return audience.SameName(c.Name, name) })
}

// showFormat shows the format options that the person did not set: those of the audience, and those that were detected.
// It also shows the audience's options that do not apply to this file; the audience will not use them for its next
// files either.
func (im *Import) showFormat() {
	name := im.file.base()
	now, given := im.said(im.format()), im.said(im.Format)
	var kept, left []string
	for _, option := range im.said(im.hadFormat) {
		switch {
		case !slices.Contains(now, option):
			left = append(left, option)
		case !slices.Contains(given, option):
			kept = append(kept, option)
		}
	}
	if len(kept) > 0 {
		im.tell("Read as the audience %q reads its files: %s.", im.Name, strings.Join(kept, ", "))
	}
	if len(left) > 0 {
		im.tell("Read without %s, which the audience %q used until now: it will read the next files like this one.", strings.Join(left, ", "), im.Name)
	}
	for _, option := range im.foundOut {
		im.tell("Detected from %s: %s.", name, option)
	}
}
