package audience

import (
	"maps"
	"slices"
	"strings"
)

// Connection spec ids of kinds with special rules (contract, section 3).
const (
	SpecLandingZone = "26f526f2-58f4-4712-961d-e41bf1ccc0e8"
	SpecLocal       = "6c1f0c0e-5d0a-4f0e-9a57-0d6f7c1b2a10"
	SpecS3          = "ecadc60c-7455-4d87-84dc-2a0e293d997b"
	SpecGCS         = "32e8f412-cdf7-464c-9885-78184cb113fd"
	SpecAzureBlob   = "4c10e202-c428-4796-9208-5f1f5732b1cf"
)

// Names of authentications (auth.specName).
const (
	AuthNone        = "none"
	AuthAccessKey   = "Access Key"
	AuthEnvironment = "Role from Environment"
	AuthGoogleCloud = "Basic Authentication for google-cloud"
	AuthAzureString = "ConnectionString"
	AuthAzureSAS    = "SasURIAuthentication"
	AuthLake        = "Basic Authentication for adls-gen2"
	AuthLakeKey     = "Account Key"
	AuthSFTP        = "Basic Authentication for sftp"
	AuthSFTPKey     = "SSH PublicKey Authentication for sftp"
)

// ConnectionKind is a kind of base connection (contract, section 3).
type ConnectionKind struct {
	Name      string
	SpecIDs   []string
	CloudType string // the sourceSpec.cloudType; "" for a kind that can stand for any
	// Auths are the ways to authenticate. A kind without any has no connections.
	Auths []ConnectionAuth
}

// ConnectionAuth is a way to authenticate.
type ConnectionAuth struct {
	Name   string
	Also   []string // other names, as AEP has them
	Params []ConnectionParam
}

// called reports whether the way to authenticate has that name.
func (a ConnectionAuth) called(name string) bool {
	return a.Name == name || slices.Contains(a.Also, name)
}

// tuning are the parameters that tune AEP's connections. They are stored and have no effect here.
var tuning = []string{"maxConcurrentConnections", "disableChunking", "chunking", "maxConnections", "connectionTimeout", "requestTimeout", "timeout", "retryCount", "retryInterval"}

// IsTuning reports whether a parameter tunes AEP's connections.
func IsTuning(param string) bool { return slices.Contains(tuning, param) }

// ConnectionParam is a parameter. A secret one is sealed in the store, and never answered.
type ConnectionParam struct {
	Name             string
	Required, Secret bool
	Change           ParamChange
}

// ParamChange is the effect of a parameter's new value on the secrets of its connection.
type ParamChange int

// The zero value is the safe one: the secrets survive a change only of a parameter that the table of kinds marks so.
const (
	// Moves marks a parameter that may decide where the secrets are sent, or for whom.
	Moves ParamChange = iota
	// Stays marks a parameter that names something inside the same store, or that never leaves the server.
	Stays
	// Pins marks a parameter that restricts where the secrets are sent: the first value keeps them, another one moves
	// them.
	Pins
)

