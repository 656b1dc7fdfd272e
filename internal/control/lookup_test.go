package control_test

import (
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/identity"
	"roster/internal/meta"
	"roster/internal/profile"
)

// member makes an identity a member, as a run does.
func (p *fakeProfile) member(namespace, id string, m profile.Membership) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := identity.KeyOf(namespace, []byte(id))
	p.members[k] = append(p.members[k], m)
}

// look looks one identity up.
func (w *world) look(namespace, id string) control.Profile {
	w.t.Helper()
	found, err := w.Lookup(w.t.Context(), w.editor, []control.IdentityRef{{ID: id, Namespace: namespace}}, control.LookupOptions{})
	if err != nil || len(found) != 1 {
		w.t.Fatal(found, err)
	}
	return found[0]
}

func TestLookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.submit(draft("a")), w.submit(draft("b"))
	now := w.clock.now().Unix()
	w.profile.member("Email", "ada@example.com", profile.Membership{Audience: a.Num, Primary: true, Since: now - 100, Seen: now - 50})
	w.profile.member("Email", "ada@example.com", profile.Membership{Audience: b.Num, Since: now - 100, Seen: now - 90, RefreshedAt: now - 10})
	found, err := w.Lookup(t.Context(), w.editor, []control.IdentityRef{{" Ada@Example.com ", "EMAIL"}, {"nobody@example.com", "email"}, {"ada@example.com", "ecid"}}, control.LookupOptions{})
	if err != nil || len(found) != 3 {
		t.Fatal(found, err)
	}
	ada := found[0]
	if !ada.Found || !ada.Primary || ada.Identity != (control.IdentityRef{ID: "ada@example.com", Namespace: "Email"}) || ada.ModifiedAt.Unix() != now-10 {
		t.Errorf("%+v", ada)
	}
	if len(ada.XID) != 33 || ada.XID[0] != 'R' || strings.Contains(ada.XID, "ada") || ada.XID != w.look("Email", "ADA@example.com").XID {
		t.Errorf("xid %q", ada.XID)
	}
	for i, want := range []control.Membership{
		{Audience: a.ID, Namespace: audience.DefaultNamespace, Status: control.Realized, LastQualification: time.Unix(now-50, 0).UTC(), ValidUntil: time.Unix(now-50+30*86400, 0).UTC()},
		{Audience: b.ID, Namespace: audience.DefaultNamespace, Status: control.Realized, LastQualification: time.Unix(now-10, 0).UTC(), ValidUntil: time.Unix(now-10+30*86400, 0).UTC()},
	} {
		if ada.Memberships[i] != want {
			t.Errorf("got %+v\nwant %+v", ada.Memberships[i], want)
		}
	}
	for i, want := range []control.IdentityRef{1: {ID: "nobody@example.com", Namespace: "Email"}, 2: {ID: "ada@example.com", Namespace: "ECID"}} {
		if p := found[i]; i > 0 && (p.Found || p.Memberships != nil || p.Identity != want || p.XID == ada.XID || p.XID == "") {
			t.Errorf("%+v", p)
		}
	}
}

func TestLookupStatus(t *testing.T) {
	t.Parallel()
	const day = 86400
	for name, c := range map[string]struct {
		stored profile.Membership // times in days from now
		status string
		last   int64
		until  int64
	}{
		"fresh":                     {profile.Membership{Seen: 0}, "realized", 0, 30},
		"old":                       {profile.Membership{Seen: -29}, "realized", -29, 1},
		"refreshed":                 {profile.Membership{Seen: -80, RefreshedAt: -1}, "realized", -1, 29},
		"refreshed before":          {profile.Membership{Seen: -1, RefreshedAt: -2}, "realized", -1, 29},
		"expires now":               {profile.Membership{Seen: -30}, "exited", -30, 0},
		"expired":                   {profile.Membership{Seen: -59}, "exited", -59, -29},
		"expired long ago":          {profile.Membership{Seen: -60}, "", 0, 0},
		"exited now":                {profile.Membership{Seen: -3, Exited: true}, "exited", -3, 0},
		"exited":                    {profile.Membership{Seen: -40, Exited: true, At: -29}, "exited", -40, -29},
		"exited long ago":           {profile.Membership{Seen: -40, Exited: true, At: -30}, "", 0, 0},
		"exited after a refresh":    {profile.Membership{Seen: -9, RefreshedAt: -5, Exited: true, At: -4}, "exited", -5, -4},
		"left by a refresh":         {profile.Membership{Seen: -9, RefreshedAt: -4, Exited: true, At: -4}, "exited", -9, -4},
		"others refreshed later on": {profile.Membership{Seen: -9, RefreshedAt: -1, Exited: true, At: -4}, "exited", -9, -4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.submit(draft("a"))
			at := func(days int64) int64 { return w.clock.now().Unix() + days*day }
			m := c.stored
			m.Audience, m.Seen = a.Num, at(m.Seen)
			if m.Exited {
				m.At = at(m.At)
			}
			if m.RefreshedAt != 0 {
				m.RefreshedAt = at(m.RefreshedAt)
			}
			w.profile.member("Email", "ada@example.com", m)
			p := w.look("email", "ada@example.com")
			if c.status == "" {
				if p.Found || len(p.Memberships) != 0 {
					t.Errorf("%+v", p)
				}
				return
			}
			if !p.Found || len(p.Memberships) != 1 {
				t.Fatalf("%+v", p)
			}
			got := p.Memberships[0]
			if got.Status != c.status || got.LastQualification.Unix() != at(c.last) || got.ValidUntil.Unix() != at(c.until) {
				t.Errorf("%+v", got)
			}
			if want := map[string]time.Time{"realized": got.LastQualification, "exited": got.ValidUntil}[c.status]; !p.ModifiedAt.Equal(want) {
				t.Errorf("modified %v, want %v", p.ModifiedAt, want)
			}
		})
	}
}

