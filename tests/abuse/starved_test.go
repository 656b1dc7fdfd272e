package abuse

import "testing"

// TestStarts runs an import and look-ups on a server with minimal resources. Every attack depends on that.
func TestStarts(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(1000)
	end := s.lookUps(1000)
	s.put("more.csv", []byte("email\nada@example.com\n"))
	r := s.run(s.submit(s.connect(), "more", "more.csv", "file", mailOnly), `{}`)
	end()
	if r["status"] != "SUCCESS" {
		t.Errorf("run: %v", r)
	}
	s.kill()
	s.open()
	s.lookUps(1000)()
}
