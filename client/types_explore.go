package client

// ExploredEntry is a file or folder in a folder of a store.
type ExploredEntry struct {
	Type           string `json:"type"` // file or folder
	Name           string `json:"name"`
	Path           string `json:"path"` // from the root of the store
	CanPreview     bool   `json:"canPreview"`
	CanFetchSchema bool   `json:"canFetchSchema"`
}

// ExploredFile describes a file of a store.
type ExploredFile struct {
	Format     string              `json:"format"` // flat
	Schema     ExploredSchema      `json:"schema"`
	Data       []map[string]any    `json:"data"` // the first rows if requested, without null values
	Properties *ExploredProperties `json:"properties,omitempty"`
}

// ExploredSchema contains the columns of a file.
type ExploredSchema struct {
	Columns []ExploredColumn `json:"columns"`
}

// ExploredColumn is a column of a file, with the inferred type.
type ExploredColumn struct {
	Name string  `json:"name"`
	Type string  `json:"type"` // as in Field
	XDM  XDMType `json:"xdm"`
}

// XDMType is a type of XDM.
type XDMType struct {
	Type string `json:"type"`
}

// ExploredProperties is the format of a file.
type ExploredProperties struct {
	FileType        string `json:"fileType"`                  // delimited, json or parquet
	CompressionType string `json:"compressionType,omitempty"` // gzip, zstd, bzip2 or zipDeflate
	ColumnDelimiter string `json:"columnDelimiter,omitempty"`
}

// LandingZone describes the landing zone.
type LandingZone struct {
	ContainerName string `json:"containerName"`
	ContainerTTL  string `json:"containerTTL"` // days
}

// LandingCredentials describe uploads to the landing zone: PUT requests below UploadURL, with the usual headers.
type LandingCredentials struct {
	ContainerName string      `json:"containerName"`
	DLZProvider   string      `json:"dlzProvider"`
	DLZPath       LandingPath `json:"dlzPath"`
	UploadURL     string      `json:"uploadUrl"` // a path of the server
	Method        string      `json:"method"`
}

// LandingPath is the folder of the landing zone in its container: the root.
type LandingPath struct {
	BucketName string `json:"bucketName"`
	DLZFolder  string `json:"dlzFolder"`
}
