package importing

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
)

// resolveNamespaces converts the identities' namespaces to their canonical form and creates missing ones if the person
// asked for that.
func (im *Import) resolveNamespaces(ctx context.Context) error {
	known, err := im.api.Namespaces(ctx)
	if err != nil {
		return err
	}
	for i, f := range im.Result.Fields {
		if f.IdentityNs == "" {
			continue
		}
		at := slices.IndexFunc(known, func(n client.Namespace) bool { return strings.EqualFold(n.Code, f.IdentityNs) })
		if at >= 0 {
			im.Result.Fields[i].IdentityNs = known[at].Code
			continue
		}
		if !im.CreateNamespace {
			codes := make([]string, len(known))
			for j, n := range known {
				codes[j] = n.Code
			}
			return usagef("there is no identity namespace %q; %s creates it, and these exist: %s", f.IdentityNs, im.option("createNamespace"), strings.Join(codes, ", "))
		}
		if im.DryRun {
			im.tell("The identity namespace %s would be created.", f.IdentityNs)
			continue
		}
		made, err := im.api.CreateNamespace(ctx, client.NewNamespace{Name: f.IdentityNs, Code: f.IdentityNs, IDType: "Cross_device", Description: byImport})
		if err != nil {
			return err
		}
		known = append(known, made)
		im.tell("Created the identity namespace %s.", made.Code)
	}
	return nil
}

// checkPairs refuses express activation without a second identity field.
func (im *Import) checkPairs() error {
	first := primary(im.Result.Fields)
	if !im.ExpressActivation || primary(im.Result.Fields[first+1:]) >= 0 {
		return nil
	}
	return usagef("%s needs a second %s, which distinguishes the rows of one person", im.option("expressActivation"), im.option("identities"))
}

// create submits the audience and waits until it exists. If its name is already taken, another import, or one that was
// killed right after its submit, is creating it.
func (im *Import) create(ctx context.Context) (client.Audience, error) {
	if err := im.checkPairs(); err != nil {
		return client.Audience{}, err
	}
	source := client.SourceParams{Path: im.landingPath(), Type: "file", SourceType: audience.SourceTypeCloud, CloudType: audience.CloudLanding,
		Format: im.submitted()}
	if im.inPlace {
		id, err := im.folderConnection(ctx)
		if err != nil {
			return client.Audience{}, err
		}
		source.Path, source.BaseConnectionID, source.CloudType = im.file.base(), id, ""
	} else if err := im.upload(ctx, source.Path); err != nil { // the submit checks that the path exists
		return client.Audience{}, err
	}
	submitted, err := im.api.SubmitAudience(ctx, client.NewAudience{ExpressActivation: &im.ExpressActivation, Name: im.Name, Fields: im.Result.Fields, TTLInDays: im.TTLDays,
		SourceSpec: client.SourceSpec{SourceParams: source}, OriginName: audience.OriginUpload, Guards: im.guards(nil), KeepRejectedRows: im.KeepRejectedRows})
	var refused *client.APIError
	if errors.As(err, &refused) && refused.Code == client.CodeDuplicate {
		return im.awaitAudience(ctx, err)
	}
	if err != nil {
		return client.Audience{}, err
	}
	task, err := im.api.WaitTask(ctx, submitted.TaskID)
	if err != nil {
		return client.Audience{}, err
	}
	if task.Status != client.Success {
		return client.Audience{}, fmt.Errorf("the audience could not be created: %s", FailureText(task.Error))
	}
	im.Result.Created = true
	im.tell("Created the audience %q (%s).", im.Name, task.AudienceID)
	return im.api.Audience(ctx, task.AudienceID)
}

// awaitAudience waits for an audience whose name a submit in progress has taken.
func (im *Import) awaitAudience(ctx context.Context, taken error) (client.Audience, error) {
	for deadline := time.Now().Add(30 * time.Second); ; {
		a, _, found, err := im.api.AudienceNamed(ctx, im.Name)
		if err != nil {
			return a, err
		}
		if found {
			if err := errors.Join(im.readAsBefore(ctx, a), im.resolveNamespaces(ctx)); err != nil {
				return a, err
			}
			return im.useExisting(ctx, a)
		}
		if time.Now().After(deadline) {
			return a, taken
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// landingPath is the place of this audience's files in the landing zone. It is always the same, so that the next file
// replaces the one before.
func (im *Import) landingPath() string {
	slug := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(im.Name))
	h := fnv.New32a()
	_, _ = h.Write([]byte(im.Name))
	return fmt.Sprintf("imports/%.80s-%08x.csv", slug, h.Sum32())
}

// folderConnection returns the connection to the file's folder, and creates it if there is none.
func (im *Import) folderConnection(ctx context.Context) (string, error) {
	folder := filepath.Dir(im.file.Path)
	h := fnv.New64a()
	_, _ = h.Write([]byte(folder))
	name := fmt.Sprintf("import from %.150s (%016x)", filepath.Base(folder), h.Sum64())
	ref, err := im.api.CreateConnection(ctx, client.NewConnection{Name: name, Description: byImport,
		Auth:           &client.ConnectionAuth{SpecName: "none", Params: client.ConnectionParams{"root": folder}},
		ConnectionSpec: client.ConnectionSpec{ID: audience.SpecLocal, Version: "1.0"}})
	var refused *client.APIError
	if !errors.As(err, &refused) || refused.Code != client.CodeDuplicate {
		return ref.ID, err
	}
	conn, found, err := im.api.ConnectionNamed(ctx, name)
	if err == nil && !found {
		err = refused // it was deleted in between
	}
	return conn.ID, err
}

func (im *Import) upload(ctx context.Context, path string) error {
	_, err := im.api.UploadFile(ctx, path, im.file.Content, im.file.Size, func(sent int64) { im.person.Progress(Upload, sent, im.file.Size, 0) })
	return err
}
