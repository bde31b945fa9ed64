/** The entries most like `wanted`, best first: what a person probably meant. */
export function nearest(wanted: string, known: Iterable<string>, most = 3): string[] {
  const scored: { name: string; distance: number }[] = [];
  const bound = Math.max(2, Math.ceil(wanted.length / 3));
  for (const name of known) {
    const distance = edits(wanted.toLowerCase(), name.toLowerCase());
    if (distance <= bound || name.startsWith(wanted)) scored.push({ name, distance });
  }
  return scored
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, most)
    .map((entry) => entry.name);
}

/** Levenshtein distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** `Did you mean a or b?`, or the given fallback. */
export function didYouMean(wanted: string, known: Iterable<string>, otherwise: string): string {
  const names = nearest(wanted, known);
  return names.length === 0 ? otherwise : `Did you mean ${names.join(' or ')}?`;
}
