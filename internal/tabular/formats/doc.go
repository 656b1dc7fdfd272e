// Package formats detects what a file is and how it is written, reads it with the reader of its type, and proposes
// columns and options for files that no audience reads yet.
//
// # Types and compressions
//
// The first bytes of a file decide what it is; its name never does. The format may also say it, and an error reports a
// contradiction. A file is compressed with gzip, zstd, bzip2 or zip if it begins as these do (see package unpack for
// what is read of them). A file is Parquet if PAR1 is at both ends. A text is JSON if its first characters, except
// white space, are { and then a quote or }, or [ and then {, [, a quote or ]; so a CSV file with a header such as
// [id],[name] is not JSON. Every other text is CSV. A format that names csv or json decides between these two. Parquet
// in a compressed file is not detected, and nothing is decompressed twice. Other types that are known by their first
// bytes, such as xz or Avro, are refused with their name.
// Avro, are refused by name.
package formats
