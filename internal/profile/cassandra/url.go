package cassandra

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Address is the parsed address of a profile store on a cluster.
type Address struct {
	Hosts       []string // host:port
	Port        int      // of all nodes: that of the first host
	Keyspace    string
	DC          string // data centre of the nodes to use; "" if the cluster has only one
	Replication int    // replicas in the data centre, if a missing keyspace is to be created; 0 refuses
	Reads       gocql.Consistency
	Writes      gocql.Consistency
	Concurrency int           // most requests in flight
	Timeout     time.Duration // of one request
	TLS         bool
	CA          string // file with certificates of the authorities that sign the nodes' certificates
	Cert, Key   string // files of the client's certificate and its key
}

// Form is the form of an address, for messages.
const Form = "cassandra://HOST[:PORT],HOST…/KEYSPACE?dc=…"

const (
	defaultPort        = 9042
	defaultConcurrency = 256
	defaultTimeout     = 10 * time.Second
)

var (
	validKeyspace = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)
	validDC       = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
)

// Parse parses an address. No error repeats the address, because people put passwords into addresses.
func Parse(text string) (Address, error) {
	a := Address{Reads: gocql.LocalOne, Writes: gocql.LocalQuorum, Concurrency: defaultConcurrency, Timeout: defaultTimeout}
	rest, ok := strings.CutPrefix(text, "cassandra://")
	if !ok {
		return a, errors.New("it must be " + Form)
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, keyspace, _ := strings.Cut(rest, "/")
	if strings.Contains(hosts, "@") {
		return a, errors.New("user and password do not belong into the address; set ROSTER_PROFILE_USER and ROSTER_PROFILE_PASSWORD")
	}
	for _, h := range strings.Split(hosts, ",") {
		host, port, err := hostPort(h)
		if err != nil {
			return a, err
		}
		if a.Port == 0 {
			a.Port = port
		}
		a.Hosts = append(a.Hosts, net.JoinHostPort(host, strconv.Itoa(port)))
	}
	if a.Keyspace = keyspace; !validKeyspace.MatchString(keyspace) {
		return a, fmt.Errorf("%.64q is not a keyspace: up to 48 small letters, digits and _, beginning with a letter; the address is %s", keyspace, Form)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return a, errors.New("the part after ? must be name=value pairs joined by &")
	}
	for name, v := range values {
		set, ok := parameters[name]
		if !ok {
			return a, fmt.Errorf("it has no parameter %.64q; the parameters are %s", name, strings.Join(parameterNames(), ", "))
		}
		if len(v) != 1 {
			return a, fmt.Errorf("%s is given %d times", name, len(v))
		}
		if err := set(&a, v[0]); err != nil {
			return a, fmt.Errorf("%s: %.64q %w", name, v[0], err)
		}
	}
	if (a.Cert == "") != (a.Key == "") {
		return a, errors.New("cert and key belong together")
	}
	a.TLS = a.TLS || a.CA != "" || a.Cert != ""
	return a, nil
}

func hostPort(text string) (host string, port int, err error) {
	host, port = text, defaultPort
	if h, p, err := net.SplitHostPort(text); err == nil {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return "", 0, fmt.Errorf("the port %.10q of a host is not between 1 and 65535", p)
		}
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if host == "" || strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return "", 0, errors.New("a host is not a name or an address with a port; the form is " + Form)
	}
	return host, port, nil
}

// parameters are the parameters of an address.
var parameters = map[string]func(*Address, string) error{
	"dc": func(a *Address, v string) error {
		if a.DC = v; !validDC.MatchString(v) {
			return errors.New("is not the name of a data centre")
		}
		return nil
	},
	"replication": number(func(a *Address) *int { return &a.Replication }, 1, 9),
	"concurrency": number(func(a *Address) *int { return &a.Concurrency }, 1, 4096),
	"timeout": func(a *Address, v string) (err error) {
		if a.Timeout, err = time.ParseDuration(v); err != nil || a.Timeout < time.Second || a.Timeout > time.Minute {
			return errors.New("must be a time between 1s and 1m")
		}
		return nil
	},
	"reads":  consistency(func(a *Address) *gocql.Consistency { return &a.Reads }, gocql.LocalOne, gocql.LocalQuorum),
	"writes": consistency(func(a *Address) *gocql.Consistency { return &a.Writes }, gocql.LocalQuorum, gocql.EachQuorum, gocql.All),
	"tls": func(a *Address, v string) (err error) {
		if a.TLS, err = strconv.ParseBool(v); err != nil {
			return errors.New("must be true or false")
		}
		return nil
	},
	"ca":   file(func(a *Address) *string { return &a.CA }),
	"cert": file(func(a *Address) *string { return &a.Cert }),
	"key":  file(func(a *Address) *string { return &a.Key }),
}

func parameterNames() (names []string) {
	for name := range parameters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func number(field func(*Address) *int, least, most int) func(*Address, string) error {
	return func(a *Address, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < least || n > most {
			return fmt.Errorf("must be a number between %d and %d", least, most)
		}
		*field(a) = n
		return nil
	}
}

func consistency(field func(*Address) *gocql.Consistency, allowed ...gocql.Consistency) func(*Address, string) error {
	return func(a *Address, v string) error {
		var names []string
		for _, c := range allowed {
			if c.String() == v {
				*field(a) = c
				return nil
			}
			names = append(names, c.String())
		}
		return errors.New("must be " + strings.Join(names, " or "))
	}
}

func file(field func(*Address) *string) func(*Address, string) error {
	return func(a *Address, v string) error {
		if *field(a) = v; !filepath.IsAbs(v) {
			return errors.New("must be the absolute path of a file")
		}
		return nil
	}
}
