package audience

import "time"

// KeepAnswers is how long a repeated request gets the answer of the first one (contract, section 1).
const KeepAnswers = 24 * time.Hour

// RequestKey names a request that its client may repeat: Key is its Idempotency-Key.
type RequestKey struct {
	Scope    Scope
	ClientID string
	Key      string
}

// Answer is what a repeated request is answered with.
type Answer struct {
	RequestKey
	Request string // what was asked for, as a fingerprint
	Status  int    // of HTTP, 0 while the request is being answered
	Body    string // JSON, or "" when the answer has none
	Rights  Rights // of the client when it was answered
	BegunAt time.Time
}
