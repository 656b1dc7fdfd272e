// Package parquet reads Parquet files, and believes nothing that a file says of itself.
//
// # Rules
//
// Columns are found by their names as those of CSV. Structs, lists and maps are refused when they are wanted, and are
// extra columns else. The number of a row is its line, from 1; there are no offsets. The raw text of a reject is a JSON
// object of the wanted columns. Several faults of a row count in the order of the file's columns.
//
// Text columns, also bytes without a type, are values as those of CSV. Of the others, whole numbers, numbers, dates,
// timestamps and booleans become values of the same kind as they are. Where the kinds differ, a value is the text that
// says it exactly:
//
//   - whole numbers and decimals in digits, without zeros at the end of a fraction: 12.50 is 12.5. A whole value fits
//     integer and long whatever it is stored as; of a floating-point number these take all digits.
//   - floating-point numbers in as few digits as tell them apart, with an exponent from 1e21 on and below 1e-6. In a
//     number column a float of 32 bits is the double that is equal to it. NaN and infinities are TYPE in a number
//     column, and NaN, Infinity and -Infinity as text.
//   - booleans as true and false, UUIDs as 8-4-4-4-12 digits.
//   - dates and times as ISO 8601: 2025-05-13, 10:20:30.5, 2025-05-13T10:20:30Z; a timestamp that is not adjusted to UTC
//     has no Z, and is taken for UTC. Timestamps are cut to microseconds in a datetime column; those of 96 bits always.
//     In a date column a timestamp must be a midnight of UTC.
//
// Null values of the format are compared with these texts. A logical type that is not known counts as none, and a group
// without children is an extra column. Values of more than 16 MiB, and files of more than 1,000 times as many rows, bytes
// of text or bytes without compression as bytes (from 1 Mi rows or 1 GiB on) end the read.
//
// Only the wanted columns are looked at: what the others are, whether they are encrypted, damaged or unknown, does not
// matter. What of a wanted column cannot be read (encryption, LZO, an encoding that its type cannot have) is named as
// not supported; a checksum that a page has is compared.
//
// Nothing that a file says of itself is believed before it is checked. The footer is read by a walk of its own, which
// takes time and memory by its bytes (64 MiB at most) and not by the counts and the depths in it. Pages are checked and unpacked
// before the library that decodes values sees them; what it takes memory for is drawn from Options.MaxMemory first.
package parquet
