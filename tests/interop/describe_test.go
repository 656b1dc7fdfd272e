package interop

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"roster/client"
)

// TestSparkDescribes checks what Spark finds out about a table, also after the audience was renamed.
func TestSparkDescribes(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 100)
	told := func() map[string]string {
		told := map[string]string{}
		for _, row := range a.sql("DESCRIBE TABLE EXTENDED {table}") {
			told[fmt.Sprint(row["col_name"])] = fmt.Sprint(row["data_type"])
		}
		return told
	}
	if got := told(); got["Comment"] != "Members of the audience people" || !strings.Contains(got["Table Properties"], "sort-order=_roster_id ASC NULLS FIRST") || !strings.Contains(got["Table Properties"], "identifier-fields=[_roster_id]") {
		t.Errorf("Spark describes %v", got)
	}
	if rows := a.sql("SELECT count(*) AS n, count_if(sort_order_id = 1) AS sorted, count_if(readable_metrics.`city.code`.lower_bound LIKE 'C%') AS bounded FROM {table}.files"); rows[0]["n"] != rows[0]["sorted"] || rows[0]["n"] != rows[0]["bounded"] {
		t.Errorf("Spark sees %v", rows)
	}
	url, stop := serveUntil(t, a.data)
	admin, err := client.LoadCredentials(filepath.Join(a.data, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	admin.BaseURL = url
	aud, err := admin.UPSAudience(t.Context(), a.im.AudienceID)
	if err == nil {
		aud.Name = "customers"
		_, err = admin.PutUPSAudience(t.Context(), aud)
	}
	stop()
	if err != nil {
		t.Fatal(err)
	}
	if got := told(); got["Comment"] != "Members of the audience customers" || !strings.Contains(got["Table Properties"], "roster.audience=customers") {
		t.Errorf("Spark describes %v", got)
	}
}
