package csv

import (
	"bytes"
	"strings"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/tabular"
	"roster/internal/tabular/value"
)

// proposeRows looks for short rows and decimal commas.
func (p *proposer) proposeRows(out *audience.Format) error {
	f := p.asked.With(*out)
	f.Encoding, f.FillShortRows = "", false
	c, names, format, err := openCSV(p.ctx, bytes.NewReader(p.text), p.wanted, tabular.Options{Format: f, ChunkBytes: tabular.SampleChunk})
	if err == nil && !format.HasHeader() {
		names, err = c.numbered()
	}
	if err != nil {
		return p.ctx.Err() // the reader will report it
	}
	rows := rowSample{names: names, nulls: f.NullValues, types: make([]value.Candidates, len(names)), columns: make([]columnSample, len(names))}
	for i := range rows.types {
		rows.types[i].Commas = f.DecimalComma
	}
	s := splitter{block: newBlock(len(names))}
	for {
		ch, err := c.next(p.ctx)
		if err != nil {
			break
		}
		s.reset(ch)
		for more := true; more && err == nil; {
			more, err = s.next()
			rows.add(&s)
		}
	}
	out.FillShortRows = !p.asked.FillShortRows && rows.fillable()
	out.DecimalComma = !p.asked.DecimalComma && rows.decimalComma()
	return p.ctx.Err()
}

// rowSample is the evidence from the first rows of a file.
type rowSample struct {
	names, nulls []string
	types        []value.Candidates // of complete rows
	columns      []columnSample
	whole        int
	short        []shortRow // the first rows with too few fields
	odd          bool       // some rows are malformed
}

type shortRow struct {
	values []string
	line   int64
	// rest means that the row before it is short, too, and that the two may be parts of one row with a line end in it.
	rest bool
}

// columnSample counts the values of a column.
type columnSample struct {
	values, addresses int
	numbers           int // with a decimal comma, with a point, or whole
	commas            int // numbers with a decimal comma that cannot separate thousands
	points            int // numbers with a point that cannot separate thousands
}

func (r *rowSample) add(s *splitter) {
	r.whole += s.rows
	narrow(r.types, &s.block, s.rows, r.nulls)
	var b value.Builder
	for i := range r.columns {
		for at := i; at < s.rows*s.stride; at += s.stride {
			text := valueOf(&b, &s.block, s.fields[at])
			if v := value.TrimSpaces(text); len(v) > 0 && !value.IsOneOf(text, r.nulls) {
				r.columns[i].see(v)
			}
		}
	}
	const some = 100
	for _, m := range s.malformed {
		if m.kind != wrongCount {
			r.odd = true
		}
		if m.kind != wrongCount || m.columns > len(r.names) || len(r.short) == some {
			continue
		}
		short, err := s.dialect.split(s.chunk.Buf[m.start:m.end], 1)
		if err != nil {
			continue
		}
		row := shortRow{values: short.values, line: m.line}
		if n := len(r.short); n > 0 && r.short[n-1].line+1 == m.line {
			row.rest = len(r.short[n-1].values)+len(short.values) == len(r.names)+1
		}
		r.short = append(r.short, row)
	}
}

func (c *columnSample) see(v []byte) {
	c.values++
	if bytes.IndexByte(v, '@') > 0 && addressPattern.Match(v) {
		c.addresses++
	}
	plain, ok := value.WithPoint(nil, v)
	comma := bytes.IndexByte(v, ',')
	switch {
	case ok && comma >= 0:
		const group = 3
		if c.numbers++; len(v)-comma-1 != group || v[0] == '0' || len(plain) < len(v) {
			c.commas++
		}
	case ok:
		c.numbers++
	default:
		if _, code := value.ParseNumber(v); code == "" {
			c.numbers, c.points = c.numbers+1, c.points+1
		}
	}
}

// fillable reports whether there are short rows that lack only their last values: their values have the types of the
// complete rows, and may be identities of them. A row with one value, such as a line of totals, and a row that may be
// the rest of another count only if they have an identity.
func (r *rowSample) fillable() bool {
	if len(r.short) == 0 || r.odd {
		return false
	}
	for _, row := range r.short {
		values := row.values
		if r.whole == 0 && strings.TrimSpace(strings.Join(r.names[len(values):], "")) != "" {
			return false
		}
		identities := 0
		for i, text := range values {
			v := []byte(strings.TrimSpace(text))
			if len(v) == 0 || value.IsOneOf([]byte(text), r.nulls) {
				continue
			}
			fits, identifies := r.fits(i, v)
			if !fits {
				return false
			}
			if identifies {
				identities++
			}
		}
		if (len(values) == 1 || row.rest) && identities == 0 {
			return false
		}
	}
	return true
}

// fits reports whether a value of a short row is similar to those of its column, and whether it is an identity.
func (r *rowSample) fits(column int, v []byte) (fits, identifies bool) {
	c, name := r.columns[column], r.names[column]
	ns := audience.ProposeNamespace(name)
	if ns == "" && c.addresses > 0 && c.addresses == c.values {
		ns = "Email"
	}
	if ns != "" && identity.Impossible(ns, v) != "" {
		return false, false
	}
	types := r.types[column]
	was := types.Narrowest(name)
	types.See(v, false)
	return types.Narrowest(name) == was || was == audience.String || !r.types[column].Seen, ns != ""
}

// decimalComma reports whether a column has numbers with decimal commas, and no column has numbers with points.
func (r *rowSample) decimalComma() bool {
	found := false
	for i, c := range r.columns {
		if c.numbers < c.values || c.values == 0 {
			continue
		}
		if c.points > 0 {
			return false
		}
		found = found || c.commas > 0 && !value.NamesCode(r.names[i])
	}
	return found
}
