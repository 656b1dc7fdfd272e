package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// flagGroups are the groups of flags in a command's help. Flags without a group come first.
var flagGroups = []struct {
	title string
	names []string
}{
	{"Audience", []string{"name", "ttl", "keep-rejected-rows", "express-activation"}},
	{"Source format", []string{"delimiter", "quote", "escape", "encoding", "no-header", "skip-lines", "comment", "fill-short-rows", "decimal-comma", "null", "date-format"}},
	{"Columns", []string{"columns", "field", "delete"}},
	{"Identity", []string{"identity", "create-namespace", "allow-any-identity"}},
	{"Run and guards", []string{"full", "changes", "differential", "dry-run", "force", "max-rejected"}},
	{"Server", []string{"server", "credentials", "data-dir", "listen", "tls-cert", "tls-key", "database-url", "lake-url", "lake-cache", "catalog-url", "profile-url", "role", "memory", "debug-listen", "config"}},
	{"Limits", []string{"sandbox-runs", "sandbox-submits", "sandbox-uploads", "sandbox-looks", "guardrails", "rate-limit", "max-connections", "max-connections-per-address", "trusted-proxies"}},
	{"Sources", []string{"local-roots", "settle-age", "landing-url", "landing-quota", "allow-networks", "deny-networks", "s3-environment", "s3-environment-endpoints"}},
	{"Audiences", []string{"undo-window", "foreign-writes", "suppress-erased", "account-audience-type"}},
	{"Callers", []string{"oidc-issuer", "oidc-audience", "oidc-client-claim", "oidc-org-claim", "oidc-roles-claim", "oidc-role-prefix", "oidc-labels-claim"}},
	{"Secrets", []string{"master-key-file", "master-key-url", "to-master-key-file", "to-master-key-url"}},
	{"Log and metrics", []string{"log-level", "log-format", "metrics-token-file"}},
	{"Output", []string{"run", "as-of", "format", "fields", "csv", "json", "receipt"}},
}

// groupOf returns the index in flagGroups of a command's flag, or -1. The flag --escape belongs to a group only where
// it describes a source's format.
func groupOf(cmd *cobra.Command, name string) int {
	title := ""
	if name == "escape" && cmd.Flags().Lookup("quote") == nil {
		title = "Output"
	}
	for i, g := range flagGroups {
		if title == g.title || title == "" && slices.Contains(g.names, name) {
			return i
		}
	}
	return -1
}

// helpWidth returns the width of help texts: the columns of the terminal, or the variable COLUMNS, or 80.
func helpWidth(w io.Writer) int {
	const least, usual = 40, 80
	width := 0
	if f, ok := w.(*os.File); ok {
		width, _, _ = term.GetSize(int(f.Fd()))
	}
	if width <= 0 {
		width, _ = strconv.Atoi(os.Getenv("COLUMNS"))
	}
	if width <= 0 {
		return usual
	}
	return max(width, least)
}

// showHelp writes the help of a command.
func showHelp(cmd *cobra.Command, _ []string) {
	out := cmd.OutOrStdout()
	width := helpWidth(out)
	fmt.Fprintf(out, "%s\n\n", wrapped(cmp.Or(cmd.Long, cmd.Short), width))
	showUsage(cmd, out, width)
}

// showUsage writes the usage of a command: its commands and flags.
func showUsage(cmd *cobra.Command, out io.Writer, width int) {
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(out, "Usage:\n%s\n", hanging("  "+line, 4, width))
	if cmd.Example != "" {
		fmt.Fprintf(out, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(out, "\nAvailable Commands:")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() || c.Name() == "help" {
				fmt.Fprintln(out, hanging(fmt.Sprintf("  %-*s %s", cmd.NamePadding(), c.Name(), c.Short), cmd.NamePadding()+3, width))
			}
		}
	}
	groups := make([]*pflag.FlagSet, len(flagGroups)+1) // the first one has the flags without a group
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		at := groupOf(cmd, f.Name) + 1
		if groups[at] == nil {
			groups[at] = pflag.NewFlagSet("", pflag.ContinueOnError)
		}
		groups[at].AddFlag(f)
	})
	for at, flags := range groups {
		if flags == nil {
			continue
		}
		title := "Flags"
		if at > 0 {
			title = flagGroups[at-1].title
		}
		fmt.Fprintf(out, "\n%s:\n%s", title, flagLines(flags, width))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(out, "\n%s\n", hanging("The help of a command: "+cmd.CommandPath()+" COMMAND --help", 2, width))
	}
}

// flagLines describes flags, each on lines of its own.
func flagLines(flags *pflag.FlagSet, width int) string {
	const (
		most   = 30 // columns for the names; the text of a longer name begins on the next line
		narrow = 70 // on terminals of fewer columns, all texts begin on the next line
	)
	var heads, texts []string
	flags.VisitAll(func(f *pflag.Flag) {
		value, text := pflag.UnquoteUsage(f)
		head := "      --" + f.Name
		if f.Shorthand != "" {
			head = "  -" + f.Shorthand + ", --" + f.Name
		}
		switch kind := f.Value.Type(); {
		case kind == "bool" && f.NoOptDefVal != "":
		case value == kind || value == "strings" || value == "stringArray":
			head += " " + strings.ToUpper(map[string]string{"int": "number", "float64": "percent", "duration": "time"}[value])
			if strings.HasSuffix(head, " ") {
				head += "TEXT"
			}
		default:
			head += " " + value
		}
		if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" && f.DefValue != "0" {
			text += " (default " + f.DefValue + ")"
		}
		heads, texts = append(heads, head), append(texts, text)
	})
	column := 0
	for _, h := range heads {
		if n := utf8.RuneCountInString(h) + 3; n <= most {
			column = max(column, n)
		}
	}
	if column = max(column, 16); width < narrow {
		column = 8
	}
	var b strings.Builder
	for i, h := range heads {
		if n := utf8.RuneCountInString(h); n+2 > column {
			fmt.Fprintf(&b, "%s\n%s\n", h, hanging(strings.Repeat(" ", column)+texts[i], column, width))
		} else {
			b.WriteString(hanging(h+strings.Repeat(" ", column-n)+texts[i], column, width) + "\n")
		}
	}
	return b.String()
}

// wrapped breaks the lines of each paragraph at width columns.
func wrapped(text string, width int) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = hanging(strings.Join(strings.Fields(p), " "), 0, width)
	}
	return strings.Join(paragraphs, "\n\n")
}

// hanging breaks a line at width columns. Continuation lines are indented.
func hanging(line string, indent, width int) string {
	var b strings.Builder
	lead := len(line) - len(strings.TrimLeft(line, " "))
	b.WriteString(line[:lead])
	at, begun := lead, false
	for word := range strings.SplitSeq(line[lead:], " ") {
		n := utf8.RuneCountInString(word)
		if begun && at+1+n > width && word != "" {
			b.WriteString("\n" + strings.Repeat(" ", indent) + word)
			at = indent + n
			continue
		}
		if begun {
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at, begun = at+n, true
	}
	return b.String()
}
