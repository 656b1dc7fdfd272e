// Package formats finds out what a file is and how it is written, reads it by the reader of its type, and proposes columns and options
// for files that no audience reads yet.
//
// # Types and compressions
//
// What a file is, its first bytes say, and never its name; the format may say it too, and an error tells where the file
// contradicts it. A file is compressed by gzip, zstd, bzip2 or zip when it begins as these do (package unpack says what
// is read of them). It is Parquet when it has PAR1 at both ends. A text is JSON when its first characters but white
// space are { and then a quote or }, or [ and then {, [, a quote or ]; so a CSV file with a header such as [id],[name]
// is none. Every other text is CSV. A format that says csv or json decides between these two. Parquet is not looked for
// in compressed files, and nothing is unpacked twice. Other types that are known by their first bytes, such as xz or
// Avro, are refused by name.
package formats
