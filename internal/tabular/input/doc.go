// Package input prepares text for the readers of CSV and JSON: it decodes text, guesses encodings, and cuts text into
// chunks within a memory limit.
package input
