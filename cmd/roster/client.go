package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roster/client"
	"roster/internal/app"
)

func newClient() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Administer API clients: their roles, labels and secrets",
		Long: "Administer the organization's API clients. A client has a role (viewer, editor or admin) for each " +
			"sandbox; the name * means all sandboxes. Of the things that have labels, it sees only those whose labels " +
			"it holds. " +
			withoutServer +
			"\n\n" +
			exitCodes,
	}
	return group(cmd, newClientCreate(), newClientList(), newClientGrant(), newClientRevoke(), newClientRotate(), newClientDelete())
}

// grants are the roles and labels on a command line.
type grants struct {
	roles, labels []string
}

func (g *grants) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&g.roles, "access", nil, "role in a sandbox, such as prod=editor or '*=viewer'; may be repeated")
	cmd.Flags().StringArrayVar(&g.labels, "label", nil, "label that the client holds, such as core/C2, or '*' for all; may be repeated")
}

// byName returns the roles by the names of their sandboxes.
func (g *grants) byName() (map[string]string, error) {
	roles := map[string]string{}
	for _, text := range g.roles {
		sandbox, role, ok := strings.Cut(text, "=")
		if !ok || sandbox == "" || role == "" {
			return nil, usagef("--access %q is not SANDBOX=ROLE", text)
		}
		roles[sandbox] = role
	}
	return roles, nil
}

func newClientCreate() *cobra.Command {
	c := connector{mayMake: true} // the first server on a data directory creates its clients
	var g grants
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create an API client and write its credentials to standard output",
		Long: "Create an API client and write its credentials to standard output, in the form that --credentials takes. " +
			"The secret is shown only once.",
		Example: "  roster client create loader --access prod=editor --label core/C2 > loader.json",
		Args:    cobra.ExactArgs(1),
	}
	g.addFlags(cmd)
	c.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		roles, err := g.byName()
		if err != nil {
			return err
		}
		return c.administer(cmd, func(conn *connection, out io.Writer) error {
			made, err := conn.client.CreateAPIClient(cmd.Context(), client.NewAPIClient{Name: args[0], Roles: roles, Labels: g.labels})
			if err != nil {
				return err
			}
			if err := c.writeCredentials(conn, out, made); err != nil {
				return errors.Join(fmt.Errorf("the new client's secret could not be written, so the client was deleted: %w", err), conn.client.DeleteAPIClient(cmd.Context(), made.ClientID))
			}
			return nil
		})
	}
	return cmd
}

func newClientList() *cobra.Command {
	return newList("List the API clients", "ID\tNAME\tROLES\tLABELS",
		func(ctx context.Context, c *client.Client, start string) ([]client.APIClient, string, error) {
			page, err := c.APIClients(ctx, start, 0)
			return page.Clients, page.Page.Next, err
		}, writeClient)
}

func writeClient(w io.Writer, c client.APIClient) error {
	var roles []string
	for _, sandbox := range slices.Sorted(maps.Keys(c.Roles)) {
		roles = append(roles, sandbox+"="+c.Roles[sandbox])
	}
	_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.ClientID, c.Name, strings.Join(roles, " "), strings.Join(c.Labels, " "))
	return err
}

func newClientGrant() *cobra.Command {
	return newClientChange("grant", "Add roles and labels to those of an API client",
		func(was client.APIClient, roles map[string]string, labels []string) (map[string]string, []string) {
			all := maps.Clone(was.Roles)
			maps.Copy(all, roles)
			return all, append(was.Labels, labels...)
		})
}

func newClientRevoke() *cobra.Command {
	return newClientChange("revoke", "Remove roles and labels from an API client",
		func(was client.APIClient, roles map[string]string, labels []string) (map[string]string, []string) {
			left := maps.Clone(was.Roles)
			for sandbox := range roles {
				delete(left, sandbox)
			}
			return left, slices.DeleteFunc(was.Labels, func(l string) bool { return slices.Contains(labels, l) })
		})
}

