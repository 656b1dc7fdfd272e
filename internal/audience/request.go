package audience

import "time"

// KeepAnswers is how long a repeated request gets the answer of the first one (contract, section 1).
const KeepAnswers = 24 * time.Hour

// RequestKey identifies a request that its client may repeat: Key is its Idempotency-Key.
type RequestKey struct {
	Scope    Scope
	ClientID string
	Key      string
}

// Answer is the stored answer for repetitions of a request.
type Answer struct {
	RequestKey
	Request string // fingerprint of the request
	Status  int    // of HTTP, 0 while the request is in progress
	Body    string // JSON, or "" if the answer has no body
	Rights  Rights // of the client at the time of the answer
	BegunAt time.Time
}
