package audience

// Schedule starts the runs of an audience. The zero value starts none.
type Schedule struct {
	Cron     string `json:"cron,omitempty"`     // five fields: minute, hour, day of month, month, day of week
	TimeZone string `json:"timeZone,omitempty"` // of Cron, an IANA name; UTC when empty
	// OnNewFiles starts a run if there are settled files that no run has read.
	OnNewFiles bool `json:"onNewFiles,omitempty"`
	Full       bool `json:"full,omitempty"` // the runs are full ones
	Paused     bool `json:"paused,omitempty"`
}

// Active reports whether the schedule starts runs.
func (s Schedule) Active() bool { return !s.Paused && (s.Cron != "" || s.OnNewFiles) }
