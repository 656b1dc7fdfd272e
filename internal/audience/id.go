package audience

import "strings"

// Canonical returns an id as it is stored: a UUID in lower case. It returns false for a text that is not an id, which
// no object has.
func Canonical[T ~string](id T) (T, bool) {
	lower := strings.ToLower(string(id))
	if len(lower) != 36 {
		return T(lower), false
	}
	for i, c := range []byte(lower) {
		hex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash && c != '-' || !dash && !hex {
			return T(lower), false
		}
	}
	return T(lower), true
}
