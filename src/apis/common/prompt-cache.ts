const minute = 60_000;

/** The minimum time that a prompt stays in a provider's cache after its last use, by the providers' documentation, in ms. */
export const shortMs = 5 * minute;
export const hourMs = 60 * minute;
