/**
 * Node's flags for `sluice serve`. Bodies and data read from sockets are external memory, which V8 frees when it scavenges; if there is too
 * much of it first, V8 marks the whole heap. A small young generation is scavenged often enough (docs/speed.md). The launcher and the image
 * use the same flags.
 *
 * V8 lets its old generation grow to up to four times what lived at the last full collection; at 1.6 times the process is 70 MB smaller under
 * load. `NODE_OPTIONS` does not take that flag, so the built programs set it themselves (scripts/build/load.cjs).
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=4', '--heap-growing-percent=60'];

/**
 * Environment of `sluice serve`, for the C library: each thread that allocates gets an arena of its own, and the size from which memory is
 * given back grows with what was freed. With two arenas and fixed sizes, in bytes, the process stays 5 to 10 MB smaller. V8's compiler takes
 * its memory in blocks of 8 to 32 KB, up to 39 MB when load begins. Blocks of this size and more
 * are given back when they are freed: 20 MB under load from 32 KB on, 10 more from 8 KB on.
 */
export const allocatorSettings: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '8192',
  MALLOC_TRIM_THRESHOLD_: '1048576',
};
