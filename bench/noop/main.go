// The smallest external processor: it answers a request's headers and its body with "go on" and reads nothing. The floor
// that Sluice is measured against. Usage: noop /path/to.sock
package main

import (
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// raw hands messages over as bytes: there is nothing to decode.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*(v.(*[]byte)))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*(v.(*[]byte)) = data.Materialize()
	return nil
}

var (
	// ProcessingResponse{request_headers: {}} and ProcessingResponse{request_body: {}}
	headersReply = []byte{0x0a, 0x00}
	bodyReply    = []byte{0x1a, 0x00}
)

func process(_ any, stream grpc.ServerStream) error {
	for {
		var message []byte
		if err := stream.RecvMsg(&message); err != nil {
			return nil
		}
		if len(message) == 0 {
			continue
		}
		// The phase is the message's first field, so its tag is the first byte.
		switch message[0] {
		case 0x12: // request_headers
			if err := stream.SendMsg(&headersReply); err != nil {
				return err
			}
		case 0x22: // request_body: the last phase; ending the stream frees it, as Sluice does
			return stream.SendMsg(&bodyReply)
		}
	}
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.ForceServerCodecV2(raw{}),
		grpc.UnknownServiceHandler(process),
		grpc.MaxRecvMsgSize(64<<20),
	)
	log.Fatal(server.Serve(listener))
}
