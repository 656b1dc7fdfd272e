// Package value parses texts into the values of typed columns, reports values that do not fit, and infers the possible
// types of a column.
//
// # Rules
//
// An empty value, quoted or not, is null for every type. So is a value that equals one of the format's null values
// after quotes and escapes are resolved. Strings are kept as they are; around other values spaces and tabs are removed.
// A row is a reject (IDENTITY) if its primary identity is null or consists only of white space, format and control
// characters. A row is a reject (IDENTITY_FORM) if a value cannot be an identity of its namespace
// (identity.Impossible). A value that does not have its column's type makes the row a reject. If a row has several
// faults, the first in the order of the file's columns counts:
//
//   - integer, long: an optional sign and decimal digits. Out of 32 or 64 bits is RANGE; 1.0 and 1e3 are TYPE.
//   - With Format.DecimalComma numbers of CSV files are written with a comma for the point. Groups of three digits may be parted by
//     points, apostrophes, spaces or no-break spaces, always the same, also in whole numbers. A point elsewhere is TYPE.
//   - number: an optional sign, digits with at most one point among or beside them, and an optional exponent, to the
//     nearest double. More than a double holds is RANGE. Hexadecimal numbers, underscores, NaN and infinities are
//     TYPE.
//   - boolean: true/false, 1/0, yes/no, t/f or y/n in any case.
//   - date: YYYY-MM-DD that exists in the Gregorian calendar; the year 0000 is RANGE.
//   - datetime: a date, or a date, T or a space, hh:mm or hh:mm:ss, and after seconds a point or comma and 1 to 9
//     digits, cut to microseconds; then Z or an offset ±hh, ±hhmm or ±hh:mm, a space before it or not; then UTC or GMT, which may
//     also stand for the offset, a space before it or not; letters in either case. UTC behind another offset is TYPE, and so
//     are other names of zones. Without an offset
//     it is UTC. A leap second (:60) and 24:00 are TYPE; an instant whose year in UTC is not 1 to 9999 is RANGE.
//   - date and datetime that are TYPE by these rules are tried by the format's date patterns (audience.ParseDatePattern)
//     in their order. The first that the whole value fits, to the byte, and that makes an existing day decides. Without
//     an offset it is UTC, without a time of day midnight. In a date column the time of day must be midnight as it is
//     written, and an offset does not matter.
//   - string: any valid text, else ENCODING.
//
// If the type of a column was only proposed, a row with information that these rules would drop is a reject
// (PROPOSED_TYPE): leading zeros and plus signs of whole numbers, digits that a double does not hold, and digits below
// microseconds.
package value
