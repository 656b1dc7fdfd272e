package client

// ExploredEntry is what a folder of a store holds.
type ExploredEntry struct {
	Type           string `json:"type"` // file or folder
	Name           string `json:"name"`
	Path           string `json:"path"` // from the root of the store
	CanPreview     bool   `json:"canPreview"`
	CanFetchSchema bool   `json:"canFetchSchema"`
}

// ExploredFile is how a file of a store looks.
type ExploredFile struct {
	Format     string              `json:"format"` // flat
	Schema     ExploredSchema      `json:"schema"`
	Data       []map[string]any    `json:"data"` // the first rows when they were asked for, without what is null
	Properties *ExploredProperties `json:"properties,omitempty"`
}

// ExploredSchema has the columns of a file.
type ExploredSchema struct {
	Columns []ExploredColumn `json:"columns"`
}

// ExploredColumn is a column of a file, with the type that its values suggest.
type ExploredColumn struct {
	Name string  `json:"name"`
	Type string  `json:"type"` // of an audience's field
	XDM  XDMType `json:"xdm"`
}

// XDMType is a type of XDM.
type XDMType struct {
	Type string `json:"type"`
}

// ExploredProperties is how a file is written.
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

// LandingCredentials say how files get into the landing zone: by PUT below UploadURL, with the headers of any call.
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
