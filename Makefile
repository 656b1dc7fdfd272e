# Subsets of the tests; CONTRIBUTING.md has the variables that enable those that need a server.
export CGO_ENABLED := 0

TARGET ?= FuzzRecords
PACKAGE ?= ./internal/tabular/formats

.PHONY: build demo quick test race fault chaos abuse fuzz bench check

build:
	go build -tags grpcnotrace -o roster ./cmd/roster

demo:
	go run ./cmd/roster demo

quick:
	test -z "$$(git ls-files -z '*.go' | xargs -0 gofmt -l)"
	go vet ./... && go vet -tags fault ./...
	go test ./internal/... ./client/... ./cmd/... ./tests/imports

test:
	go test ./...

race:
	CGO_ENABLED=1 go test -race ./internal/... ./client/...

fault:
	go test -tags fault -count=1 -timeout 20m ./tests/fault

chaos:
	ROSTER_CHAOS_ROWS=200000 ROSTER_CHAOS_KILLS=20 go test -count=1 -timeout 10m ./tests/chaos

abuse:
	ROSTER_TEST_ABUSE=1 go test -count=1 -timeout 15m ./tests/abuse

fuzz:
	go test -run '^$$' -fuzz '^$(TARGET)$$' -fuzztime 60s $(PACKAGE)

bench:
	go run ./bench/run --rows 200000 --repeat 1

check:
	bash .ci/run
