package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Audiences implements meta.Reader.
func (q queries) Audiences(ctx context.Context, scope audience.Scope, query audience.AudienceQuery) (all []audience.Audience, total int, err error) {
	where, err := audiencesLike(scope, query)
	if err != nil || where.never {
		return nil, 0, err
	}
	page, err := where.page(query)
	if err != nil {
		return nil, 0, err
	}
	err = q.view(ctx, func(q queries) error {
		if !query.NoTotal {
			total, err = q.countedAudiences(ctx, where)
			if err != nil || total == 0 {
				return err
			}
		}
		all, err = list(ctx, q, "the audiences", page.sql, page.args, scanAudience)
		return err
	})
	return all, total, err
}

// AudiencesByID implements meta.Reader.
func (q queries) AudiencesByID(ctx context.Context, scope audience.Scope, ids []audience.ID) ([]audience.Audience, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := []any{scope.Org, scope.Sandbox}
	for _, id := range ids {
		args = append(args, id)
	}
	return list(ctx, q, "the audiences", `SELECT `+audienceColumns+` FROM audiences
		WHERE id IN (`+placeholders(3, len(ids))+`) AND org = $1 AND sandbox = $2 AND NOT deleted`, args, scanAudience)
}

// countedAudiences is the number of audiences that match a condition.
func (q queries) countedAudiences(ctx context.Context, where *audienceConditions) (int, error) {
	const what = "the number of audiences"
	if where.filtered {
		return one(ctx, q, what, where.count(), where.args, value[int])
	}
	total, err := one(ctx, q, what, `SELECT CAST(COALESCE(SUM(audiences), 0) AS BIGINT) FROM audience_counts WHERE org = $1 AND sandbox = $2`+where.seen, where.args, value[int])
	if err != nil || !where.people {
		return total, err
	}
	accounts, err := one(ctx, q, what, where.countAccounts(), where.args, value[int])
	return total - accounts, err
}

// countAudiences adds n to the number of a sandbox's audiences with a set of labels.
func (t *tx) countAudiences(ctx context.Context, scope audience.Scope, set string, n int) error {
	_, err := t.exec(ctx, "the number of audiences", `INSERT INTO audience_counts (org, sandbox, label_set, audiences) VALUES ($1, $2, $3, $4)
		ON CONFLICT (org, sandbox, label_set) DO UPDATE SET audiences = audience_counts.audiences + excluded.audiences`, scope.Org, scope.Sandbox, set, n)
	return err
}

// foldAudiences fills the columns for searches of audiences.
func foldAudiences(ctx context.Context, t *tx) error {
	type text struct{ id, name, description string }
	all, err := list(ctx, t.queries, "the audiences", `SELECT id, name, description FROM audiences`, nil,
		func(r row) (a text, err error) { return a, r.Scan(&a.id, &a.name, &a.description) })
	if err != nil {
		return err
	}
	for _, a := range all {
		_, err := t.exec(ctx, "the audience", `UPDATE audiences SET name_key = $1, description_key = $2 WHERE id = $3`,
			fold(a.name), fold(a.description), a.id)
		if err != nil {
			return err
		}
	}
	return nil
}

// audienceConditions is the condition of a list of audiences. Its first two arguments are the scope.
type audienceConditions struct {
	sql  string
	args []any
	// seen is the part of it that is about labels.
	seen string
	// filtered says that it asks for more than the scope and the labels.
	filtered bool
	// people says that it asks for audiences of people, which are all but a few.
	people bool
	never  bool // no audience can match
}

// ofAccounts is the condition of audiences of accounts, which have an index of their own.
const ofAccounts = ` AND audience_type <> 'people'`

// statement is a query and its arguments.
type statement struct {
	sql  string
	args []any
}

