package csv

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/value"
)

// LayoutBytes is the amount of text in which lines before the header are looked for.
const LayoutBytes = 16 << 10

// Propose adds to out the options that the decoded text of a CSV file needs and that asked leaves open.
func Propose(ctx context.Context, text []byte, asked audience.Format, wanted []tabular.Column, out *audience.Format) error {
	p := proposer{ctx: ctx, text: text, wanted: wanted, asked: asked}
	p.asked.Encoding, p.asked.Compression = "", ""
	p.proposeLayout(out)
	return p.proposeRows(out)
}

// proposer inspects the decoded text of a CSV file.
type proposer struct {
	ctx    context.Context
	text   []byte
	wanted []tabular.Column
	asked  audience.Format
}

// proposeLayout looks for comments and titles.
func (p *proposer) proposeLayout(out *audience.Format) {
	skip, said := preamble(p.text)
	head := bytes.Clone(p.text[skip:min(len(p.text), skip+LayoutBytes)])
	if len(head) == LayoutBytes {
		head = head[:bytes.LastIndexAny(head, "\r\n")+1]
	}
	if bytes.IndexByte(head, '\n') < 0 {
		input.ReadReturns(head)
	}
	f := p.asked
	if f.Delimiter == "" && said != 0 {
		f.Delimiter = string(rune(said))
	}
	if f.SkipLines > 0 {
		titles, err := titleLines(head, f.SkipLines)
		if err != nil {
			return
		}
		head = head[titles:]
	}
	if f.Comment == "" {
		out.Comment = p.comment(head, f)
		f.Comment = out.Comment
	}
	if f.Comment != "" {
		blankComments(head, f)
	}
	if f.SkipLines == 0 && f.HasHeader() {
		out.SkipLines = p.titles(head, f)
	}
}

// comment returns the mark of comment lines in a text, "" if there are none. Comment lines begin with the mark and have
// another number of fields than the header or a blank after the mark, and without them the text has a header.
func (p *proposer) comment(head []byte, f audience.Format) string {
	for _, mark := range "#%;" {
		f.Comment = string(mark)
		rest := bytes.Clone(head)
		blankComments(rest, f)
		if bytes.Equal(rest, head) || f.Comment == f.Delimiter || f.Comment == f.Quote {
			continue
		}
		d := sniff(rest, p.wanted, f)
		start, end, _, _ := d.firstRecord(append(make([]byte, 0, len(rest)+input.Spare), rest...), true)
		first, err := d.split(rest[start:end], 1)
		if err != nil || start == end || d.delimiter == byte(mark) {
			continue
		}
		if _, fits := p.header(rest, f); f.HasHeader() && !fits {
			continue
		}
		if !slices.ContainsFunc(commentLines(head, rest), func(line []byte) bool {
			r, err := d.split(line, 1)
			return err != nil || len(r.values) == len(first.values) && !bytes.HasPrefix(line, []byte(f.Comment+" "))
		}) {
			return f.Comment
		}
	}
	return ""
}

// commentLines returns the lines of a text that are blank in another version of it.
func commentLines(text, blanked []byte) (list [][]byte) {
	for i := 0; i < len(text); i++ {
		if text[i] == blanked[i] {
			continue
		}
		n := 0
		for i+n < len(text) && text[i+n] != blanked[i+n] {
			n++
		}
		list = append(list, append(bytes.Clone(text[i:i+n]), '\n'))
		i += n
	}
	return list
}

// titles returns the number of lines before the header, if the first line is not a header for the rows, and a later one
// is.
func (p *proposer) titles(head []byte, f audience.Format) int {
	const most = 30 // lines
	named, fits := p.header(head, f)
	if fits || named > 0 {
		return 0
	}
	at := 0
	for n := 1; n <= most; n++ {
		end, err := titleLines(head[at:], 1)
		if at += end; err != nil || at >= len(head) {
			return 0
		}
		if head[at] == '\n' || head[at] == '\r' {
			continue
		}
		named, fits := p.header(head[at:], f)
		if len(p.wanted) > 0 && named == len(p.wanted) || len(p.wanted) == 0 && fits {
			return n
		}
	}
	return 0
}

// header reports how many of the wanted columns the first record of a text names, and whether it looks like the header
// of the rows after it: the columns have different names, most rows have the same number of fields, and a name shows an
// identity, or rows have values of a type that the name does not have.
func (p *proposer) header(text []byte, f audience.Format) (named int, fits bool) {
	d := sniff(text, p.wanted, f)
	padded := append(make([]byte, 0, len(text)+input.Spare), text...)
	start, end, mac, _ := d.firstRecord(padded, true)
	if mac {
		input.ReadReturns(padded)
	}
	first, err := d.split(padded[start:end], 1)
	if err != nil || start == end {
		return 0, false
	}
	named = wantedIn(first.values, p.wanted)
	names := first.values
	empty := 0
	for _, name := range names {
		if strings.TrimSpace(name) == "" {
			empty++
		}
	}
	if _, repeated := tabular.Distinct(names); len(repeated) > 0 || 2*empty >= len(names) || firstPerson(names, nil) {
		return named, false
	}
	rest := padded[end:]
	if len(names) == 1 {
		return named, audience.ProposeNamespace(names[0]) != "" || !bytes.ContainsAny(rest, string(usualDelimiters)) && !p.laterHeader(rest)
	}
	if 2*d.measure(rest, len(names)) < len(bytes.TrimSpace(rest)) {
		return named, len(bytes.TrimSpace(rest)) == 0
	}
	return named, len(p.wanted) > 0 || p.tells(d, names, rest)
}

// laterHeader reports whether a line of a list of one column names an identity, as its header would.
func (p *proposer) laterHeader(rest []byte) bool {
	for line := range bytes.Lines(rest) {
		name := strings.Trim(string(bytes.TrimSpace(line)), `"`)
		if len(name) < 64 && audience.ProposeNamespace(name) != "" {
			return true
		}
	}
	return false
}

// tells reports whether names are the names of the columns of rows.
func (p *proposer) tells(d dialect, names []string, rest []byte) bool {
	types := make([]value.Candidates, len(names))
	d.eachBlock(append(make([]byte, 0, len(rest)+input.Spare), rest...), len(names), func(s *splitter) { narrow(types, &s.block, s.rows, nil) })
	for i, name := range names {
		if audience.ProposeNamespace(name) != "" {
			return true
		}
		var own value.Candidates
		own.See([]byte(strings.TrimSpace(name)), false)
		if types[i].Narrowest("") != audience.String && own.Narrowest("") == audience.String {
			return true
		}
	}
	return false
}
