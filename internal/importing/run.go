package importing

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"time"

	"roster/client"
)

// Into imports the file into its audience on a server: it creates the audience if there is none, and waits for a run
// that reads the file. The run may have failed; see Verdict. inPlace means that the server can read the file in place.
func (im *Import) Into(ctx context.Context, api API, inPlace bool) error {
	im.api, im.inPlace = api, inPlace
	a, alike, found, err := im.api.AudienceNamed(ctx, im.Name)
	if err != nil {
		return err
	}
	if len(alike) > 0 {
		im.tell("There is also an audience %q; names differ in upper and lower case.", alike[0])
	}
	switch {
	case !found && im.unread != nil:
		return im.unread
	case found && a.SourceSpec.Where().Encryption != nil:
		return im.intoEncrypted(ctx, a)
	case found && im.encrypted:
		return usagef("%s is encrypted or signed by PGP, and the audience %q names no key that opens its files. Decrypt the file first, or name the key of all of its files: "+
			"PATCH /data/core/ais/external-audience/%s with sourceSpec.encryption", im.file.Name, im.Name, a.AudienceID)
	}
	if found {
		if err := im.readAsBefore(ctx, a); err != nil {
			return err
		}
	}
	if err := im.resolveNamespaces(ctx); err != nil {
		return err
	}
	if found {
		a, err = im.useExisting(ctx, a)
		if errors.Is(err, errNoAudience) {
			found = false
		} else if err != nil {
			return err
		}
	}
	if !found {
		if a, err = im.fromNothing(ctx); err != nil || im.DryRun {
			return err
		}
	}
	im.Result.AudienceID, im.Result.Fields = a.AudienceID, a.Fields
	return im.runAudience(ctx, a)
}

// fromNothing creates the audience, or only does a dry run.
func (im *Import) fromNothing(ctx context.Context) (client.Audience, error) {
	if err := im.identified(ctx); err != nil {
		return client.Audience{}, err
	}
	im.showColumns(ctx)
	if err := im.widen(ctx); err != nil {
		return client.Audience{}, err
	}
	if im.DryRun {
		return client.Audience{}, im.dryRun(ctx)
	}
	return im.create(ctx)
}

// runAudience waits for the run in progress if there is one. Otherwise it starts one, unless the file was already read
// and nobody asked for another run.
func (im *Import) runAudience(ctx context.Context, a client.Audience) error {
	running, err := im.running(ctx, a.AudienceID)
	if err != nil {
		return err
	}
	if running != "" {
		im.Result.Resumed = true
		im.tell("Run %s of this audience is in progress; waiting for it.", running)
		return im.watch(ctx, a.AudienceID, running)
	}
	if !im.Full && !im.Changes && !im.DryRun {
		done, err := im.alreadyImported(ctx, a)
		if done || err != nil {
			return err
		}
	}
	full, err := im.mode(ctx, a)
	if err != nil {
		return err
	}
	restore, err := im.deliver(ctx, a)
	if err != nil {
		return err
	}
	return errors.Join(im.startRun(ctx, a, full), restore())
}

// startRun starts a run and waits for its end.
func (im *Import) startRun(ctx context.Context, a client.Audience, full bool) error {
	start, differential := int64(0), !full
	started, err := im.api.StartRun(ctx, a.AudienceID, client.RunRequest{DataFilterStartTime: &start, DifferentialIngestion: &differential,
		DryRun: &im.DryRun, Force: &im.Force, AllowMissingColumns: new(len(im.Result.MissingColumns) > 0)})
	if err != nil {
		return err
	}
	return im.watch(ctx, a.AudienceID, started.RunID)
}

func (im *Import) watch(ctx context.Context, audienceID, runID string) error {
	im.RunBegan, im.RunID = time.Now(), runID
	run, err := Watch(ctx, im.api, audienceID, runID, im.person.Progress)
	if err != nil {
		return err
	}
	im.Result.Run = &run
	return nil
}

// Watch waits for the end of a run, and reports its progress as for Person.Progress.
func Watch(ctx context.Context, api API, audienceID, runID string, progress func(step string, done, total, rows int64)) (client.Run, error) {
	return api.WaitRun(ctx, audienceID, runID, func(r client.Run) {
		if r.Progress != nil && r.Status == client.Processing {
			progress(r.Progress.Step, r.Progress.BytesDone, r.Progress.BytesTotal, r.Progress.Rows)
		}
	})
}

// running returns the run of the audience that is in progress, "" if there is none.
func (im *Import) running(ctx context.Context, audienceID string) (string, error) {
	list, err := im.api.Runs(ctx, audienceID, nil) // newest first; one at a time can be in progress
	if err != nil || len(list.Runs) == 0 || list.Runs[0].Status != client.Processing {
		return "", err
	}
	return list.Runs[0].RunID, nil
}

// alreadyImported reports whether the last successful run has read this version of the file in place. An import that
// was killed after the end of its run, and is started again, must neither ask nor fail.
func (im *Import) alreadyImported(ctx context.Context, a client.Audience) (bool, error) {
	if !im.inPlace || a.AudienceMeta == nil || a.AudienceMeta.LastRunID == "" {
		return false, nil
	}
	if reads, err := im.readsThisFile(ctx, a); err != nil || !reads {
		return false, err
	}
	run, err := im.api.Run(ctx, a.AudienceID, a.AudienceMeta.LastRunID)
	if err != nil {
		return false, err
	}
	for _, f := range run.Files {
		if f.Status == "read" && f.Size == im.file.Size && f.ModifiedAt == im.file.Modified.Unix() {
			im.Result.Run, im.Result.AlreadyImported = &run, true
			return true, nil
		}
	}
	return false, nil
}

// readsThisFile reports whether the audience reads the file in place, with the options of the request.
func (im *Import) readsThisFile(ctx context.Context, a client.Audience) (bool, error) {
	where := a.SourceSpec.Where()
	if where.BaseConnectionID == "" || !reflect.DeepEqual(where.Format, im.submitted()) {
		return false, nil
	}
	conn, err := im.api.Connection(ctx, where.BaseConnectionID)
	return err == nil && filepath.Join(conn.Auth.Params.Text("root"), filepath.FromSlash(where.Path)) == im.file.Path, err
}

// mode decides whether the file is the complete list. For an audience without members there is no difference.
func (im *Import) mode(ctx context.Context, a client.Audience) (full bool, err error) {
	switch {
	case im.Full || im.Changes:
		return im.Full, nil
	case a.AudienceMeta == nil || a.AudienceMeta.LastRunID == "":
		return true, nil
	}
	return im.person.AskFull(ctx, a.AudienceMeta.Members)
}
