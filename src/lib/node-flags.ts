/**
 * Node's flags for `sluice serve`. Bodies and what is read from sockets are external memory: V8 lets go of it when it scavenges, and marks the
 * whole heap when there is too much of it first. A small young generation is scavenged often enough (docs/speed.md).
 * The launcher and the image say the same.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=4'];
