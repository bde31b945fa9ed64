'use strict';
// What each program of the package begins with: loads a bundle's files with the code that V8 made of them when the package was built. Where another
// version or other flags of V8 run, that code is refused, and the file is compiled as any other is.
const { readFileSync, writeFileSync, renameSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');
const { setFlagsFromString } = require('node:v8');
const { constants, Script } = require('node:vm');
const { getEnvironmentData, isMainThread, setEnvironmentData } = require('node:worker_threads');

// Before any code is taken, which V8 refuses when it was made under other flags. NODE_OPTIONS does not take this one.
setFlagsFromString('--heap-growing-percent=60');
// The young generation of threads that start later: the main thread's has the size that the process was started with.
setFlagsFromString('--max-semi-space-size=1');

/** @type {Map<string, { exports: unknown }>} */
const modules = new Map();
/** @type {Map<string, Script>} */
const scripts = new Map();
const external = createRequire(__filename);
/** Set while the package is built: the code is written beside its source, again and again as more of it has run. */
const recording = process.env['SLUICE_RECORD_CODE'] !== undefined || getEnvironmentData('record-code') === true;
// Threads get no environment of the process.
if (recording) setEnvironmentData('record-code', true);
/**
 * Set until `serve` has its first request (src/lib/quiet-start.ts): what runs once at the start is not worth the optimizing compiler, whose
 * code alone is 6 MB of memory.
 */
const quiet = Symbol.for('sluice.quiet-start');
const globals = /** @type {Record<symbol, unknown>} */ (globalThis);
if (isMainThread && !recording && process.argv[2] === 'serve') globals[quiet] = true;

/** @param {string} file */
function load(file) {
  const known = modules.get(file);
  if (known !== undefined) return known.exports;
  // ASCII throughout, as the build makes it: V8 keeps it as one byte a character.
  const source = readFileSync(file, 'latin1');
  let cachedData;
  try {
    cachedData = recording ? undefined : readFileSync(`${file}.code`);
  } catch {
    // Built without it.
  }
  if (globals[quiet] === true) setFlagsFromString('--opt');
  const script = new Script(source, { filename: file, cachedData, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
  if (globals[quiet] === true) setFlagsFromString('--no-opt');
  if (recording) scripts.set(file, script);
  const loaded = { exports: {} };
  modules.set(file, loaded);
  const here = dirname(file);
  script
    .runInThisContext()
    .call(
      loaded.exports,
      loaded.exports,
      (/** @type {string} */ name) => (name.startsWith('.') ? load(join(here, name)) : external(name)),
      loaded,
      file,
      here,
    );
  return loaded.exports;
}

function record() {
  for (const [file, script] of scripts) {
    writeFileSync(`${file}.code.new`, script.createCachedData());
    renameSync(`${file}.code.new`, `${file}.code`);
  }
}

if (recording) setInterval(record, 500).unref();

/** Runs the bundle of this name. */
exports.run = (/** @type {string} */ name) => load(join(__dirname, 'code', name, `${name}.cjs`));
