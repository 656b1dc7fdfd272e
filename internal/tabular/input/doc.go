// Package input prepares text for the readers of CSV and JSON: it decodes text, guesses encodings, and cuts text into chunks whose memory
// is bounded.
package input