// newClientChange makes a command that changes the roles and labels of a client.
func newClientChange(use, short string, change func(was client.APIClient, roles map[string]string, labels []string) (map[string]string, []string)) *cobra.Command {
	var c connector
	var g grants
	cmd := &cobra.Command{Use: use + " CLIENT-ID", Short: short, Args: cobra.ExactArgs(1),
		Example: "  roster client " + use + " 8f3b8f0e-5b9c-4a57-9b53-6f6e2f2a7e11 --access prod=editor --label custom/loyalty"}
	g.addFlags(cmd)
	c.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		named, err := g.byName()
		if err != nil {
			return err
		}
		return c.administer(cmd, func(conn *connection, out io.Writer) error {
			was, err := conn.client.APIClient(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			roles, labels := change(was, named, g.labels)
			now, err := conn.client.UpdateAPIClient(cmd.Context(), args[0], client.APIClientPatch{Roles: &roles, Labels: &labels})
			if err != nil {
				return err
			}
			return writeClient(out, now)
		})
	}
	return cmd
}

func newClientRotate() *cobra.Command {
	var c connector
	var overlap time.Duration
	cmd := &cobra.Command{
		Use:   "rotate CLIENT-ID",
		Short: "Give an API client a new secret and write its credentials to standard output",
		Long: "Give an API client a new secret and write its credentials to standard output, in the form that " +
			"--credentials takes. The earlier secrets stay valid for --overlap. If the client is the one in the " +
			"credentials.json of the data directory, that file gets the new secret, too.",
		Example: "  roster client rotate 8f3b8f0e-5b9c-4a57-9b53-6f6e2f2a7e11 --overlap 1h > loader.json",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the old secrets stay valid; 0 ends them at once")
	c.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if overlap < 0 {
			return usagef("--overlap must not be negative")
		}
		until := time.Now().Add(overlap).Unix()
		if overlap == 0 {
			until = 0
		}
		return c.administer(cmd, func(conn *connection, out io.Writer) error {
			made, err := conn.client.NewSecret(cmd.Context(), args[0], client.NewSecret{OldSecretsValidUntil: &until})
			if err != nil {
				return err
			}
			if err := conn.replaceSecret(cmd.ErrOrStderr(), made); err != nil {
				return err
			}
			if err := c.writeCredentials(conn, out, made); err != nil {
				return fmt.Errorf("the new secret could not be written; the old ones stay valid for %s, so rotate again before they end: %w", overlap, err)
			}
			return nil
		})
	}
	return cmd
}

func newClientDelete() *cobra.Command {
	var c connector
	cmd := &cobra.Command{Use: "delete CLIENT-ID", Short: "Delete an API client", Args: cobra.ExactArgs(1)}
	c.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.administer(cmd, func(conn *connection, _ io.Writer) error {
			return conn.client.DeleteAPIClient(cmd.Context(), args[0])
		})
	}
	return cmd
}

// administer calls do with a connection to the server and with standard output.
func (c *connector) administer(cmd *cobra.Command, do func(conn *connection, out io.Writer) error) error {
	conn, err := c.dial(cmd)
	if err != nil {
		return err
	}
	return errors.Join(do(conn, cmd.OutOrStdout()), conn.close())
}

// writeCredentials writes the credentials of a client that has a new secret. Their sandbox is the first one by name in
// which the client has a role. A client with a role in all sandboxes gets the administrator's sandbox.
func (c *connector) writeCredentials(conn *connection, out io.Writer, made client.APIClient) error {
	creds := conn.credentials // a server in this process has another address than its credentials file says
	if c.server != "" {
		creds.SetURL(conn.client.BaseURL)
	}
	creds.ClientID, creds.ClientSecret = made.ClientID, made.ClientSecret
	if roles := slices.Sorted(maps.Keys(made.Roles)); len(roles) > 0 && !slices.Contains(roles, "*") {
		creds.Sandbox = roles[0]
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(creds)
}

// replaceSecret updates the credentials file that the command itself uses, if the new secret belongs to that client. It
// changes only the credentials file of the data directory; the owner of any other file has to change it.
func (c *connection) replaceSecret(notes io.Writer, made client.APIClient) error {
	if made.ClientID != c.credentials.ClientID {
		return nil
	}
	if !c.dataDir {
		_, err := fmt.Fprintf(notes, "%s has an old secret of this client; replace it with these credentials.\n", c.file)
		return err
	}
	creds := c.credentials
	creds.ClientSecret = made.ClientSecret
	return app.WriteCredentials(c.file, creds)
}
