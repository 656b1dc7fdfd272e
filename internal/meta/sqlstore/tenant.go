package sqlstore

import (
	"cmp"
	"context"
	"slices"

	"roster/internal/audience"
)

// Organizations implements meta.Reader.
func (q queries) Organizations(ctx context.Context) ([]string, error) {
	all, err := list(ctx, q, "the organizations", `SELECT id FROM organizations`, nil, value[string])
	slices.Sort(all) // here, because databases collate differently
	return all, err
}

func (t *tx) CreateOrganization(ctx context.Context, org string) error {
	return t.insert(ctx, "the organization", "organizations", "id", org)
}

// Namespaces implements meta.Reader.
func (q queries) Namespaces(ctx context.Context, org string) ([]audience.Namespace, error) {
	all, err := list(ctx, q, "the namespaces", `SELECT id, code, name, description, id_type FROM namespaces WHERE org = $1`, []any{org},
		func(r row) (n audience.Namespace, err error) {
			n.Custom = true
			return n, r.Scan(&n.ID, &n.Code, &n.Name, &n.Description, &n.IDType)
		})
	slices.SortFunc(all, func(a, b audience.Namespace) int { return cmp.Compare(a.Code, b.Code) })
	return all, err
}

func (t *tx) CreateNamespace(ctx context.Context, org string, n *audience.Namespace) error {
	id, err := t.next(ctx, "namespace")
	if err != nil {
		return err
	}
	err = t.insert(ctx, "the namespace", "namespaces", "id, org, code, code_key, name, description, id_type",
		id, org, n.Code, fold(n.Code), n.Name, n.Description, n.IDType)
	if err == nil {
		n.ID, n.Custom = int(id), true
	}
	return err
}
