/**
 * Tests may run with a moved clock (`scripts/test-unit.sh --clock`). The servers that they start keep the machine's: some stand still under
 * it.
 */
delete process.env['LD_PRELOAD'];
