//go:build !linux

package background

func thread() {}
