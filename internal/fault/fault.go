// Package fault names the places where a disk, a network or the power may fail: each I/O call of Roster's own,
// before it and after it. In a program built as usual a place costs nothing and can do nothing. Built with the
// tag "fault", as the tests in tests/fault are, a place can return an error or end the process.
package fault

// A name is that of the thing and what is done to it, such as "lake.write". The place after the call has the same
// name with Done behind it: an error there is one whose effect happened all the same.
const Done = ".done"
