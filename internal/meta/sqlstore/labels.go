package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"roster/internal/audience"
)

// labelSet names a set of labels; "" is the one without any.
func labelSet(labels []string) string {
	labels = distinct(labels)
	if len(labels) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join(labels, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// distinct returns the labels in order, each once.
func distinct(labels []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(labels)))
}

// keepLabelSet records which labels a set has, and returns the set's name.
func (t *tx) keepLabelSet(ctx context.Context, org string, labels []string) (string, error) {
	set := labelSet(labels)
	for _, l := range distinct(labels) {
		_, err := t.exec(ctx, "the labels", `INSERT INTO label_sets (org, label, label_set) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, org, l, set)
		if err != nil {
			return "", err
		}
	}
	return set, nil
}

// hiddenSets selects the sets of labels that a client does not see: those with a label that it does not hold. The
// organization is parameter 1, and the labels held are those after as many arguments as there are.
func hiddenSets(grants audience.Grants, arguments int) (sql string, args []any) {
	sql = `SELECT label_set FROM label_sets WHERE org = $1`
	for _, l := range grants {
		args = append(args, l)
	}
	if len(args) > 0 {
		sql += fmt.Sprintf(` AND label NOT IN (%s)`, placeholders(arguments+1, len(args)))
	}
	return sql, args
}

// fillLabelSets fills the column with the label set of each audience.
func fillLabelSets(ctx context.Context, t *tx) error {
	type labelled struct {
		id, org string
		labels  []string
	}
	all, err := list(ctx, t.queries, "the audiences", `SELECT id, org, labels FROM audiences`, nil,
		func(r row) (a labelled, err error) { return a, r.Scan(&a.id, &a.org, asJSON(&a.labels)) })
	if err != nil {
		return err
	}
	for _, a := range all {
		if len(a.labels) == 0 {
			continue
		}
		set, err := t.keepLabelSet(ctx, a.org, a.labels)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "the audience", `UPDATE audiences SET label_set = $1 WHERE id = $2`, set, a.id); err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, "the numbers of audiences", `INSERT INTO audience_counts (org, sandbox, label_set, audiences)
		SELECT org, sandbox, label_set, COUNT(*) FROM audiences WHERE NOT deleted GROUP BY org, sandbox, label_set`)
	return err
}

// Labels implements meta.Reader.
func (q queries) Labels(ctx context.Context, scope audience.Scope) ([]string, error) {
	return list(ctx, q, "the labels", `SELECT DISTINCT l.label FROM label_sets l JOIN audience_counts c ON c.org = l.org AND c.label_set = l.label_set
		WHERE c.org = $1 AND c.sandbox = $2 AND c.audiences > 0 ORDER BY l.label`, []any{scope.Org, scope.Sandbox}, value[string])
}
