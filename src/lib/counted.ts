/** `1 row`, `2 rows`, `2 entries`. */
export function counted(count: number, what: string): string {
  return `${count} ${count === 1 ? what : /[^aeiou]y$/.test(what) ? `${what.slice(0, -1)}ies` : `${what}s`}`;
}