// TestLookupSeesChanges checks that look-ups show changes of the same process at once, and changes of another process
// within a second.
func TestLookupSeesChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.submit(draft("a")), w.submit(draft("b"))
	seen := w.clock.now().Add(-10 * 24 * time.Hour).Unix()
	for _, aud := range []audience.Audience{a, b} {
		w.profile.member("Email", "ada@example.com", profile.Membership{Audience: aud.Num, Primary: true, Seen: seen})
	}
	statuses := func() string {
		var all []string
		for _, m := range w.look("email", "ada@example.com").Memberships {
			all = append(all, m.Status)
		}
		return strings.Join(all, " ")
	}
	want := func(what, want string) {
		t.Helper()
		if got := statuses(); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	want("at first", "realized realized")
	if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{TTLDays: new(5)}); err != nil {
		t.Fatal(err)
	}
	want("a shorter TTL", "exited realized")
	if _, err := w.elsewhere().UpdateAudience(t.Context(), w.editor, b.ID, control.Patch{TTLDays: new(5)}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Second)
	want("another process's change", "exited exited")
	if err := w.DeleteAudience(t.Context(), w.editor, a.ID); err != nil {
		t.Fatal(err)
	}
	want("deleted", "exited")
	if err := w.DeleteAudience(t.Context(), w.editor, b.ID); err != nil {
		t.Fatal(err)
	}
	if p := w.look("email", "ada@example.com"); p.Found || p.Primary || !p.ModifiedAt.IsZero() {
		t.Errorf("all deleted: %+v", p)
	}
}

func TestLookupHides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("unlisted")
	d.ProfileIngestion = false
	hidden := w.submit(d)
	now := w.clock.now().Unix()
	w.profile.member("Email", "ada@example.com", profile.Membership{Audience: hidden.Num, Seen: now})
	w.profile.member("Email", "ada@example.com", profile.Membership{Audience: 999, Seen: now})
	if p := w.look("email", "ada@example.com"); p.Found {
		t.Errorf("%+v", p)
	}
	dev := audience.Sandbox{ID: "dev", Org: w.editor.Scope.Org, Name: "dev", Type: "development", CreatedAt: w.clock.now()}
	w.update(func(tx meta.Tx) error { return tx.CreateSandbox(t.Context(), &dev) })
	shown := w.submit(draft("shown"))
	w.profile.member("Email", "bob@example.com", profile.Membership{Audience: shown.Num, Seen: now})
	elsewhere := w.editor
	elsewhere.Scope.Sandbox = "dev"
	found, err := w.Lookup(t.Context(), elsewhere, []control.IdentityRef{{"bob@example.com", "email"}}, control.LookupOptions{})
	if err != nil || found[0].Found {
		t.Errorf("another sandbox's member: %+v, %v", found, err)
	}
	elsewhere.Scope.Sandbox = "nowhere"
	if _, err := w.Lookup(t.Context(), elsewhere, nil, control.LookupOptions{}); err == nil {
		t.Error("an unknown sandbox was looked up in")
	}
}

func TestLookupRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.CreateNamespace(t.Context(), w.editor, audience.Namespace{Name: "Airport", Code: "IATA", IDType: "Device"}); err != nil {
		t.Fatal(err)
	}
	w.profile.member("IATA", "OSL", profile.Membership{})
	if p := w.look("iata", " OSL "); p.Identity != (control.IdentityRef{ID: "OSL", Namespace: "IATA"}) {
		t.Errorf("%+v", p)
	}
	_, err := w.Lookup(t.Context(), w.editor, []control.IdentityRef{{"a@example.com", "email"}, {"x", "IATAA"}, {" ", "email"}}, control.LookupOptions{})
	wantCode(t, "unknown namespace", err, audience.Invalid, "identities[1].entityIdNS", "IATA,", "identities[2].entityId")
	_, err = w.Lookup(t.Context(), w.editor, make([]control.IdentityRef, control.MaxLookup+1), control.LookupOptions{})
	wantCode(t, "too many", err, audience.Invalid, "2001")
	if found, err := w.Lookup(t.Context(), w.editor, nil, control.LookupOptions{}); err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
}
