import { describe, expect, it } from 'vitest';
import { fileAlways, fileOrOff } from './file-flag.ts';

describe('an option that names a file', () => {
  it.each(['off', 'none', 'None', 'no', 'FALSE', 'OFF', ' off '])('is switched off by %s', (value) =>
    expect(fileOrOff('--ledger', value)).toBeNull(),
  );

  it.each(['on', 'true', 'YES', ''])('refuses "%s" and says what would be right', (value) => {
    expect(() => fileOrOff('--ledger', value)).toThrow(
      expect.objectContaining({ code: 'SLUICE_CLI_USAGE', where: '--ledger', fix: expect.stringContaining('or off') as string }) as Error,
    );
  });

  it.each(['./none', '/var/lib/off', 'ledger.db', 'postgres://db/none', 'nonesuch'])('takes %s as it stands', (value) =>
    expect(fileOrOff('--ledger', value)).toBe(value),
  );

  it.each(['off', 'none', 'true', ''])('that is always needed refuses "%s"', (value) => {
    expect(() => fileAlways('--log', value, 'Write - for stdout.')).toThrow(
      expect.objectContaining({ where: '--log', fix: 'Write - for stdout.' }) as Error,
    );
  });
});
