const minute = 60_000;

/** How long a prompt stays in a provider's cache after its last use, by their documentation: at least so long, in ms. */
export const shortMs = 5 * minute;
export const hourMs = 60 * minute;
