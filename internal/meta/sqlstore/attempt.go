package sqlstore

import (
	"context"
	"errors"

	"roster/internal/meta"
)

func (q queries) Attempt(ctx context.Context, id string) (meta.Attempt, error) {
	a, err := one(ctx, q, "the attempt", `SELECT deaths, cause, files FROM attempts WHERE id = $1`, []any{id}, func(r row) (a meta.Attempt, err error) {
		err = r.Scan(&a.Deaths, &a.Cause, asJSON(&a.Files))
		return a, err
	})
	if errors.Is(err, meta.ErrNotFound) {
		return meta.Attempt{}, nil
	}
	return a, err
}

func (t *tx) OpenAttempt(ctx context.Context, id, worker string) error {
	_, err := t.exec(ctx, "the attempt", `INSERT INTO attempts (id, worker, deaths, cause, files) VALUES ($1, $2, 0, '', '[]')
		ON CONFLICT (id) DO UPDATE SET worker = $2`, id, worker)
	return err
}

func (t *tx) CloseAttempt(ctx context.Context, id string) error {
	_, err := t.exec(ctx, "the attempt", `UPDATE attempts SET worker = '' WHERE id = $1`, id)
	return err
}

func (t *tx) EndAttempts(ctx context.Context, id string) error {
	_, err := t.exec(ctx, "the attempt", `DELETE FROM attempts WHERE id = $1`, id)
	return err
}

func (t *tx) CountDeath(ctx context.Context, worker, cause string, files map[string][]string) (int, error) {
	open, err := list(ctx, t.queries, "the attempts", `SELECT id FROM attempts WHERE worker = $1 ORDER BY id`, []any{worker}, value[string])
	if err != nil {
		return 0, err
	}
	for _, id := range open {
		read := files[id]
		if read == nil {
			read = []string{}
		}
		_, err := t.exec(ctx, "the attempt", `UPDATE attempts SET worker = '', deaths = deaths + 1, cause = $1, files = $2 WHERE id = $3`, cause, asJSON(&read), id)
		if err != nil {
			return 0, err
		}
	}
	_, err = t.exec(ctx, "the attempts of work that ended", `DELETE FROM attempts WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = attempts.id AND r.status = 'PROCESSING')
		AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = attempts.id AND t.status = 'PROCESSING')`)
	return len(open), err
}
