package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"roster/internal/auth"
	"roster/internal/lake"
)

// A data directory that has lost a part is refused, with an error that names what to restore. A new, empty part would
// show no audiences, or could not open what the lost one encrypted; and the lost part would no longer fit when it is
// restored later.

// lost is the error for a missing part, when other parts show that it existed.
func lost(part, shown, consequence string) error {
	return fmt.Errorf("%s is missing or empty, although %s: %s; restore it from the backup that the rest of the data directory is from", part, shown, consequence)
}

// present reports whether a file exists and is not empty.
func present(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// hasTables reports whether the folder of the datasets contains the folder of a dataset.
func hasTables(warehouse string) bool {
	if warehouse == "" {
		return false // claimBucket finds out
	}
	tables, _ := filepath.Glob(filepath.Join(globLiteral(warehouse), "*", "*"))
	return len(tables) > 0
}

// globLiteral quotes a path for filepath.Glob.
var globLiteral = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace

// traces returns what shows that a data directory was used before; "" if it is new or its first start was interrupted.
func (a *App) traces() string {
	switch {
	case present(a.path("credentials.json")):
		return "there is a credentials.json"
	case hasTables(a.warehouse()):
		return "there are datasets in " + a.warehouse()
	}
	return ""
}

// checkRemains looks for lost parts before anything is created in their place. The checks that need the metadata come
// later.
func (a *App) checkRemains() error {
	shown := a.traces()
	if shown == "" && present(a.path("catalog.db")) {
		shown = "there is a catalog.db"
	}
	if a.cfg.DatabaseURL == "" && shown != "" && !present(a.path("roster.db")) {
		err := lost(a.path("roster.db"), shown, "it has the audiences, their runs and the clients")
		if present(a.path("id")) {
			err = fmt.Errorf("%w; if the metadata are in PostgreSQL, name it by --database-url (ROSTER_DATABASE_URL)", err)
		}
		return err
	}
	return a.cfg.checkMasterKey()
}

// checkMasterKey refuses to create a master key if there are keys that another one encrypted.
func (c Config) checkMasterKey() error {
	if c.MasterKey != (MasterKey{}) || present(c.masterKeyPath()) || !present(c.ringPath()) {
		return nil
	}
	return fmt.Errorf("%s is missing or empty, although %s is encrypted with a master key: restore it, or name the key by --master-key-file, --master-key-url or ROSTER_MASTER_KEY; %s",
		c.masterKeyPath(), c.ringPath(), replaceLost)
}

const replaceLost = "if no backup has it, roster secrets replace-lost creates new keys"

// checkDatabase refuses a PostgreSQL database without an organization if the data directory was used before.
func (a *App) checkDatabase(ctx context.Context) error {
	shown := a.traces()
	if shown == "" {
		return nil
	}
	if orgs, err := a.meta.Organizations(ctx); err != nil || len(orgs) > 0 {
		return err
	}
	return fmt.Errorf("--database-url, ROSTER_DATABASE_URL: the database is empty, although in the data directory %s %s: name the database that belongs to it, or restore that from the same backup",
		a.cfg.DataDir, shown)
}

// checkKeys refuses to create keys in place of those that a server has used.
func (a *App) checkKeys(ctx context.Context) error {
	orgs, err := a.meta.Organizations(ctx)
	if err != nil || len(orgs) == 0 {
		return err
	}
	if path := KeyPath(a.cfg.DataDir); !present(path) {
		return fmt.Errorf("%w; %s", lost(path, "the server has been in use", "tokens, receipts and certificates that it signed would become invalid"), replaceLost)
	}
	if path := a.cfg.ringPath(); !present(path) {
		sealed, err := a.meta.Sealed(ctx)
		if err != nil {
			return err
		}
		if len(sealed) > 0 {
			return fmt.Errorf("%w; %s", lost(path, fmt.Sprintf("%d secrets of connections, PGP keys, webhooks or erasures are encrypted with it", len(sealed)), "nobody could open them any more"), replaceLost)
		}
	}
	return nil
}

// checkCatalog refuses to create a catalog in place of one that named datasets.
func (a *App) checkCatalog(ctx context.Context) error {
	path := a.path("catalog.db")
	if present(path) {
		return nil
	}
	if hasTables(a.warehouse()) {
		return lost(path, "there are datasets in "+a.warehouse(), "it says which state of each dataset counts")
	}
	ran, err := a.anyRan(ctx)
	if err == nil && ran {
		err = lost(path, "there are audiences that have had runs", "it says which state of each dataset counts")
	}
	return err
}

// anyRan reports whether an audience has had a run.
func (a *App) anyRan(ctx context.Context) (bool, error) {
	list, err := a.meta.Unmaintained(ctx, time.Unix(1<<36, 0), 1)
	return len(list) > 0, err
}

// checkCatalogTables refuses to create the tables of the catalog in a database if audiences have had runs. A catalog that
// exists may be empty, because other programs can drop all datasets.
func (a *App) checkCatalogTables(ctx context.Context, catalog *sql.DB) error {
	there := "SELECT count(*) FROM sqlite_master WHERE name = 'iceberg_tables'"
	if a.cfg.DatabaseURL != "" {
		there = "SELECT CASE WHEN to_regclass('iceberg_tables') IS NULL THEN 0 ELSE 1 END"
	}
	n := 0
	if err := catalog.QueryRowContext(ctx, there).Scan(&n); err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	if n > 0 {
		return nil
	}
	ran, err := a.anyRan(ctx)
	if err == nil && ran {
		err = lost("the catalog of the datasets", "there are audiences that have had runs", "it says which state of each dataset counts")
	}
	return err
}

// checkTables refuses datasets of which no file exists (the folder is another one, or its disk is not mounted), and
// datasets of another data directory, which a copy of that directory would change.
func (a *App) checkTables(ctx context.Context, catalog *sql.DB) error {
	dirs := []string{a.path("lake"), a.warehouse()}
	folders, err := tableFolders(ctx, catalog, dirs...)
	if err != nil {
		return err
	}
	if len(folders) == 0 {
		return nil
	}
	const move = "a data directory works only at its original path: move it back there, also if it is a copy or a backup"
	there := 0
	for _, folder := range folders {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			continue
		}
		there++
		ours := false
		for _, dir := range dirs {
			if real, err := realPath(folder); err == nil && !ours {
				if ours, err = holds(dir, real); err != nil {
					return err
				}
			}
		}
		if !ours {
			return fmt.Errorf("the catalog in %s names datasets of another folder, %s; %s; if another program moved the table (ALTER TABLE ... SET LOCATION), set its location back with that program", a.cfg.DataDir, folder, move)
		}
	}
	if there == 0 {
		return fmt.Errorf("the catalog names %d datasets, and none of them exists, such as %s: mount their disk, or restore them from the backup that the rest of the data directory is from; %s",
			len(folders), folders[0], move)
	}
	return nil
}

