package app

import "testing"

func TestBucketLocation(t *testing.T) {
	for connection, want := range map[string]string{
		"DefaultEndpointsProtocol=https;AccountName=people;AccountKey=a2V5;EndpointSuffix=core.windows.net":                                              "abfss://lake@people.dfs.core.windows.net",
		"QueueEndpoint=https://people.queue.core.windows.net/;BlobEndpoint=https://people.blob.core.windows.net/;SharedAccessSignature=sv=2022&sig=a%3D": "abfss://lake@people.dfs.core.windows.net",
		"BlobEndpoint=https://people.blob.core.chinacloudapi.cn;SharedAccessSignature=sv=2022":                                                           "abfss://lake@people.dfs.core.chinacloudapi.cn",
		"BlobEndpoint=https://localhost:10000;SharedAccessSignature=sv=2022":                                                                             "",
		"BlobEndpoint=%zz":                   "",
		"QueueEndpoint=https://a.b;a:b=c%zz": "",
	} {
		t.Setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
		b, err := parseBucket("azblob://lake/folder")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.location(); got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v", connection, got, err)
		}
	}
}
