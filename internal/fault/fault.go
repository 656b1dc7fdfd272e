// Package fault names the places where a disk, a network or the power may fail: each I/O call of Roster's own that is none of a byte
// store (package blob/faulty fails those), before it and after it. In a program built as usual a place costs nothing and can do nothing. Built with the
// tag "fault", as the tests in tests/fault are, a place can return an error or end the process.
package fault

// Done is what the name of the place after a call ends with: an error there is one whose effect happened all the
// same. The name of the place before it is that of the thing and what is done to it, such as "spill.write".
const Done = ".done"
