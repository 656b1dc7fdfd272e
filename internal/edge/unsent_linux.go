package edge

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsent returns how many of the written bytes the client has not acknowledged; 0 if unknown.
func unsent(c net.Conn) int64 {
	tcp, ok := c.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	var bytes int
	failed := raw.Control(func(fd uintptr) { bytes, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
	if failed != nil || err != nil {
		return 0
	}
	return int64(bytes)
}
