package sqlstore

import (
	"context"
	"time"

	"roster/internal/audience"
)

const answerColumns = `org, sandbox, client_id, request_key, request, status, body, begun_at, rights`

// Answer implements meta.Reader.
func (q queries) Answer(ctx context.Context, k audience.RequestKey) (audience.Answer, error) {
	return one(ctx, q, "the answer of a request", `SELECT `+answerColumns+` FROM answers
		WHERE org = $1 AND sandbox = $2 AND client_id = $3 AND request_key = $4`, []any{k.Scope.Org, k.Scope.Sandbox, k.ClientID, k.Key},
		func(r row) (a audience.Answer, err error) {
			return a, r.Scan(&a.Scope.Org, &a.Scope.Sandbox, &a.ClientID, &a.Key, &a.Request, &a.Status, &a.Body, asTime(&a.BegunAt), asJSON(&a.Rights))
		})
}

func (t *tx) KeepAnswer(ctx context.Context, a audience.Answer) error {
	if err := t.DeleteAnswer(ctx, a.RequestKey); err != nil {
		return err
	}
	return t.insert(ctx, "the answer of a request", "answers", answerColumns,
		a.Scope.Org, a.Scope.Sandbox, a.ClientID, a.Key, a.Request, a.Status, a.Body, asTime(&a.BegunAt), asJSON(a.Rights))
}

func (t *tx) DeleteAnswer(ctx context.Context, k audience.RequestKey) error {
	_, err := t.exec(ctx, "the answer of a request", `DELETE FROM answers WHERE org = $1 AND sandbox = $2 AND client_id = $3 AND request_key = $4`,
		k.Scope.Org, k.Scope.Sandbox, k.ClientID, k.Key)
	return err
}

func (t *tx) DeleteAnswers(ctx context.Context, before time.Time) (int64, error) {
	return t.exec(ctx, "the answers of requests", `DELETE FROM answers WHERE begun_at < $1`, asTime(&before))
}

func (t *tx) DeleteUnanswered(ctx context.Context) error {
	_, err := t.exec(ctx, "the requests without an answer", `DELETE FROM answers WHERE status = 0`)
	return err
}
