package abuse

import "testing"

// TestStarts has a server of the least resources do a run and answer look-ups: the ground that every attack stands on.
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
