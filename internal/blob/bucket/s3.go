package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"roster/internal/blob"
)

// S3 says where a bucket is that speaks the protocol of Amazon S3, and who reads it.
type S3 struct {
	Endpoint     string // "" for Amazon's own
	Region       string // "" means us-east-1
	PathStyle    bool   // the bucket stands in the path and not in the host's name
	Bucket       string // "" for all that may be listed; the first part of a path then names one
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
			return nil, fmt.Errorf("%w: the environment says nothing of who reads", blob.ErrCredentials)
		}
		who = found.Credentials
	}
	client := s3.New(s3.Options{
		Region: region, UsePathStyle: c.PathStyle, HTTPClient: straight(c.Client), Credentials: who,
		// Stores that are not Amazon's know nothing of its newer checksums.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}, func(o *s3.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
			o.DisableMultiRegionAccessPoints = true // the name of one in place of a bucket's leads to Amazon, whatever the endpoint is
		}
	})
	var e engine = s3Engine{client, c.Bucket}
	if c.Bucket == "" {
		e = allBuckets{engine: e, names: func(ctx context.Context) ([]string, error) { return s3Buckets(ctx, client) },
			in: func(bucket string) engine { return s3Engine{client, bucket} }}
	}
	return newStore(e, c.Folder), nil
}

// s3Buckets are the names of all buckets of who reads.
func s3Buckets(ctx context.Context, client *s3.Client) (names []string, err error) {
	for pages := s3.NewListBucketsPaginator(client, &s3.ListBucketsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range page.Buckets {
			names = append(names, aws.ToString(b.Name))
		}
	}
	return names, nil
}

// s3Engine is a bucket by Amazon's own library: the one for several clouds escapes some names in a way of its own.
type s3Engine struct {
	client *s3.Client
	bucket string
}

// list asks for the keys in an encoding, since XML has no characters for some that may be in one.
func (e s3Engine) list(ctx context.Context, prefix string, deep bool, fn func(string, blob.Object) error) error {
	in := &s3.ListObjectsV2Input{Bucket: &e.bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
	if !deep {
		in.Delimiter = aws.String("/")
	}
	for pages := s3.NewListObjectsV2Paginator(e.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		decoded := func(key *string) (string, error) {
			if page.EncodingType != types.EncodingTypeUrl {
				return aws.ToString(key), nil
			}
			return url.QueryUnescape(aws.ToString(key))
		}
		for _, o := range page.Contents {
			key, err := decoded(o.Key)
			if err == nil {
				err = fn(key, blob.Object{Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified), Version: bare(aws.ToString(o.ETag))})
			}
			if err != nil {
				return err
			}
		}
		for _, p := range page.CommonPrefixes {
			key, err := decoded(p.Prefix)
			if err == nil {
				err = fn(key, blob.Object{})
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (e s3Engine) stat(ctx context.Context, key string) (blob.Object, error) {
	out, err := e.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &e.bucket, Key: &key})
	if err != nil {
		return blob.Object{}, e.explained(ctx, key, err)
	}
	return blob.Object{Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified), Version: bare(aws.ToString(out.ETag))}, nil
}

// explained asks for a byte of an object when the store refuses to tell of it: the reason stands in the body of an answer, and one
// to a HEAD has none.
func (e s3Engine) explained(ctx context.Context, key string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	out, told := e.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &e.bucket, Key: &key, Range: aws.String("bytes=0-0")})
	if told == nil {
		out.Body.Close()
		return err
	}
	if errors.Is(e.refused(told), blob.ErrFailed) {
		return err
	}
	return told
}

func (e s3Engine) read(ctx context.Context, key, version string, offset int64, part []byte) (int, error) {
	in := &s3.GetObjectInput{Bucket: &e.bucket, Key: &key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+int64(len(part))-1))}
	bareOfTag := strings.HasPrefix(version, untagged)
	if !bareOfTag {
		in.IfMatch = aws.String(quoted(version))
	}
	out, err := e.client.GetObject(ctx, in)
	if err != nil {
		return 0, err
	}
	defer out.Body.Close()
	size, err := within(aws.ToString(out.ContentRange), offset)
	if err != nil {
		return 0, err
	}
	if size < 0 {
		size = aws.ToInt64(out.ContentLength)
	}
	// A store may not know the condition.
	if tag := bare(aws.ToString(out.ETag)); bareOfTag && version != untaggedVersion(size, aws.ToTime(out.LastModified)) || !bareOfTag && tag != "" && tag != version {
		return 0, blob.ErrChanged
	}
	return io.ReadFull(out.Body, part)
}

func (e s3Engine) put(ctx context.Context, key string, content io.Reader, absent bool) error {
	in := &transfermanager.UploadObjectInput{Bucket: &e.bucket, Key: &key, Body: content, ContentType: aws.String(contentType)}
	if absent {
		in.IfNoneMatch = aws.String("*")
	}
	_, err := transfermanager.New(e.client, partsAtOnce).UploadObject(ctx, in)
	return err
}

// partsAtOnce limits the memory of an upload to three parts of 8 MiB: several files are written at once.
func partsAtOnce(o *transfermanager.Options) { o.Concurrency = 2 }

func (e s3Engine) remove(ctx context.Context, key string) error {
	_, err := e.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &e.bucket, Key: &key})
	return err
}

func (s3Engine) refused(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return nil
	}
	switch code := api.ErrorCode(); code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidClientTokenId", "InvalidSecurity", "XAdminUserNotFound":
		return fmt.Errorf("%w (%s)", blob.ErrCredentials, code)
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException", "InvalidRegion":
		return fmt.Errorf("%w: the bucket is in another region than the connection says, or the access key is none (%s)", blob.ErrCredentials, code)
	case "RequestTimeTooSkewed", "RequestExpired":
		return fmt.Errorf("%w: the clock of this machine and that of the store differ too much (%s)", blob.ErrCredentials, code)
	case "NoSuchBucket":
		return blob.ErrNoBucket
	case "NoSuchKey", "NotFound":
		return blob.ErrNotExist
	case "PreconditionFailed", "InvalidRange":
		return blob.ErrChanged
	case "AccessDenied", "Forbidden":
		return blob.ErrPermission
	case "InvalidObjectState":
		return fmt.Errorf("%w: the object is archived and has to be restored first", blob.ErrPermission)
	}
	status := 0
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	return answered(status, api.ErrorCode())
}
