package importing

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
)

// byImport is the description of connections and namespaces that an import creates.
const byImport = "created by roster import"

// useExisting adapts the import to an existing audience. If an import made the audience and it never had a member, and
// the file now suggests another definition, the audience is replaced, because its definition was a guess. Any other
// audience must match the file.
func (im *Import) useExisting(ctx context.Context, a client.Audience) (client.Audience, error) {
	differences := im.differences(ctx, a)
	guess, err := im.onlyGuessed(ctx, a)
	if err != nil {
		return a, err
	}
	if guess && (len(differences) > 0 || im.describesAnew(a)) {
		return im.redefine(ctx, a)
	}
	im.has = a.Fields
	if place, err := im.findHeader(ctx); err == nil && !place.Looks && !im.headerless() && len(differences) > 0 {
		return a, usagef("the file does not match the audience %q: %s. The first line of %s does not look like a header. %s", im.Name, strings.Join(differences, "; "), im.file.Name, im.headerOptions())
	}
	im.showColumns(ctx)
	if len(differences) > 0 {
		return a, &MismatchError{im.Name, differences}
	}
	im.Result.MissingColumns = im.missing(a)
	return im.applySettings(ctx, a)
}

// applySettings gives an audience that exists the guards and the time of its members that the request names. A dry run
// leaves the audience as it is.
func (im *Import) applySettings(ctx context.Context, a client.Audience) (_ client.Audience, err error) {
	if im.DryRun {
		return a, nil
	}
	if a, err = im.guard(ctx, a); err != nil {
		return a, err
	}
	if im.TTLDays == nil || *im.TTLDays == a.TTLInDays {
		return a, nil
	}
	if _, err := im.api.UpdateAudience(ctx, a.AudienceID, client.AudiencePatch{TTLInDays: im.TTLDays}); err != nil {
		return a, err
	}
	im.tell("Members of %q now expire %d days after the last run that contained them.", im.Name, *im.TTLDays)
	return a, nil
}

// differences lists how the audience differs from the file and the request.
func (im *Import) differences(ctx context.Context, a client.Audience) (list []string) {
	file := im.Result.Fields
	express := a.ExpressActivation != nil && *a.ExpressActivation
	if im.ExpressActivation && !express {
		list = append(list, "it has one row per person, without expressActivation")
	}
	for i, old := range a.Fields {
		at := fieldNamed(file, old.Name)
		if at < 0 {
			if i == primary(a.Fields) {
				why := fmt.Sprintf("the file has no column %s, which identifies a member (%s)", old.Name, old.IdentityNs)
				if line := im.headerLine(ctx, old.Name); line != "" {
					why = line
				}
				list = append(list, why)
			} else if slices.ContainsFunc(im.found.Columns, func(c tabular.Column) bool { return audience.SameName(c.Name, old.Name) }) {
				list = append(list, fmt.Sprintf("%s leaves out %s, which the audience has", im.option("columns"), old.Name))
			}
			continue
		}
		switch f := file[at]; {
		case im.headerless() && at != i:
			list = append(list, fmt.Sprintf("%s is column %d of the file and field %d of the audience", old.Name, at+1, i+1))
		case f.IdentityNs != "" && old.IdentityNs != f.IdentityNs:
			list = append(list, fmt.Sprintf("%s is %s there, not an identity of %s", old.Name, identityText(old), f.IdentityNs))
		case im.typeGiven(f.Name) && old.Type != f.Type:
			list = append(list, fmt.Sprintf("%s has the type %s there, not %s", old.Name, old.Type, f.Type))
		case f.Role != "" && old.Role != f.Role:
			list = append(list, fmt.Sprintf("%s is not a delete flag there", old.Name))
		}
	}
	for _, f := range file {
		if (f.IdentityNs != "" || f.Role != "") && fieldNamed(a.Fields, f.Name) < 0 {
			list = append(list, fmt.Sprintf("it has no field %s", f.Name))
		}
	}
	return list
}

func identityText(f client.Field) string {
	if f.IdentityNs == "" {
		return "no identity"
	}
	return "an identity of " + f.IdentityNs
}

// primary returns the index of the field whose values identify members.
func primary(fields []client.Field) int {
	return slices.IndexFunc(fields, func(f client.Field) bool { return f.IdentityNs != "" })
}

func fieldNamed(fields []client.Field, name string) int {
	return slices.IndexFunc(fields, func(f client.Field) bool { return audience.SameName(f.Name, name) })
}

// missing lists the fields of the audience for which the file has no column.
func (im *Import) missing(a client.Audience) (names []string) {
	for _, f := range a.Fields {
		if fieldNamed(im.Result.Fields, f.Name) < 0 {
			names = append(names, f.Name)
		}
	}
	return names
}

