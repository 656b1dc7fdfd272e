package lake

import (
	"sync"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/s2"
)

// registerSnappy registers a faster Snappy encoder for arrow-go's writer. The writer takes its codecs from a
// process-wide registry, and offers no other way to replace them.
var registerSnappy = sync.OnceFunc(func() {
	codec, err := compress.GetCodec(compress.Codecs.Snappy)
	if err != nil {
		panic(err)
	}
	compress.RegisterCodec(compress.Codecs.Snappy, quickSnappy{codec.(compress.ErrorCodec)})
})

// quickSnappy uses the faster of the library's two encoders. Data files are 3 % larger and take 20 % less time to
// write.
type quickSnappy struct{ compress.ErrorCodec }

func (quickSnappy) Encode(dst, src []byte) []byte { return s2.EncodeSnappy(dst, src) }

func (quickSnappy) EncodeLevel(dst, src []byte, _ int) []byte { return s2.EncodeSnappy(dst, src) }
