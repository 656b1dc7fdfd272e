package secret

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// KMS returns a master key that never leaves a key service: awskms://KEY-ID?region=REGION or awskms:///arn:aws:kms:…
// for Amazon's. The credentials come from the environment of the process. The parameters region, profile, role (the ARN
// of a role to assume), endpoint, fips and dualstack override the environment; context_NAME=VALUE is a pair of the
// encryption context. KMS sends no request.
func KMS(ctx context.Context, address string) (Master, error) {
	k, err := openKMS(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("the address of the key service: %w", err)
	}
	return k, nil
}

// amazon is a key of Amazon's key service. The ring has no associated data.
type amazon struct {
	client  *kms.Client
	key     string // its id, alias or ARN
	context map[string]string
}

func openKMS(ctx context.Context, address string) (*amazon, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "awskms" {
		return nil, errors.New("it must be awskms://KEY-ID?region=REGION or awskms:///ARN")
	}
	k := &amazon{key: strings.TrimPrefix(path.Join(u.Host, u.Path), "/"), context: map[string]string{}}
	if k.key == "" {
		return nil, errors.New("it names no key")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the parameters after the question mark are malformed")
	}
	var load []func(*config.LoadOptions) error
	role, endpoint := "", ""
	for name, values := range query {
		if len(values) != 1 {
			return nil, fmt.Errorf("%s occurs %d times", name, len(values))
		}
		value := values[0]
		switch name {
		case "region":
			load = append(load, config.WithRegion(value))
		case "profile":
			load = append(load, config.WithSharedConfigProfile(value))
		case "endpoint":
			endpoint = value
		case "role":
			if role = value; !strings.HasPrefix(role, "arn:") {
				return nil, errors.New("role must be the ARN of a role")
			}
		case "fips", "dualstack":
			on, err := strconv.ParseBool(value)
			switch {
			case err != nil:
				return nil, fmt.Errorf("%s must be true or false", name)
			case on && name == "fips":
				load = append(load, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
			case on:
				load = append(load, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
			}
		default:
			pair, ok := strings.CutPrefix(name, "context_")
			if !ok {
				return nil, fmt.Errorf("%q is not a parameter; the parameters are region, profile, role, endpoint, fips, dualstack and context_NAME", name)
			}
			k.context[pair] = value
		}
	}
	found, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, err
	}
	if role != "" {
		found.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(found), role))
	}
	k.client = kms.NewFromConfig(found, func(o *kms.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
	return k, nil
}

// Encrypt implements Master.
func (k *amazon) Encrypt(plain, _ []byte) ([]byte, error) {
	out, err := k.client.Encrypt(context.Background(), &kms.EncryptInput{KeyId: &k.key, Plaintext: plain, EncryptionContext: k.context})
	if err != nil {
		return nil, err
	}
	return out.CiphertextBlob, nil
}

// Decrypt implements Master. The ciphertext tells the service which key to use.
func (k *amazon) Decrypt(sealed, _ []byte) ([]byte, error) {
	out, err := k.client.Decrypt(context.Background(), &kms.DecryptInput{CiphertextBlob: sealed, EncryptionContext: k.context})
	if err != nil {
		return nil, err
	}
	return out.Plaintext, nil
}