// audiencesLike returns the condition that the query's filters make.
func audiencesLike(scope audience.Scope, query audience.AudienceQuery) (*audienceConditions, error) {
	c := &audienceConditions{sql: `org = $1 AND sandbox = $2 AND NOT deleted`, args: []any{scope.Org, scope.Sandbox}}
	c.seenBy(query.SeenBy)
	c.contains("name_key", query.NameContains)
	c.contains("description_key", query.DescriptionContains)
	for _, f := range query.Filters {
		if err := c.filter(f); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// seenBy restricts the list to the audiences that a client with the grants may see.
func (c *audienceConditions) seenBy(grants *audience.Grants) {
	if grants == nil || grants.All() {
		return
	}
	hidden, args := hiddenSets(*grants, len(c.args))
	c.seen = ` AND label_set NOT IN (` + hidden + `)`
	c.sql, c.args = c.sql+c.seen, append(c.args, args...)
}

// add adds a condition. Each %s in it is the placeholder of the next argument.
func (c *audienceConditions) add(condition string, args ...any) {
	c.filtered = true
	marks := make([]any, len(args))
	for i, a := range args {
		c.args = append(c.args, a)
		marks[i] = fmt.Sprintf("$%d", len(c.args))
	}
	c.sql += " AND " + fmt.Sprintf(condition, marks...)
}

var literally = strings.NewReplacer("~", "~~", "%", "~%", "_", "~_")

// contains restricts the list to audiences with the text in a folded column.
func (c *audienceConditions) contains(column, text string) {
	if text != "" {
		c.add(column+` LIKE %s ESCAPE '~'`, "%"+literally.Replace(fold(text))+"%")
	}
}

// heldBy finds the audience that holds a name of a kind in the scope.
const heldBy = `SELECT audience_id FROM names WHERE org = $1 AND sandbox = $2 AND kind = %s AND name = %s`

// filter restricts the list to audiences with the value.
func (c *audienceConditions) filter(f audience.AudienceFilter) error {
	switch f.Property {
	case "id":
		c.add(`id = %s`, f.Value)
	case "name":
		c.add(`id = (`+heldBy+`)`, meta.FieldName, f.Value)
	case "audienceId":
		c.add(`id = COALESCE((`+heldBy+`), (SELECT id FROM audiences WHERE id = %s AND custom_id = ''))`, meta.FieldCustomID, f.Value, f.Value)
	case "namespace":
		c.add(`namespace = %s`, f.Value)
	case "originName":
		c.add(`origin_name = %s`, f.Value)
	case "lifecycleState":
		c.add(`lifecycle_state = %s`, f.Value)
	case "createdBy":
		c.add(`created_by = %s`, f.Value)
	case "labels":
		c.add(`label_set IN (SELECT label_set FROM label_sets WHERE org = $1 AND label = %s)`, f.Value)
	case "tags":
		// The column is a JSON array of texts. A quote inside of a text is escaped, so that only a whole one stands behind [ or a comma.
		text, err := json.Marshal(f.Value)
		if err != nil {
			return fmt.Errorf("a tag as JSON: %w", err)
		}
		c.add(`(REPLACE(tags, %s, '') <> tags OR REPLACE(tags, %s, '') <> tags)`, "["+string(text), ","+string(text))
	case "audienceType":
		c.add(`audience_type = %s`, f.Value)
	case "entityType":
		switch f.Value {
		case audience.EntityPeople:
			c.sql, c.people = c.sql+` AND audience_type = 'people'`, true
		case audience.EntityAccounts:
			c.sql, c.filtered = c.sql+ofAccounts, true
		default:
			c.never = true
		}
	case "type":
		c.never = c.never || f.Value != audience.TypeExternal
	default:
		return fmt.Errorf("audiences cannot be filtered by %q", f.Property)
	}
	return nil
}

// count counts the list.
func (c *audienceConditions) count() string { return `SELECT COUNT(*) FROM audiences WHERE ` + c.sql }

// countAccounts counts the audiences of accounts in the scope that the client sees.
func (c *audienceConditions) countAccounts() string {
	return `SELECT COUNT(*) FROM audiences WHERE org = $1 AND sandbox = $2 AND NOT deleted` + ofAccounts + c.seen
}

// page reads a part of the list.
func (c *audienceConditions) page(query audience.AudienceQuery) (statement, error) {
	var column string
	var after any
	place := query.After
	if place == nil {
		place = &audience.Position{}
	}
	switch query.SortBy {
	case "", audience.SortCreated:
		column, after = "created_at", asTime(&place.At)
	case audience.SortUpdated:
		column, after = "updated_at", asTime(&place.At)
	case audience.SortName:
		column, after = `name_key COLLATE "C"`, fold(place.Name)
	default:
		return statement{}, fmt.Errorf("audiences cannot be sorted by %q", query.SortBy)
	}
	direction, beyond := "", ">"
	if query.Descending {
		direction, beyond = " DESC", "<"
	}
	part := audienceConditions{sql: c.sql, args: append([]any(nil), c.args...)}
	if query.After != nil {
		part.add(`(`+column+`, id) `+beyond+` (%s, %s)`, after, place.ID)
	}
	n := len(part.args)
	return statement{
		sql: `SELECT ` + audienceColumns + ` FROM audiences WHERE ` + part.sql +
			fmt.Sprintf(` ORDER BY %s%s, id%s LIMIT $%d OFFSET $%d`, column, direction, direction, n+1, n+2),
		args: append(part.args, max(query.Limit, 0), max(query.Offset, 0)),
	}, nil
}
