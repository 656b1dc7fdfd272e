package sqlstore

import (
	"roster/internal/audience"
)

// AudiencePage returns the statement that reads a page of audiences, and its arguments.
func AudiencePage(scope audience.Scope, q audience.AudienceQuery) (string, []any, error) {
	where, err := audiencesLike(scope, q)
	if err != nil {
		return "", nil, err
	}
	page, err := where.page(q)
	return page.sql, page.args, err
}

// AuditPage returns the statement that reads a page of the audit log, and its arguments.
func AuditPage(org string, q audience.AuditQuery) (string, []any) {
	s := auditPage(org, q)
	return s.sql, s.args
}

// AudienceCount returns the statement that counts the audiences that match filters, and its arguments.
func AudienceCount(scope audience.Scope, q audience.AudienceQuery) (string, []any, error) {
	where, err := audiencesLike(scope, q)
	if err != nil {
		return "", nil, err
	}
	return where.count(), where.args, nil
}

// AudienceByFlow returns the statement that finds the audience of a flow.
const AudienceByFlow = selectAudienceByFlow

// AccountCount returns the statement that counts the audiences of accounts, and its arguments.
func AccountCount(scope audience.Scope, q audience.AudienceQuery) (string, []any, error) {
	where, err := audiencesLike(scope, q)
	if err != nil {
		return "", nil, err
	}
	return where.countAccounts(), where.args, nil
}
