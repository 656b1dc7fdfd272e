// Package json reads JSON objects, one for each row.
//
// # Rules
//
// A file holds JSON objects (RFC 8259), one for each row, in one of three layouts, which its content says: one array
// of them; a line for each; or one behind the other, over lines as they like. An array is a file that begins with a
// bracket. Else a file is of lines when its first object that is not empty, or its hundredth, is a line of its own,
// when its first line is malformed, or when its second line is an object. Text is encoded as that of CSV; lines and
// offsets count alike.
//
// Blank lines are skipped. A line that is not one JSON object is a reject (JSON), and the next line is read. In the
// other layouts nothing behind malformed JSON can be trusted: it ends the read, naming its line, and so does a file
// that is cut off, or has text behind its array. An element that is no object is a reject (JSON). Objects and arrays
// in each other more than 1,000 deep and objects of more than 10,000 keys are as malformed. A row of more than 16 MiB
// with the white space before it ends the read.
//
// Rows of one array may begin on the same line. So that each has a number of its own, the number of a row is that of
// its line, or one more than that of the row before it if that is more: in an array on one line rows are counted.
//
// Keys are found as the names of CSV are, in any order. An absent key and null are null. A wanted key that an object
// has twice makes it a reject (DUPLICATE_KEY); elsewhere keys and values do not matter. A wanted column that no object
// has is missing; it is an error when it is required, or when all are missing, or nothing in the file is an object:
// only at the end of the file it is known. An empty array is a file without rows, and no error. Extra columns are the
// first 10,000 spellings that the file has, of up to 1 KiB.
//
// The text of a string, and numbers and booleans as they are written, are values as those of CSV, with these rules:
// for an integer or long, a number may have a point or an exponent if it is whole, such as 1.0 or 1e3, and a string
// may not. An object or an array is TYPE. A string with half a surrogate, or with bytes that are not valid, is
// ENCODING. Of several faults of a row the first in the order of its keys counts.
package json
