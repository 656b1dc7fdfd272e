package servertest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// CassandraJars is the variable with the directory of Cassandra's jars.
const CassandraJars = "ROSTER_TEST_CASSANDRA"

// NeedCassandra skips a test without Cassandra.
func NeedCassandra(t testing.TB) {
	t.Helper()
	if os.Getenv(CassandraJars) == "" {
		t.Skipf("set %s to a directory with the jars of Apache Cassandra 5.0 and its dependencies to run this test; it also needs Java 17", CassandraJars)
	}
}

// Cassandra is a cluster of up to three nodes on 127.0.0.1, 127.0.0.2 and 127.0.0.3, in one data centre. Every node
// owns an equal share of the ring.
type Cassandra struct {
	Hosts []string // host:port of each node
	dir   string
	port  int // for clients
	peers int // for the other nodes
	nodes []*cassandraNode
}

type cassandraNode struct {
	cmd    *exec.Cmd
	log    bytes.Buffer
	exited chan struct{} // closed when the process has ended
}

// StartCassandra starts a cluster with its files in dir and waits until every node accepts clients.
func StartCassandra(dir string, nodes int) (*Cassandra, error) {
	c := &Cassandra{dir: dir, nodes: make([]*cassandraNode, nodes)}
	var err error
	if c.port, err = freePort(); err == nil {
		c.peers, err = freePort()
	}
	for n := range nodes {
		c.Hosts = append(c.Hosts, net.JoinHostPort(address(n), strconv.Itoa(c.port)))
		if err == nil {
			err = c.configure(n)
		}
		if err == nil {
			err = c.launch(n)
		}
	}
	for n := range nodes {
		if err == nil {
			err = c.wait(n)
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Start starts a stopped node and waits until it accepts clients.
func (c *Cassandra) Start(n int) error {
	if err := c.launch(n); err != nil {
		return err
	}
	return c.wait(n)
}

// Kill kills a node.
func (c *Cassandra) Kill(n int) {
	if node := c.nodes[n]; node != nil {
		_ = node.cmd.Process.Kill()
		<-node.exited
		c.nodes[n] = nil
	}
}

// Close kills all nodes.
func (c *Cassandra) Close() {
	for n := range c.nodes {
		c.Kill(n)
	}
}

func address(n int) string { return fmt.Sprintf("127.0.0.%d", n+1) }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// cassandraYAML has small pools and caches. Every node is a seed, auto_bootstrap is off and the tokens are given, so that
// the nodes start at the same time.
const cassandraYAML = `cluster_name: roster-test
num_tokens: 1
initial_token: %[1]d
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
dynamic_snitch: false
listen_address: %[2]s
rpc_address: %[2]s
native_transport_port: %[3]d
storage_port: %[4]d
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{seeds: "127.0.0.1,127.0.0.2,127.0.0.3"}]
data_file_directories: [%[5]s/data]
commitlog_directory: %[5]s/commitlog
hints_directory: %[5]s/hints
saved_caches_directory: %[5]s/saved
cdc_raw_directory: %[5]s/cdc
commitlog_sync: periodic
commitlog_sync_period: 10s
commitlog_total_space: 256MiB
concurrent_reads: 8
concurrent_writes: 16
concurrent_compactors: 1
key_cache_size: 8MiB
counter_cache_size: 0MiB
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
networking_cache_size: 8MiB
file_cache_size: 32MiB
read_request_timeout: 10s
range_request_timeout: 20s
write_request_timeout: 10s
cas_contention_timeout: 10s
`

const cassandraLog = `<configuration><appender name="S" class="ch.qos.logback.core.FileAppender"><file>%s/system.log</file>
<encoder><pattern>%%-5level %%date{ISO8601} %%msg%%n</pattern></encoder></appender><root level="WARN"><appender-ref ref="S"/></root></configuration>
`

// cassandraExports and cassandraOpens are what Cassandra's jvm17-server.options opens to it.
var (
	cassandraExports = []string{"java.base/jdk.internal.misc", "java.base/jdk.internal.ref", "java.base/sun.nio.ch", "java.base/java.lang.ref", "java.management.rmi/com.sun.jmx.remote.internal.rmi",
		"java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server", "java.rmi/sun.rmi.transport.tcp", "java.sql/java.sql", "jdk.attach/sun.tools.attach", "jdk.unsupported/sun.misc"}
	cassandraOpens = []string{"java.base/java.io", "java.base/java.lang", "java.base/java.lang.module", "java.base/java.lang.reflect", "java.base/java.net", "java.base/java.nio", "java.base/java.util",
		"java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic", "java.base/jdk.internal.loader", "java.base/jdk.internal.math", "java.base/jdk.internal.module",
		"java.base/jdk.internal.ref", "java.base/jdk.internal.reflect", "java.base/jdk.internal.util.jar", "java.base/sun.nio.ch", "jdk.management/com.sun.management.internal"}
)

func (c *Cassandra) configure(n int) error {
	dir := c.of(n)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	token := -1<<63 + int64(n)*(1<<62/3*4)
	yaml := fmt.Sprintf(cassandraYAML, token, address(n), c.port, c.peers, dir)
	return errors.Join(os.WriteFile(filepath.Join(dir, "cassandra.yaml"), []byte(yaml), 0o600),
		os.WriteFile(filepath.Join(dir, "logback.xml"), fmt.Appendf(nil, cassandraLog, dir), 0o600))
}

func (c *Cassandra) of(n int) string { return filepath.Join(c.dir, address(n)) }

func (c *Cassandra) launch(n int) error {
	dir := c.of(n)
	args := []string{"-Xms384m", "-Xmx384m", "-Xss512k", "-XX:+UseSerialGC", "-Djava.security.manager=allow", "-Djava.net.preferIPv4Stack=true",
		"-Dcassandra.config=file://" + dir + "/cassandra.yaml", "-Dlogback.configurationFile=" + dir + "/logback.xml", "-Dcassandra.storagedir=" + dir, "-Djava.io.tmpdir=" + dir,
		"-Dcassandra.ring_delay_ms=1000", "-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra-foreground=yes",
		"-Djdk.attach.allowAttachSelf=true", "-Dcassandra.jmx.local.port=0"}
	for _, name := range cassandraExports {
		args = append(args, "--add-exports", name+"=ALL-UNNAMED")
	}
	for _, name := range cassandraOpens {
		args = append(args, "--add-opens", name+"=ALL-UNNAMED")
	}
	args = append(args, "-cp", filepath.Join(os.Getenv(CassandraJars), "*"), "org.apache.cassandra.service.CassandraDaemon")
	node := &cassandraNode{cmd: exec.Command("java", args...), exited: make(chan struct{})}
	node.cmd.Stdout, node.cmd.Stderr, node.cmd.Dir = &node.log, &node.log, dir
	if err := node.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = node.cmd.Wait()
		close(node.exited)
	}()
	c.nodes[n] = node
	return nil
}

// wait waits until a node accepts clients.
func (c *Cassandra) wait(n int) error {
	node := c.nodes[n]
	for {
		if conn, err := net.Dial("tcp", c.Hosts[n]); err == nil {
			return conn.Close()
		}
		select {
		case <-node.exited:
			text, _ := os.ReadFile(filepath.Join(c.of(n), "system.log"))
			lines := strings.Split(node.log.String()+string(text), "\n")
			return fmt.Errorf("the Cassandra node %s ended:\n%s", c.Hosts[n], strings.Join(lines[max(0, len(lines)-30):], "\n"))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
