package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"roster/internal/audience"
)

// group makes a command that groups other commands. Called alone, it shows its help.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(commands...)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// unknownCommand returns the error for a command that a group does not have. It suggests similar names.
func unknownCommand(group *cobra.Command, name string) error {
	group.SuggestionsMinimumDistance = 2
	if like := group.SuggestionsFor(name); len(like) > 0 {
		return usagef("unknown command %q for %q; did you mean %s?", name, group.CommandPath(), strings.Join(like, " or "))
	}
	var names []string
	for _, c := range group.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return usagef("unknown command %q for %q; its commands are %s", name, group.CommandPath(), strings.Join(names, ", "))
}

// wrongFlag returns the error for wrong flags of a command. If the command itself does not exist, the error says that
// instead.
func wrongFlag(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); cmd.HasAvailableSubCommands() && len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	text := err.Error()
	if typed, ok := strings.CutPrefix(text, "unknown flag: --"); ok {
		if like := likeFlag(cmd.Flags(), typed); like != "" {
			return usagef("unknown flag: --%s; did you mean --%s? (see %s --help)", typed, like, cmd.CommandPath())
		}
	}
	return usagef("%s (see %s --help)", text, cmd.CommandPath())
}

// likeFlag returns the flag whose name is nearest to what was typed, or "" if none is near.
func likeFlag(flags *pflag.FlagSet, typed string) (name string) {
	const near = 2 // letters
	least := near + 1
	flags.VisitAll(func(f *pflag.Flag) {
		if d := audience.EditDistance(f.Name, typed); d < least && d < len(typed) && !f.Hidden {
			least, name = d, f.Name
		}
	})
	return name
}

// newHelp makes the command that shows the help of other commands.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil {
				return fmt.Errorf("find the command: %w", err)
			}
			if len(rest) > 0 && cmd.HasAvailableSubCommands() {
				return unknownCommand(cmd, rest[0])
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}