// tableFolders lists the folders of the datasets that the catalog names. The datasets lie in dirs.
func tableFolders(ctx context.Context, catalog *sql.DB, dirs ...string) (list []string, err error) {
	locations, err := tableLocations(ctx, catalog)
	if i := slices.IndexFunc(locations, func(l string) bool { return !strings.HasPrefix(l, "file:") }); i >= 0 {
		return nil, elsewhere(locations[i], dirs[len(dirs)-1])
	}
	for _, location := range locations {
		if p, err := lake.PathOf(location, dirs...); err == nil {
			list = append(list, filepath.Dir(filepath.Dir(p))) // FOLDER/metadata/NAME
		}
	}
	return list, err
}

// tableLocations lists the locations of the datasets' metadata. The name of a dataset is the id of its audience. Other
// tables in the catalog belong to other programs.
func tableLocations(ctx context.Context, catalog *sql.DB) (list []string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the catalog: %w", err)
		}
	}()
	rows, err := catalog.QueryContext(ctx, "SELECT table_name, metadata_location FROM iceberg_tables WHERE metadata_location IS NOT NULL")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, location string
		if err := rows.Scan(&name, &location); err != nil {
			return nil, err
		}
		if uuid.Validate(name) != nil {
			continue
		}
		list = append(list, location)
	}
	return list, rows.Err()
}

// ReplaceLostKeys creates new keys in place of those that are missing in the data directory. Tokens, receipts and
// certificates of a lost signing key become invalid, and secrets that lost keys encrypted must be entered again. No
// server may be using the data directory. It returns the files that it created.
func ReplaceLostKeys(ctx context.Context, cfg Config) (made []string, err error) {
	cfg = cfg.withDefaults()
	if !present(filepath.Join(cfg.DataDir, "lock")) {
		return nil, fmt.Errorf("there is no data of a server in %s; use --data-dir", cfg.DataDir)
	}
	lock, err := lockDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	defer lock.release()
	if err := os.MkdirAll(cfg.keysDir(), 0o700); err != nil {
		return nil, err
	}
	if path := KeyPath(cfg.DataDir); !present(path) {
		if err := removeEmpty(path); err != nil {
			return nil, err
		}
		if _, err := auth.NewIssuer(path, nil, cfg.Clock); err != nil {
			return nil, err
		}
		made = append(made, path)
	}
	noMaster := cfg.checkMasterKey() != nil
	if !noMaster && present(cfg.ringPath()) {
		return made, nil
	}
	if noMaster { // without the master key nobody can open the ring
		err = errors.Join(os.Rename(cfg.ringPath(), cfg.ringPath()+".lost"), removeEmpty(cfg.masterKeyPath()))
		made = append(made, cfg.masterKeyPath())
	}
	if err = errors.Join(err, removeEmpty(cfg.ringPath())); err != nil {
		return made, err
	}
	_, err = cfg.openRing(ctx)
	return append(made, cfg.ringPath()), err
}

// removeEmpty removes a file that is not present.
func removeEmpty(path string) error {
	if present(path) {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
