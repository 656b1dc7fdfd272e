package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"roster/internal/source"
)

// S3 says where a bucket is that speaks the protocol of Amazon S3, and who reads it.
type S3 struct {
	Endpoint     string // "" for Amazon's own
	Region       string // "" means us-east-1
	PathStyle    bool   // the bucket stands in the path and not in the host's name
	Bucket       string
	Folder       string // below which everything is
	AccessKey    string
	SecretKey    string
	SessionToken string
	// Environment reads as whoever the environment of the process says: its variables, a web identity, a container's role or
	// that of the machine.
	Environment bool
	Client      *http.Client
}

// OpenS3 opens a bucket. Nothing is asked of the store yet.
func OpenS3(ctx context.Context, c S3) (*Store, error) {
	region := c.Region
	if region == "" {
		region = "us-east-1"
	}
	var who aws.CredentialsProvider = credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.SessionToken)
	if c.Environment {
		found, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w: the environment says nothing of who reads", source.ErrCredentials)
		}
		who = found.Credentials
	}
	client := s3.New(s3.Options{
		Region: region, UsePathStyle: c.PathStyle, HTTPClient: c.Client, Credentials: who,
		// Stores that are not Amazon's know nothing of its newer checksums.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}, func(o *s3.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	b, err := s3blob.OpenBucket(ctx, client, c.Bucket, nil)
	if err != nil {
		return nil, fmt.Errorf("open the bucket %s: %w", c.Bucket, err)
	}
	return newStore(cloud{b, s3Driver{}}, c.Folder), nil
}

type s3Driver struct{}

func (s3Driver) version(a *blob.Attributes) string { return bare(a.ETag) }

func (s3Driver) same(func(any) bool, string) bool { return true } // the condition is all there is

func (s3Driver) listed(o *blob.ListObject) string {
	var object types.Object
	o.As(&object)
	return bare(aws.ToString(object.ETag))
}

func (s3Driver) pin(as func(any) bool, version string) {
	var in *s3.GetObjectInput
	if as(&in) {
		in.IfMatch = aws.String(quoted(version))
	}
}

func (s3Driver) refused(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return nil
	}
	switch api.ErrorCode() {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AuthorizationHeaderMalformed":
		return fmt.Errorf("%w (%s)", source.ErrCredentials, api.ErrorCode())
	case "RequestTimeTooSkewed":
		return fmt.Errorf("%w: the clock of this machine and that of the store differ too much (%s)", source.ErrCredentials, api.ErrorCode())
	case "NoSuchBucket":
		return source.ErrNoBucket
	}
	return nil
}