var connectionKinds = []ConnectionKind{
	{Name: "local files", SpecIDs: []string{SpecLocal}, Auths: []ConnectionAuth{{Name: AuthNone, Params: []ConnectionParam{{Name: "root", Required: true}}}}},
	{Name: "landing zone", SpecIDs: []string{SpecLandingZone}, CloudType: CloudLanding, Auths: []ConnectionAuth{{Name: AuthNone}}},
	{Name: "S3", SpecIDs: []string{SpecS3}, CloudType: "S3", Auths: []ConnectionAuth{{Name: AuthAccessKey, Params: []ConnectionParam{
		{Name: "s3AccessKey", Required: true}, {Name: "s3SecretKey", Required: true, Secret: true}, {Name: "s3SessionToken", Secret: true},
		{Name: "bucketName", Change: Stays}, {Name: "folderPath", Change: Stays}, {Name: "serviceUrl"}, {Name: "region"}, {Name: "pathStyle"}}},
		{Name: AuthEnvironment, Also: []string{"IAMRole Based"}, Params: []ConnectionParam{
			{Name: "bucketName", Change: Stays}, {Name: "folderPath", Change: Stays}, {Name: "serviceUrl"}, {Name: "region"}, {Name: "pathStyle"}}}}},
	{Name: "Azure Blob", SpecIDs: []string{SpecAzureBlob, "d771e9c1-4f26-40dc-8617-ce58c4b53702"}, CloudType: "Azure", Auths: []ConnectionAuth{
		{Name: AuthAzureString, Params: []ConnectionParam{{Name: "connectionString", Required: true, Secret: true}, {Name: "container", Change: Stays}, {Name: "folderPath", Change: Stays}}},
		{Name: AuthAzureSAS, Also: []string{"SAS URI Authentication"}, Params: []ConnectionParam{{Name: "sasUri", Required: true, Secret: true}, {Name: "container", Change: Stays}, {Name: "folderPath", Change: Stays}}}}},
	{Name: "ADLS Gen2", SpecIDs: []string{"b3ba5556-48be-44b7-8b85-ff2b69b46dc4", "0ed90a81-07f4-4586-8190-b40eccef1c5a"}, CloudType: "Azure", Auths: []ConnectionAuth{
		{Name: AuthLake, Params: []ConnectionParam{{Name: "url", Required: true}, {Name: "servicePrincipalId", Required: true},
			{Name: "servicePrincipalKey", Required: true, Secret: true}, {Name: "tenant", Required: true}, {Name: "container", Change: Stays}, {Name: "folderPath", Change: Stays}}},
		{Name: AuthLakeKey, Params: []ConnectionParam{{Name: "url", Required: true}, {Name: "accountName", Required: true},
			{Name: "accountKey", Required: true, Secret: true}, {Name: "container", Change: Stays}, {Name: "folderPath", Change: Stays}}}}},
	{Name: "GCS", SpecIDs: []string{SpecGCS}, CloudType: "GCS", Auths: []ConnectionAuth{{Name: AuthGoogleCloud, Params: []ConnectionParam{
		{Name: "accessKeyId"}, {Name: "secretAccessKey", Secret: true}, {Name: "serviceAccountJson", Secret: true},
		{Name: "bucketName", Change: Stays}, {Name: "folderPath", Change: Stays}, {Name: "endpoint"}}}}},
	{Name: "SFTP", SpecIDs: []string{"b7bf2577-4520-42c9-bae9-cad01560f7bc"}, CloudType: "SFTP", Auths: []ConnectionAuth{
		{Name: AuthSFTP, Params: []ConnectionParam{{Name: "host", Required: true}, {Name: "port"}, {Name: "userName", Required: true}, {Name: "password", Required: true, Secret: true},
			{Name: "hostKey", Change: Pins}, {Name: "folderPath", Change: Stays}}},
		{Name: AuthSFTPKey, Params: []ConnectionParam{{Name: "host", Required: true}, {Name: "port"}, {Name: "userName", Required: true}, {Name: "privateKeyContent", Required: true, Secret: true},
			{Name: "passPhrase", Secret: true, Change: Stays}, {Name: "hostKey", Change: Pins}, {Name: "folderPath", Change: Stays}}}}},
}

// ConnectionKinds returns the table of kinds.
func ConnectionKinds() []ConnectionKind { return slices.Clone(connectionKinds) }

// KindOf returns the kind that a connectionSpec.id names, in any case.
func KindOf(specID string) (ConnectionKind, bool) {
	id := strings.ToLower(specID)
	i := slices.IndexFunc(connectionKinds, func(k ConnectionKind) bool { return slices.Contains(k.SpecIDs, id) })
	if i < 0 {
		return ConnectionKind{}, false
	}
	return connectionKinds[i], true
}

// Auth returns the way to authenticate with that name; the first one for "".
func (k ConnectionKind) Auth(name string) (ConnectionAuth, bool) {
	i := slices.IndexFunc(k.Auths, func(a ConnectionAuth) bool { return name == "" || a.called(name) })
	if i < 0 {
		return ConnectionAuth{}, false
	}
	return k.Auths[i], true
}

// Param returns the parameter with that name.
func (a ConnectionAuth) Param(name string) (ConnectionParam, bool) {
	i := slices.IndexFunc(a.Params, func(p ConnectionParam) bool { return p.Name == name })
	switch {
	case i >= 0:
		return a.Params[i], true
	case len(a.Params) > 1 && IsTuning(name): // only remote stores have tuning parameters
		return ConnectionParam{Name: name, Change: Stays}, true
	}
	return ConnectionParam{}, false
}

// Kind returns the connection's kind and its way to authenticate, the zero values if it has none.
func (c *Connection) Kind() (ConnectionKind, ConnectionAuth) {
	kind, _ := KindOf(c.SpecID)
	auth, _ := kind.Auth(c.AuthSpec)
	return kind, auth
}

// Moved returns the first property, with the name for errors, through which the edited connection may send its secrets
// elsewhere; "" if there is none. An unknown parameter counts as one.
func (c *Connection) Moved(edited *Connection) string {
	_, was := c.Kind()
	_, auth := edited.Kind()
	if was.Name != auth.Name || c.SpecID != edited.SpecID {
		return "auth.specName"
	}
	names := slices.Collect(maps.Keys(c.Params))
	names = slices.AppendSeq(names, maps.Keys(edited.Params))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		before, after := c.Params[name], edited.Params[name]
		if before == after {
			continue
		}
		p, _ := auth.Param(name)
		if p.Change == Moves || p.Change == Pins && before != "" {
			return "auth.params." + name
		}
	}
	return ""
}
