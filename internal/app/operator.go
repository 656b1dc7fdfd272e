package app

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/profile"
	"roster/internal/work"
)

// The operator checks and repairs a data directory with commands. A running server executes them: it listens on a
// loopback port. The address and a token are in the file lock, which only the owner of the directory can read.

const (
	operatorCheck   = "/check"
	operatorRebuild = "/profile/rebuild"
)

// Rebuilt is the number of audiences that were projected again.
type Rebuilt struct {
	Audiences int `json:"audiences"`
}

// listenToOperator serves the operator's commands.
func (a *App) listenToOperator() error {
	if a.cfg.Private {
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for commands of the operator: %w", err)
	}
	a.lock.operator, a.lock.token = "http://"+l.Addr().String(), rand.Text()
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+operatorCheck, func(w http.ResponseWriter, r *http.Request) {
		found, err := a.check(r.Context())
		answerOperator(w, found, err)
	})
	mux.HandleFunc("POST "+operatorRebuild, func(w http.ResponseWriter, r *http.Request) {
		n, err := a.worker.RebuildProfiles(r.Context(), audience.ID(r.URL.Query().Get("audience")))
		answerOperator(w, Rebuilt{n}, err)
	})
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 8 << 10, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+a.lock.token)) != 1 {
			http.Error(w, "this request requires the token in the file lock of the data directory", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})}
	a.background.Go(func() { a.ended(srv.Serve(l)) })
	a.closeOperator = srv.Close
	return nil
}

func answerOperator(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// check checks everything in the data directory.
func (a *App) check(ctx context.Context) (work.Checked, error) {
	found, err := a.worker.Check(ctx, a.profile == nil)
	if errors.Is(err, profile.ErrRebuilding) {
		err = nil
		found.Findings = append(found.Findings, work.Finding{Part: "profile", What: "it is being rebuilt"})
	}
	if err != nil {
		return found, err
	}
	if a.profile != nil {
		for _, ref := range a.profile.Distrusted() {
			found.Findings = append(found.Findings, work.Finding{Part: "profile", What: fmt.Sprintf("audience number %d of sandbox number %d is being rebuilt", ref.Audience, ref.Sandbox)})
		}
	}
	if a.profileFault != nil {
		found.Findings = append(found.Findings, work.Finding{Part: "profile", What: a.profileFault.Error() + "; the next start moves it aside and builds a new one"})
	}
	if a.cfg.DatabaseURL != "" {
		return found, nil
	}
	faults, err := quickCheck(ctx, "metadata", a.meta.DB())
	if err != nil {
		return found, err
	}
	catalog, err := quickCheck(ctx, "catalog", a.catalog)
	found.Findings = append(append(found.Findings, faults...), catalog...)
	return found, err
}

// quickCheck runs SQLite's own check of a database.
func quickCheck(ctx context.Context, part string, db *sql.DB) (faults []work.Finding, err error) {
	rows, err := db.QueryContext(ctx, "PRAGMA quick_check(20)")
	if err != nil {
		return []work.Finding{{Part: part, What: err.Error()}}, nil
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return faults, err
		}
		if text != "ok" {
			faults = append(faults, work.Finding{Part: part, What: text})
		}
	}
	if err := rows.Err(); err != nil {
		faults = append(faults, work.Finding{Part: part, What: err.Error()})
	}
	return faults, nil
}

// Check checks everything in a data directory: through the server that uses it, or in this process if there is none. It
// changes nothing.
func Check(ctx context.Context, cfg Config) (found work.Checked, err error) {
	err = operate(ctx, cfg, operatorCheck, nil, &found, func(a *App) error {
		found, err = a.check(ctx)
		return err
	})
	return found, err
}

// RebuildProfiles projects the datasets of all audiences, or of one, into the profile store again.
func RebuildProfiles(ctx context.Context, cfg Config, only string) (done Rebuilt, err error) {
	err = operate(ctx, cfg, operatorRebuild, url.Values{"audience": {only}}, &done, func(a *App) error {
		done.Audiences, err = a.worker.RebuildProfiles(ctx, audience.ID(only))
		return err
	})
	return done, err
}

// operate asks the server that uses the data directory, or opens the directory and calls fn.
func operate(ctx context.Context, cfg Config, path string, query url.Values, answer any, fn func(a *App) error) error {
	cfg = cfg.withDefaults()
	if !present(filepath.Join(cfg.DataDir, "lock")) {
		return fmt.Errorf("%s is not a data directory of Roster; name one with --data-dir", cfg.DataDir)
	}
	cfg.Private = true
	cfg.asFound = path == operatorCheck
	a, err := New(ctx, cfg)
	if locked := new(LockedError); errors.As(err, &locked) {
		return ask(ctx, locked, path, query, answer)
	}
	if err != nil {
		return err
	}
	return errors.Join(fn(a), a.Stop(ctx))
}

// ask sends a command to the server that holds the data directory.
func ask(ctx context.Context, locked *LockedError, path string, query url.Values, answer any) error {
	h := locked.Holder
	if h.Operator == "" {
		return fmt.Errorf("%w, which takes no commands; stop it first", locked)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.Operator+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+h.Token)
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req) // without a proxy and without a timeout: a check may take hours
	if err != nil {
		return fmt.Errorf("ask the server with process id %d: %w", h.PID, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text := make([]byte, 4<<10)
		n, _ := resp.Body.Read(text)
		return errors.New(strings.TrimSpace(string(text[:n])))
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
