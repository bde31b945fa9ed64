/**
 * Node's flags for `sluice serve`. Bodies and data read from sockets are external memory, which V8 frees when it scavenges; if there is too
 * much of it first, V8 marks the whole heap. A small young generation is scavenged often enough (docs/speed.md). The launcher and the image
 * use the same flags.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=4'];
