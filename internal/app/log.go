package app

import (
	"cmp"
	"io"
	"log/slog"
	"net/url"
	"time"

	"github.com/dustin/go-humanize"

	"roster/internal/audience"
)

// NewLogger returns a logger that writes to w in the format "text" or "json".
func NewLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// facts are the attributes of the log's first line: addresses, paths, and the settings that change what the server
// does. None of them is secret.
func (a *App) facts() []any {
	c := a.cfg
	list := []any{"version", Version(), "url", a.url, "data", c.DataDir}
	add := func(name string, value any, wanted bool) {
		if wanted {
			list = append(list, name, value)
		}
	}
	database := "sqlite"
	if c.DatabaseURL != "" {
		database = "postgres"
	}
	add("config", c.File, c.File != "")
	add("database", database, true)
	add("lake", withoutQuery(c.LakeURL), c.LakeURL != "")
	add("landing", withoutQuery(c.LandingURL), c.LandingURL != "")
	add("memory", humanize.IBytes(uint64(c.Memory)), true)
	add("undoWindow", cmp.Or(c.UndoWindow, audience.DefaultUndoWindow), true)
	add("foreignWrites", map[bool]string{true: "refuse", false: "adopt"}[c.RefuseForeign], true)
	add("tls", a.secure(), true)
	add("oidcIssuer", withoutQuery(c.OIDC.Issuer), c.OIDC.Issuer != "")
	add("masterKey", c.MasterKey.where(), true)
	add("metricsToken", c.MetricsTokenFile != "", true)
	add("guardrails", "aep", c.Guardrails)
	add("suppressErased", true, c.SuppressErased)
	add("localRoots", c.LocalRoots, len(c.LocalRoots) > 0)
	add("allowNetworks", c.AllowNetworks, len(c.AllowNetworks) > 0)
	return list
}

// withoutQuery returns an address without its user and query, which may be secret.
func withoutQuery(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// logStop logs the end of a server that served.
func (a *App) logStop() {
	if a.started.IsZero() {
		return
	}
	log := a.log.With("version", Version(), "url", a.url, "data", a.cfg.DataDir, "seconds", time.Since(a.started).Round(time.Millisecond).Seconds())
	if a.stopErr != nil {
		log.Error("stopped", "error", a.stopErr)
		return
	}
	log.Info("stopped")
}
