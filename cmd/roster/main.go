// Command roster turns files of people into audiences. It has a server for the External Audiences API, a demo, an
// import from the command line, and commands for operators.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"
	_ "time/tzdata" // schedules have time zones, and a machine may lack the database

	"github.com/spf13/cobra"

	"roster/client"
	"roster/internal/app"
	"roster/internal/importing"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3 // the server refused
	exitRunFailed   = 4 // a run ended FAILED
	exitInterrupted = 130
)

// exitError is an error with an exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usagef returns an error about how the command was called.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// named removes the name of the system call from an error about a file that the user named.
func named(err error) error {
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return fmt.Errorf("%s: %w", file.Path, file.Err)
	}
	return err
}

func main() { os.Exit(run(os.Args[1:])) }

// run runs the command line and returns the exit code.
func run(args []string) int {
	ctx, stop := interruptible()
	defer stop()
	root, started := newRoot()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if exit := (*exitError)(nil); !*started && !errors.As(err, &exit) { // cobra refused the arguments
		err = usagef("%w; usage: %s (see %s --help)", err, cmd.UseLine(), cmd.CommandPath())
	}
	code := exitCode(ctx, err)
	if code == exitInterrupted {
		fmt.Fprintln(os.Stderr, "roster: interrupted")
	} else if !errors.Is(err, errReported) {
		fmt.Fprintln(os.Stderr, "roster:", err)
		if away := (*url.Error)(nil); errors.As(err, &away) {
			fmt.Fprintln(os.Stderr, "Check that a server runs there and that its address is right.")
		}
	}
	return code
}

// errReported marks an error that the command has already shown.
var errReported = errors.New("already reported")

// exitCode maps an error to the exit code of the process.
func exitCode(ctx context.Context, err error) int {
	var exit *exitError
	var usage *importing.UsageError
	var run *importing.RunError
	var refused *client.APIError
	switch {
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &run):
		return exitRunFailed
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &refused):
		return exitRefused
	}
	return exitFailed
}

// interruptible returns a context that the first SIGINT or SIGTERM ends. The second signal ends the process at once,
// which is safe: the next start can continue from any state on disk.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitInterrupted)
	}()
	return ctx, cancel
}

// newRoot builds the command tree. started is set as soon as a command's own code runs.
func newRoot() (root *cobra.Command, started *bool) {
	started = new(bool)
	root = group(&cobra.Command{
		Use:   "roster",
		Short: "Turn files of people into audiences",
		Long: "Roster turns a file of people into an audience: a governed, expiring set of memberships that other\n" +
			"systems look up by identity, plus an open dataset that any engine can query.\n\n" +
			"Begin with: roster demo",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRun:  func(*cobra.Command, []string) { *started = true },
	}, newServe(), newDemo(), newImport(), newUpload(), newAudience(), newMembers(), newRejects(), newVerify(), newCheck(), newProfile(), newClient(), newSecrets(), newVersion())
	addVersion(root)
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpCommand(newHelp(root))
	root.SetHelpFunc(showHelp)
	return root, started
}

// addSettings adds the server's settings as flags, or only the named ones.
func addSettings(cmd *cobra.Command, only ...string) {
	for _, s := range app.Settings() {
		if !s.Flag() || len(only) > 0 && !slices.Contains(only, s.Name) {
			continue
		}
		cmd.Flags().String(s.Name, s.Default, s.Usage+" ("+s.Env()+")")
	}
	cmd.Flags().String("config", "", "file of settings, YAML or JSON, with the flags' names as keys")
}

// loadExisting is loadConfig for a command that works on an existing data directory only.
func loadExisting(cmd *cobra.Command) (app.Config, error) {
	cfg, err := loadConfig(cmd)
	if err == nil && !app.IsDataDir(cfg.DataDir) {
		err = noDataDir(cfg.DataDir, "name one with --data-dir")
	}
	return cfg, err
}

// loadConfig reads the configuration of a server from the command's flags, the environment and the configuration file.
func loadConfig(cmd *cobra.Command) (app.Config, error) {
	given := map[string]string{}
	for _, s := range app.Settings() {
		if f := cmd.Flags().Lookup(s.Name); f != nil && f.Changed {
			given[s.Name] = f.Value.String()
		}
	}
	file, _ := cmd.Flags().GetString("config")
	cfg, err := app.Load(given, os.LookupEnv, file)
	if err != nil {
		return cfg, &exitError{exitUsage, err}
	}
	return cfg, nil
}
