// Package parquet reads Parquet files. It checks everything that a file claims about itself.
//
// # Rules
//
// Columns are matched by name like those of CSV. Structs, lists and maps are refused if they are wanted, and are extra
// columns otherwise. The number of a row is its line, from 1; there are no offsets. The raw text of a reject is a JSON
// object of the wanted columns. If a row has several faults, the first in the order of the file's columns counts.
//
// Text columns, including bytes without a type, are values like those of CSV. Whole numbers, numbers, dates, timestamps
// and booleans become values of the same kind. If the kinds differ, the value is the text that represents it exactly:
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
// The format's null values are compared with these texts. An unknown logical type is ignored, and a group without
// children is an extra column. The read ends with an error at values of more than 16 MiB, and for files with more than
// 1,000 rows, bytes of text or uncompressed bytes per byte of the file (from 1 Mi rows or 1 GiB on).
//
// Only the wanted columns are read: whether the others are encrypted, damaged or unknown does not matter. If a wanted
// column cannot be read (encryption, LZO, an encoding that its type cannot have), the error says that this is not
// supported. Checksums of pages are verified if present.
//
// Every claim of a file is checked before it is used. The footer is read by a separate parser, whose time and memory
// depend on its bytes (64 MiB at most) and not on the counts and depths that it claims. Pages are checked and
// decompressed before the library decodes their values, and the memory that the library needs is first taken from
// Options.MaxMemory.
package parquet
