package app

import "testing"

// TestTrusts shows the credentials of the environment to Amazon and to whom the operator names, however a tenant spells others.
func TestTrusts(t *testing.T) {
	t.Parallel()
	c, err := Load(map[string]string{"s3-environment-endpoints": "https://MinIO.example.com:9000, http://10.1.2.3/"}, lookup(nil), "")
	if err != nil {
		t.Fatal(err)
	}
	for endpoint, want := range map[string]bool{
		"https://s3.amazonaws.com": true, "https://s3.eu-central-1.amazonaws.com": true, "https://s3.eu-central-1.amazonaws.com:443": true, "https://S3.dualstack.us-gov-west-1.amazonaws.com": true,
		"https://s3-us-west-2.amazonaws.com": true, "https://s3-fips.us-east-1.amazonaws.com": true, "https://s3.cn-north-1.amazonaws.com.cn": true,
		"https://bucket.vpce-1a2b3c4d-5e6f7g8h.s3.us-east-1.vpce.amazonaws.com": true, "https://minio.example.com:9000": true, "http://10.1.2.3": true,
		"http://s3.amazonaws.com": false, "https://s3.amazonaws.com:8443": false, "https://s3.amazonaws.com.example.com": false, "https://s3xamazonaws.com": false,
		"https://ec2-203-0-113-1.compute-1.amazonaws.com": false, "https://s3.us-east-1.elb.amazonaws.com": false, "https://s3.elb.amazonaws.com": false, "https://s3-1234567890.us-east-1.amazonaws.com": false,
		"https://x.execute-api.us-east-1.amazonaws.com": false, "https://vpce-1.vpce-svc-2.us-east-1.vpce.amazonaws.com": false, "https://minio.example.com": false, "http://minio.example.com:9000": false,
		"http://10.1.2.3:8080": false, "https://amazonaws.com": false, "https://s3.amazonaws.com.": false,
	} {
		if got := c.trusts(endpoint); got != want {
			t.Errorf("%s is trusted: %v", endpoint, got)
		}
	}
}
