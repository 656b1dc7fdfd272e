package tabular
import ("testing";"fmt")
func BenchmarkTmpChunk(b *testing.B){ file:=people(1_000_000,false); for _,c:=range []int{128<<10,256<<10,512<<10,1<<20,4<<20}{ b.Run(fmt.Sprint(c>>10),func(b *testing.B){benchmarkCSV(b,file,benchColumns,Options{Workers:2,ChunkBytes:c})})}}
