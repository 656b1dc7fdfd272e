#include "textflag.h"

// LANE compares 16 bytes with the bytes in X0, X1 and X2 and leaves a bit for each of them in out.
#define LANE(offset, out) \
	MOVOU offset(SI), X3; \
	MOVO X3, X4; \
	MOVO X3, X5; \
	PCMPEQB X0, X3; \
	PCMPEQB X1, X4; \
	PCMPEQB X2, X5; \
	POR X4, X3; \
	POR X5, X3; \
	PMOVMSKB X3, out

// SPREAD fills x with the byte in r.
#define SPREAD(r, x) \
	IMULQ R12, r; \
	MOVQ r, x; \
	PUNPCKLQDQ x, x

// func mark(dst []uint64, buf []byte, a, b, c byte)
TEXT ·mark(SB), NOSPLIT, $0-51
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ buf_base+24(FP), SI
	MOVBQZX a+48(FP), AX
	MOVBQZX b+49(FP), BX
	MOVBQZX c+50(FP), DX
	MOVQ $0x0101010101010101, R12
	SPREAD(AX, X0)
	SPREAD(BX, X1)
	SPREAD(DX, X2)
	TESTQ CX, CX
	JEQ done

word:
	LANE(0, R8)
	LANE(16, R9)
	LANE(32, R10)
	LANE(48, R11)
	SHLQ $16, R9
	SHLQ $32, R10
	SHLQ $48, R11
	ORQ R9, R8
	ORQ R11, R10
	ORQ R10, R8
	MOVQ R8, (DI)
	ADDQ $8, DI
	ADDQ $64, SI
	DECQ CX
	JNE word

done:
	RET
