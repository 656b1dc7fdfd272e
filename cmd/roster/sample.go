package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
)

// The sample is a loyalty list of fictional people, generated from a fixed seed at each demonstration: two days of one
// list, and the counts that an importer must find in them. The generator counts by itself and shares no code with the
// server.

const (
	samplePeople     = 10_000
	sampleDuplicates = 6
	sampleUpdated    = 300
	sampleUnchanged  = 80
	sampleNew        = 120
	sampleGone       = 60
	sampleStrangers  = 4 // people to delete who never were members
)

// sampleHeader has the names of the sample's columns.
var sampleHeader = []string{"ppid", "first_name", "city", "tier", "points", "score", "birth_date", "last_purchase", "opted_in", "delete"}

// day is one file of the sample and the expected counts of its run.
type day struct {
	name    string
	data    []byte
	rows    audience.Rows
	members audience.Members
	rejects []badRow
}

// badRow is a row that must be rejected.
type badRow struct {
	line   int64
	column string
}

// sample is two days of a list, with one person for each possible change.
type sample struct {
	days     [2]day
	stayed   person // a member on both days, unchanged
	left     person // deleted on day two
	joined   person // joined on day two
	stranger string // an address that was never a member
}

// person is a row of the list.
type person struct {
	email, first, city, tier string
	points                   int64
	score                    float64
	born                     time.Time
	bought                   time.Time
	optedIn                  bool
}

func (p person) record(del string) []string {
	return []string{p.email, p.first, p.city, p.tier, strconv.FormatInt(p.points, 10), strconv.FormatFloat(p.score, 'f', 3, 64),
		p.born.Format(time.DateOnly), p.bought.Format(time.RFC3339), strconv.FormatBool(p.optedIn), del}
}

// generator generates people.
type generator struct {
	rnd   *rand.Rand
	taken map[string]bool
}

func newSample() sample {
	g := &generator{rnd: rand.New(rand.NewPCG(20_250_607, 1)), taken: map[string]bool{}}
	people := make([]person, samplePeople)
	for i := range people {
		people[i] = g.person()
	}
	var s sample
	s.stranger = "nobody.at.all@example.com"
	s.days[0] = g.firstDay(people)
	s.days[1] = g.secondDay(people, &s)
	return s
}

// firstDay writes everybody, some of them twice, and three rows that no importer can accept. The last row of a person
// counts; the earlier one spells the address differently.
func (g *generator) firstDay(people []person) day {
	f := newSampleFile("members-1.csv")
	for i, p := range people {
		if i%(samplePeople/sampleDuplicates) == 17 && f.rows.Duplicates < sampleDuplicates {
			earlier := p
			earlier.email = " " + strings.ToUpper(p.email)
			earlier.points /= 2
			f.add(earlier.record("0"))
			f.rows.Duplicates++
		}
		f.add(p.record("0"))
		f.rows.Added++
		switch i {
		case 1_200:
			f.reject(g.person().record("0"), "birth_date", "1990-02-30")
		case 4_711:
			f.reject(g.person().record("0"), "points", "many")
		case 8_080:
			f.reject(g.person().record("0"), "ppid", "")
		}
	}
	f.members = audience.Members{After: f.rows.Added}
	return f.finish()
}