// describesAnew reports whether a new audience for the file would have other fields or another format.
func (im *Import) describesAnew(a client.Audience) bool {
	return !reflect.DeepEqual(im.Result.Fields, a.Fields) || !reflect.DeepEqual(im.submitted(), a.SourceSpec.Where().Format)
}

// onlyGuessed reports whether an import inferred the audience's definition, nothing was added to it since, and no run
// ever added a member.
func (im *Import) onlyGuessed(ctx context.Context, a client.Audience) (bool, error) {
	labelled := slices.ContainsFunc(a.Fields, func(f client.Field) bool { return len(f.Labels) > 0 })
	if labelled || len(a.Labels) > 0 || len(a.Tags) > 0 || a.Description != "" || a.Schedule != nil || a.AudienceMeta == nil || a.AudienceMeta.Members > 0 {
		return false, nil
	}
	if ours, err := im.readsOurPlace(ctx, a); err != nil || !ours {
		return false, err
	}
	list, err := im.api.Runs(ctx, a.AudienceID, nil)
	if err != nil {
		return false, err
	}
	had := slices.ContainsFunc(list.Runs, func(r client.Run) bool {
		return r.Status == client.Processing || r.Status == client.Success && !r.DryRun && MembersOf(r).After > 0
	})
	return !had && list.Page.Next == "", nil
}

// readsOurPlace reports whether the audience reads its files from the place that this command uses.
func (im *Import) readsOurPlace(ctx context.Context, a client.Audience) (bool, error) {
	where := a.SourceSpec.Where()
	if where.BaseConnectionID == "" {
		return where.Path == im.landingPath(), nil
	}
	conn, err := im.api.Connection(ctx, where.BaseConnectionID)
	return err == nil && conn.Description == byImport, err
}

// redefine replaces an audience that never had a member.
func (im *Import) redefine(ctx context.Context, a client.Audience) (client.Audience, error) {
	if im.DryRun {
		return a, errNoAudience
	}
	im.tell("The audience %q never had a member; it is created again from this file and command.", im.Name)
	im.showColumns(ctx)
	if im.TTLDays == nil {
		im.TTLDays = &a.TTLInDays
	}
	im.ExpressActivation = im.ExpressActivation || a.ExpressActivation != nil && *a.ExpressActivation
	if err := im.widen(ctx); err != nil {
		return a, err
	}
	if err := im.api.DeleteAudience(ctx, a.AudienceID); err != nil {
		return a, err
	}
	return im.create(ctx)
}

// errNoAudience means that there is no audience for a dry run.
var errNoAudience = errors.New("no audience like that yet")

// deliver makes sure that the audience's next run reads the file: it uploads the file to the audience's place in the
// landing zone, or the audience reads the file in place. restore undoes what a dry run has changed for that.
func (im *Import) deliver(ctx context.Context, a client.Audience) (restore func() error, err error) {
	restore = func() error { return nil }
	if im.Result.Created {
		return restore, nil // its source is this file
	}
	where := a.SourceSpec.Where()
	if where.Type != string(audience.PathFile) {
		return restore, usagef("the audience %q reads the folder %s; put the file there and start a run, or choose another %s", im.Name, where.Path, im.option("name"))
	}
	want := where
	want.Format = im.submitted()
	if ours, err := im.readsOurPlace(ctx, a); err != nil {
		return restore, err
	} else if !ours && (where.BaseConnectionID != "" || strings.ContainsAny(where.Path, "*?")) {
		return restore, usagef("the audience %q reads %s, which this command did not set up; put the file there and start a run, or choose another %s", im.Name, where.Path, im.option("name"))
	}
	switch {
	case where.BaseConnectionID == "":
		err = im.upload(ctx, where.Path)
	case im.inPlace:
		want.BaseConnectionID, err = im.folderConnection(ctx)
		want.Path = im.file.base()
	default:
		want.Path, want.BaseConnectionID, want.CloudType = im.landingPath(), "", audience.CloudLanding
		err = im.upload(ctx, want.Path)
	}
	if err != nil || reflect.DeepEqual(want, where) {
		return restore, err
	}
	if _, err := im.api.ChangeSource(ctx, a.AudienceID, client.SourceSpec{SourceParams: want}); err != nil {
		return restore, err
	}
	if im.DryRun {
		restore = func() error {
			_, err := im.api.ChangeSource(context.WithoutCancel(ctx), a.AudienceID, client.SourceSpec{SourceParams: where})
			return err
		}
	}
	return restore, nil
}
