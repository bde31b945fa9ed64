// The smallest external processor: it answers a request's headers and its body with "go on" and reads nothing. The floor
// that Sluice is measured against. With "parse" it does the least of what a processor that changes bodies does: it parses
// the JSON, sets the model, and writes it again. Usage: noop /path/to.sock [parse]
package main

import (
	"encoding/json"
	"log"
	"net"
	"os"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
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
	parses       = len(os.Args) > 2 && os.Args[2] == "parse"
)

// field returns a message's first length-delimited field of this number.
func field(message []byte, number protowire.Number) []byte {
	for len(message) > 0 {
		found, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return nil
		}
		message = message[size:]
		if found == number && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message)
			return value
		}
		if size = protowire.ConsumeFieldValue(found, kind, message); size < 0 {
			return nil
		}
		message = message[size:]
	}
	return nil
}

func message(number protowire.Number, parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), all)
}

// rewritten is ProcessingResponse{request_body: {response: {header_mutation, body_mutation}}} with another model in the body.
func rewritten(request []byte) []byte {
	var body map[string]any
	if json.Unmarshal(field(field(request, 4), 1), &body) != nil {
		return bodyReply
	}
	body["model"] = "gpt-5-nano"
	text, err := json.Marshal(body)
	if err != nil {
		return bodyReply
	}
	length := message(1, message(1, message(1, []byte("content-length")), message(3, []byte(strconv.Itoa(len(text))))), []byte{0x18, 0x02})
	return message(3, message(1, message(2, length), message(3, message(1, text))))
}

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
			reply := bodyReply
			if parses {
				reply = rewritten(message)
			}
			return stream.SendMsg(&reply)
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
