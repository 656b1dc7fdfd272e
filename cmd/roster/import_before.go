package main

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
)

// readAsBefore reads the file as the audience reads its files, where no flag says otherwise, and takes the identities from
// the audience when no flag names one. A file that is plainly written in another way is read in its own; showFormat tells.
func (im *importer) readAsBefore(ctx context.Context, a client.Audience) error {
	has, identified := formatOf(a), len(im.identities) > 0
	if identified && im.unread == nil && reflect.DeepEqual(has, audience.Format{}) {
		return nil // it was read so
	}
	im.before, im.hadFormat = a.Fields, has
	names := im.unread == nil && im.hasColumn(a.Fields[primary(a.Fields)].Name)
	if has.Encoding != "utf-8" && (im.utf8 || names && strings.HasPrefix(has.Encoding, "utf-16")) {
		has.Encoding = "" // the file shows that it is UTF-8
	}
	if err := im.lookAsBefore(ctx, a, has); err != nil {
		return err
	}
	if !identified { // a column that the file lacks is told as a difference
		for _, f := range a.Fields {
			if f.IdentityNs != "" && (im.headerless() || im.hasColumn(f.Name)) {
				im.identities = append(im.identities, f.Name+"="+f.IdentityNs)
			}
		}
	}
	return im.makeFields(ctx)
}

// lookAsBefore looks at the file by the options of the audience, as far as they let the column be found that makes its members.
func (im *importer) lookAsBefore(ctx context.Context, a client.Audience, has audience.Format) error {
	im.format.audience = has
	err := im.lookFor(ctx, a)
	for _, members := range [][]string{{"skipLines", "comment"}, {"delimiter", "quote", "escape"}, {"encoding"}, {"type", "compression"}} {
		if err == nil {
			return nil
		}
		for _, option := range formatOptions {
			if slices.Contains(members, option.member) {
				option.clear(&im.format.audience)
			}
		}
		err = im.lookFor(ctx, a)
	}
	if err == nil {
		return nil
	}
	itself := im.format.audience
	im.format.audience = has
	if err := im.look(ctx); err == nil {
		return nil // the missing column is told as a difference
	}
	im.format.audience = itself
	return im.look(ctx)
}

// lookFor looks at the file, which must have the column that makes the audience's members.
func (im *importer) lookFor(ctx context.Context, a client.Audience) error {
	err := im.look(ctx)
	if name := a.Fields[primary(a.Fields)].Name; err == nil && !im.headerless() && !im.hasColumn(name) {
		err = fmt.Errorf("%s has no column %s", im.file, name)
	}
	return err
}

func (im *importer) hasColumn(name string) bool {
	return slices.ContainsFunc(im.found.Columns, func(c tabular.Column) bool { return strings.EqualFold(c.Name, name) })
}

// showFormat shows by which options the file is read that no flag says: those of the audience, and those that were found out. It tells
// which options of the audience this file is read without; the audience reads its next files so, too.
func (im *importer) showFormat() {
	name := filepath.Base(im.path)
	now, flags := said(im.format.domain()), said(im.format.given())
	var kept, left []string
	for _, option := range said(im.hadFormat) {
		switch {
		case !slices.Contains(now, option):
			left = append(left, option)
		case !slices.Contains(flags, option):
			kept = append(kept, option)
		}
	}
	if len(kept) > 0 {
		fmt.Fprintf(im.out, "Read as the audience %q reads its files: %s.\n", im.name, strings.Join(kept, ", "))
	}
	if len(left) > 0 {
		fmt.Fprintf(im.out, "Read without %s, by which the audience %q read its files until now: it reads the next ones as this one.\n", strings.Join(left, ", "), im.name)
	}
	for _, option := range im.foundOut {
		fmt.Fprintf(im.out, "Found out from %s: %s.\n", name, option)
	}
}
