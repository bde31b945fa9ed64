//go:build tools

// Package tools pins h2spec, whose own module names no versions of what it imports.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
