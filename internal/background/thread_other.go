//go:build !linux

package background

func thread() (id int) { return 0 }

func lower(int) {}
