// Command gen writes a CSV file of made-up people for benchmarks: eight columns, about 84 bytes a row. The same seed
// gives the same people; --change gives a share of them other values.
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
	onset  = []string{"B", "D", "F", "G", "H", "K", "L", "M", "N", "P", "R", "S", "T", "V", "W", "Z"}
	middle = []string{"al", "an", "ar", "el", "en", "er", "il", "in", "ir", "ol", "on", "or", "ul", "un", "ur", "yr"}
	ending = []string{"as", "bach", "berg", "co", "da", "dahl", "es", "ez", "ga", "ic", "ko", "len", "man", "off", "sen", "ski"}
	cities = []string{"London", "Paris", "Berlin", "Madrid", "Rome", "Vienna", "Oslo", "Bonn", "Lisbon", "Prague", "Riga", "Turin"}
)

func main() {
	var o options
	flag.IntVar(&o.rows, "rows", 1_000_000, "rows to write")
	flag.IntVar(&o.columns, "columns", 8, "columns; after the eighth, text and numbers alternate")
	flag.IntVar(&o.from, "from", 0, "number of the first person")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the random values")
	flag.Float64Var(&o.change, "change", 0, "share of the people, 0 to 1, whose values change")
	flag.StringVar(&o.quoting, "quoting", "none", "none, some (names) or all")
	flag.StringVar(&o.out, "out", "", "file to write")
	flag.Parse()
	if o.out == "" || flag.NArg() > 0 || o.rows < 0 || o.columns < 1 || o.change < 0 || o.change > 1 || (o.quoting != "none" && o.quoting != "some" && o.quoting != "all") {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(o); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

type options struct {
	rows, columns, from int
	seed                uint64
	change              float64
	quoting, out        string
}

func write(o options) (err error) {
	f, err := os.Create(o.out)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	list := columns(o.columns)
	line := make([]byte, 0, 1024)
	for i, c := range list {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, c.name...)
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	for i := o.from; i < o.from+o.rows; i++ {
		rnd := rand.NewPCG(o.seed, uint64(i))
		if float64(rnd.Uint64()>>11)/(1<<53) < o.change {
			rnd = rand.NewPCG(o.seed+1, uint64(i))
		}
		line = row(line[:0], list, i, rnd, o.quoting)
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// row appends the line of the i-th person.
func row(d []byte, list []column, i int, rnd *rand.PCG, quoting string) []byte {
	for n, c := range list {
		if n > 0 {
			d = append(d, ',')
		}
		quoted := quoting == "all" || quoting == "some" && c.text
		if quoted {
			d = append(d, '"')
		}
		bits := uint64(i)
		if n > 0 { // the first column identifies the person
			bits = rnd.Uint64()
		}
		d = c.add(d, bits)
		if quoted {
			d = append(d, '"')
		}
	}
	return append(d, '\n')
}

// column appends a value made of random bits.
type column struct {
	name string
	text bool // may be quoted by --quoting some
	add  func(d []byte, bits uint64) []byte
}

func columns(n int) []column {
	list := []column{
		{"ppid", false, func(d []byte, i uint64) []byte {
			return append(strconv.AppendUint(append(d, 'p'), i, 10), "@ex.org"...)
		}},
		{"name", true, name},
		{"city", false, func(d []byte, b uint64) []byte { return append(d, cities[b%12]...) }},
		{"birth", false, func(d []byte, b uint64) []byte { return append(d, days[b%lifetime]...) }},
		{"score", false, score},
		{"points", false, func(d []byte, b uint64) []byte { return strconv.AppendUint(d, b%10_000, 10) }},
		{"opted_in", false, func(d []byte, b uint64) []byte { return strconv.AppendBool(d, b&1 == 1) }},
		{"last_seen", false, lastSeen},
	}
	for i := len(list); i < n; i++ {
		if i%2 == 0 {
			list = append(list, column{fmt.Sprintf("text%d", i+1), true, name})
		} else {
			list = append(list, column{fmt.Sprintf("number%d", i+1), false, func(d []byte, b uint64) []byte { return strconv.AppendUint(d, b%1_000_000, 10) }})
		}
	}
	return list[:n]
}

// name appends one of 65,536 names.
func name(d []byte, b uint64) []byte {
	d = append(append(d, first[b%16]...), ' ')
	d = append(d, onset[b>>4%16]...)
	d = append(d, middle[b>>8%16]...)
	return append(d, ending[b>>12%16]...)
}

// score appends a number from 0.00000 to 0.99999.
func score(d []byte, b uint64) []byte {
	d = strconv.AppendUint(append(d, '0'), b%100_000+100_000, 10)
	d[len(d)-6] = '.' // replaces the digit that kept the leading zeros
	return d
}

// days are the days of a lifetime that ends with 2024, and those of the year after it.
var days = func() (list []string) {
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -lifetime)
	for range lifetime + 365 {
		list = append(list, day.Format(time.DateOnly))
		day = day.AddDate(0, 0, 1)
	}
	return list
}()

const lifetime = 26_000

func lastSeen(d []byte, b uint64) []byte {
	d = append(d, days[lifetime+b%365]...)
	d = two(append(d, 'T'), b>>16%24)
	d = two(append(d, ':'), b>>24%60)
	d = two(append(d, ':'), b>>32%60)
	return append(d, 'Z')
}

func two(d []byte, n uint64) []byte { return append(d, byte('0'+n/10), byte('0'+n%10)) }
