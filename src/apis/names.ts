/**
 * The names of all APIs whose calls Sluice knows. Each folder adds its own (`declare module '../names.ts'`), so that a new one is an edit of
 * its folder alone; the registry does not compile until it has an entry for each.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the folders add its members
export interface ApiNames {}
export type ApiName = keyof ApiNames;

/** The names of all wire formats that a provider can speak; a policy names one for each provider. Added to in the same way. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the folders add its members
export interface DialectNames {}
export type DialectFamily = keyof DialectNames;
