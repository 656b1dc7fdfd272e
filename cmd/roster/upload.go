package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"roster/client"
)

// uploadOptions are the flags of an upload.
type uploadOptions struct {
	folder    string
	asJSON    bool
	connector connector
}

func newUpload() *cobra.Command {
	o := uploadOptions{connector: connector{mayMake: true}}
	cmd := &cobra.Command{
		Use:   "upload FILE...",
		Short: "Put files into the landing zone",
		Long: "Put files into the sandbox's landing zone, from which audiences of the type DLZ are read. A file appears " +
			"there only when it is complete and its SHA-256 equals that of the local file. An interrupted upload " +
			"continues where it stopped, also when the command is called again. A file replaces one of the same name " +
			"in the landing zone; each is kept for 7 days. " +
			withoutServer +
			"\n\n" +
			exitCodes,
		Example: "  roster upload people.csv\n" +
			"  roster upload part-*.csv.gz --to lists/2026 --server https://roster.example.com --credentials loader.json",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runUpload(cmd, args, o) },
	}
	cmd.Flags().StringVar(&o.folder, "to", "", "folder of the landing zone for the files (default: its root)")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "write one JSON object per file")
	o.connector.addFlags(cmd)
	return cmd
}

func runUpload(cmd *cobra.Command, files []string, o uploadOptions) error {
	targets := map[string]string{}
	for _, file := range files {
		if err := isFile(file); err != nil {
			return err
		}
		target := path.Join(o.folder, filepath.Base(file))
		if other, taken := targets[target]; taken {
			return usagef("%s and %s would both become %s", other, file, target)
		}
		targets[target] = file
	}
	conn, err := o.connector.dial(cmd)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err = uploadFile(cmd.Context(), conn.client, file, path.Join(o.folder, filepath.Base(file)), o.asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr()); err != nil {
			err = fmt.Errorf("%s: %w", file, err)
			break
		}
	}
	return errors.Join(err, conn.close())
}

// isFile returns an error for a name that is not a readable file.
func isFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return usagef("%w", named(err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return usagef("%w", named(err))
	case info.IsDir():
		return usagef("%s is a folder; name a file", name)
	case !info.Mode().IsRegular():
		return usagef("%s is not a file", name)
	}
	return nil
}

// uploadFile puts one file into the landing zone, and shows the progress and the result.
func uploadFile(ctx context.Context, c *client.Client, file, target string, asJSON bool, out, show io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	p := newProgress(show, step{uploadStep.names, "uploading " + filepath.Base(file), 1})
	up, err := c.UploadFile(ctx, target, f, info.Size(), func(sent int64) { p.update("upload", sent, info.Size(), 0) })
	p.finish()
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(out).Encode(up)
	}
	_, err = fmt.Fprintf(out, "%s  %s  SHA-256 %s\n", up.Path, size(up.Size), up.SHA256)
	return err
}