// secondDay writes changes: people with new points, unchanged people, new people, people to delete, people to delete
// who are not members, and a row that no importer can accept.
func (g *generator) secondDay(people []person, s *sample) day {
	f := newSampleFile("members-2.csv")
	order := g.rnd.Perm(len(people))
	take := func(n int) []int { taken := order[:n]; order = order[n:]; return taken }
	for _, i := range take(sampleUpdated) {
		p := people[i]
		p.points += 1 + g.rnd.Int64N(500)
		p.bought = p.bought.Add(time.Duration(1+g.rnd.IntN(72)) * time.Hour)
		f.add(p.record("0"))
		f.rows.Updated++
	}
	for _, i := range take(sampleUnchanged) {
		f.add(people[i].record("0"))
		f.rows.Unchanged++
	}
	for range sampleNew {
		s.joined = g.person()
		f.add(s.joined.record("0"))
		f.rows.Added++
	}
	f.reject(g.person().record("0"), "last_purchase", "yesterday")
	for _, i := range take(sampleGone) {
		s.left = people[i]
		f.add(s.left.record("1"))
		f.rows.Deleted++
	}
	for range sampleStrangers {
		f.add(g.person().record("1"))
		f.rows.DeletedNotMember++
	}
	s.stayed = people[order[0]]
	f.members = audience.Members{Before: samplePeople, After: samplePeople + f.rows.Added - f.rows.Deleted}
	return f.finish()
}

// person generates a person with a new address.
func (g *generator) person() person {
	first, last := pick(g, firstNames), pick(g, lastNames)
	email := fmt.Sprintf("%s.%s@example.%s", first.ascii, strings.ToLower(last), pick(g, []string{"com", "org", "net"}))
	for n := 2; g.taken[email]; n++ {
		email = fmt.Sprintf("%s.%s%d@example.%s", first.ascii, strings.ToLower(last), n, pick(g, []string{"com", "org", "net"}))
	}
	g.taken[email] = true
	points := g.rnd.Int64N(1_000) * g.rnd.Int64N(40)
	return person{
		email: email, first: first.name, city: pick(g, cities), tier: tierOf(points), points: points,
		score:   float64(g.rnd.IntN(1_000)) / 1_000,
		born:    time.Date(1940+g.rnd.IntN(66), time.January, 1+g.rnd.IntN(365), 0, 0, 0, 0, time.UTC),
		bought:  time.Date(2025, time.January, 1, 0, 0, g.rnd.IntN(150*24*3600), 0, time.UTC),
		optedIn: g.rnd.IntN(5) > 0,
	}
}

func tierOf(points int64) string {
	switch {
	case points > 20_000:
		return "gold"
	case points > 6_000:
		return "silver"
	}
	return "bronze"
}

func pick[T any](g *generator, list []T) T { return list[g.rnd.IntN(len(list))] }

// sampleFile is a file of the sample while it is written.
type sampleFile struct {
	day
	buf bytes.Buffer
	csv *csv.Writer
}

func newSampleFile(name string) *sampleFile {
	f := &sampleFile{day: day{name: name}}
	f.csv = csv.NewWriter(&f.buf)
	_ = f.csv.Write(sampleHeader)
	return f
}

// add writes a row. No value contains a line break, so each row is one line.
func (f *sampleFile) add(record []string) {
	_ = f.csv.Write(record) // a buffer never fails
	f.rows.Read++
}

// reject writes a row with a value that its column cannot hold.
func (f *sampleFile) reject(record []string, column, value string) {
	for i, name := range sampleHeader {
		if name == column {
			record[i] = value
		}
	}
	f.add(record)
	f.rows.Rejected++
	f.rejects = append(f.rejects, badRow{line: f.rows.Read + 1, column: column})
}

func (f *sampleFile) finish() day {
	f.csv.Flush()
	f.data = f.buf.Bytes()
	return f.day
}

// sampleFields describes the sample's columns to the API.
func sampleFields() []client.Field {
	return []client.Field{
		{Name: "ppid", Type: "string", IdentityNs: "email"},
		{Name: "first_name", Type: "string", Labels: []string{"core/I1"}},
		{Name: "city", Type: "string"},
		{Name: "tier", Type: "string"},
		{Name: "points", Type: "long"},
		{Name: "score", Type: "number"},
		{Name: "birth_date", Type: "date"},
		{Name: "last_purchase", Type: "datetime"},
		{Name: "opted_in", Type: "boolean"},
		{Name: "delete", Type: "boolean", Role: "delete"},
	}
}
