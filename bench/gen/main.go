// Command gen writes a CSV file of made-up people for benchmarks: eight columns, about 84 bytes a row. The same
// seed makes the same people; --change gives a share of them other values.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
)

var (
	first  = []string{"Ada", "Bela", "Chidi", "Dara", "Emre", "Fatou", "Goran", "Hana", "Ilse", "Jun", "Kofi", "Lena", "Mina", "Noor", "Olga", "Pia"}
	last   = []string{"Almeida", "Berg", "Castro", "Dietrich", "Eriksen", "Fontaine", "Gruber", "Hoffmann", "Ito", "Jansen", "Kovacs", "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov"}
	cities = []string{"London", "Paris", "Berlin", "Madrid", "Rome", "Vienna", "Oslo", "Bonn", "Lisbon", "Prague", "Riga", "Turin"}
)

func main() {
	rows := flag.Int("rows", 1_000_000, "rows to write")
	from := flag.Int("from", 0, "number of the first person")
	seed := flag.Uint64("seed", 1, "decides the people")
	change := flag.Float64("change", 0, "share of the people, 0 to 1, that have other values than without it")
	quoting := flag.String("quoting", "none", "none, some (names) or all")
	out := flag.String("out", "", "file to write")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(*out, *rows, *from, *seed, *change, *quoting); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func write(path string, rows, from int, seed uint64, change float64, quoting string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	p := person{quoteAll: quoting == "all", quoteNames: quoting != "none"}
	fmt.Fprintln(w, "ppid,name,city,birth,score,points,opted_in,last_seen")
	for i := from; i < from+rows; i++ {
		rnd := rand.NewPCG(seed, uint64(i))
		edition := rnd.Uint64()
		if float64(edition>>11)/(1<<53) < change {
			rnd = rand.NewPCG(seed+1, uint64(i))
		}
		if _, err := w.Write(p.row(i, rnd)); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

type person struct {
	quoteAll, quoteNames bool
	buf                  []byte
}

var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// row returns the line of the i-th person, valid until the next call.
func (p *person) row(i int, rnd *rand.PCG) []byte {
	a, b := rnd.Uint64(), rnd.Uint64()
	p.buf = p.buf[:0]
	p.value(p.quoteAll, func(d []byte) []byte {
		return append(strconv.AppendInt(append(d, "user"...), int64(i), 10), "@example.com"...)
	})
	p.value(p.quoteNames, func(d []byte) []byte {
		d = append(append(d, first[a%16]...), ' ')
		return append(d, last[a>>4%16]...)
	})
	p.value(p.quoteAll, func(d []byte) []byte { return append(d, cities[a>>8%12]...) })
	p.value(p.quoteAll, func(d []byte) []byte {
		return epoch.AddDate(0, 0, -6000-int(a>>16%20000)).AppendFormat(d, time.DateOnly)
	})
	p.value(p.quoteAll, func(d []byte) []byte { return strconv.AppendFloat(d, float64(b%1_000_000)/10_000, 'f', 4, 64) })
	p.value(p.quoteAll, func(d []byte) []byte { return strconv.AppendUint(d, b>>20%100_000, 10) })
	p.value(p.quoteAll, func(d []byte) []byte { return strconv.AppendBool(d, b>>40&1 == 1) })
	p.value(p.quoteAll, func(d []byte) []byte {
		return epoch.Add(time.Duration(a>>32%31_000_000)*time.Second).AppendFormat(d, time.RFC3339)
	})
	p.buf[len(p.buf)-1] = '\n'
	return p.buf
}

func (p *person) value(quoted bool, add func([]byte) []byte) {
	if quoted {
		p.buf = append(p.buf, '"')
	}
	p.buf = add(p.buf)
	if quoted {
		p.buf = append(p.buf, '"')
	}
	p.buf = append(p.buf, ',')
}
