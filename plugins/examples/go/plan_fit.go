// A complete Sextant segmenter in Go: who has outgrown its plan, and who pays for more than it uses.
// Build, in this folder:
//
//	CGO_CFLAGS="-O2 -I$PWD/../../abi/include" go build -buildmode=c-shared -trimpath -ldflags=-s -o plan_fit.so .
package main

/*
#include <stdlib.h>
#include "segmenter.h"
*/
import "C"

import (
	"encoding/json"
	"fmt"
	"runtime/cgo"
	"sync/atomic"
	"unsafe"
)

// The order of "segments" in the descriptor.
const (
	upgrade uint16 = iota
	fits
	shrink
	abstain = uint16(C.SEG_ABSTAIN)
)

// A model is one instance: its configuration, as the descriptor names it.
type model struct {
	FullFrom  float64 `json:"full_from"`
	IdleBelow float64 `json:"idle_below"`
}

func (m *model) segment(seats int64, share float64) uint16 {
	switch {
	case share != share || seats <= 0:
		return abstain
	case share >= m.FullFrom:
		return upgrade
	case share < m.IdleBelow:
		return shrink
	default:
		return fits
	}
}

func put(to []C.char, text string) {
	text = text[:min(len(text), len(to)-1)]
	for at := range len(text) {
		to[at] = C.char(text[at])
	}
	to[len(text)] = 0
}

func fail(err *C.seg_error, code C.seg_status, field, message string) C.seg_status {
	err.code = code
	put(err.field[:], field)
	put(err.message[:], message)
	return code
}

// A panic is an error of its call: the host does not call the instance again.
func guard(err *C.seg_error, status *C.seg_status) {
	if panicked := recover(); panicked != nil {
		*status = fail(err, C.SEG_E_PANIC, "", fmt.Sprint(panicked))
	}
}

//export goCreate
func goCreate(config *C.char, length C.size_t, out *unsafe.Pointer, err *C.seg_error) (status C.seg_status) {
	defer guard(err, &status)
	var m model
	if parsed := json.Unmarshal(C.GoBytes(unsafe.Pointer(config), C.int(length)), &m); parsed != nil {
		return fail(err, C.SEG_E_INVALID_CONFIG, "", parsed.Error())
	}
	if m.IdleBelow > m.FullFrom {
		return fail(err, C.SEG_E_INVALID_CONFIG, "/idle_below", "must not be above full_from")
	}
	// The host keeps a pointer, and Go moves what it likes: it gets memory of C that holds a handle.
	handle := (*cgo.Handle)(C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0)))))
	*handle = cgo.NewHandle(&m)
	*out = unsafe.Pointer(handle)
	return C.SEG_OK
}

//export goSegment
func goSegment(self, cancel unsafe.Pointer, rows C.int64_t, seats, shares unsafe.Pointer, answers *C.uint16_t, err *C.seg_error) (status C.seg_status) {
	defer guard(err, &status)
	m := (*(*cgo.Handle)(self)).Value().(*model)
	n := int(rows)
	seatsOf, sharesOf := unsafe.Slice((*int64)(seats), n), unsafe.Slice((*float64)(shares), n)
	answersOf := unsafe.Slice((*uint16)(unsafe.Pointer(answers)), n)
	for row := range n {
		if row%4096 == 0 && cancel != nil && atomic.LoadUint32((*uint32)(cancel)) != 0 {
			return fail(err, C.SEG_E_CANCELLED, "", "cancelled")
		}
		answersOf[row] = m.segment(seatsOf[row], sharesOf[row])
	}
	return C.SEG_OK
}

//export goDestroy
func goDestroy(self unsafe.Pointer) {
	(*(*cgo.Handle)(self)).Delete()
	C.free(self)
}

func main() {}
