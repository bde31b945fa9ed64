/** The entries most similar to `wanted`, best first: what a person probably meant. */
export function nearest(wanted: string, known: Iterable<string>, most = 3): string[] {
  const scored: { name: string; distance: number }[] = [];
  const lower = wanted.toLowerCase();
  // For words of up to three letters, two edits make another word, not a typo.
  const bound = wanted.length <= 3 ? 1 : Math.max(2, Math.ceil(wanted.length / 3));
  for (const name of known) {
    const distance = edits(lower, name.toLowerCase(), bound);
    if (distance <= bound) scored.push({ name, distance });
    else if (name.startsWith(wanted)) scored.push({ name, distance: name.length - wanted.length });
  }
  return scored
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, most)
    .map((entry) => entry.name);
}

/** Levenshtein distance; stops early with a value above `bound`, since a policy with many unknown names is compared with many models. */
function edits(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) > bound) return bound + 1;
  let row = new Uint32Array(b.length + 1);
  let next = new Uint32Array(b.length + 1);
  for (let j = 0; j <= b.length; j++) row[j] = j;
  for (let i = 1; i <= a.length; i++) {
    let least = (next[0] = i);
    const letter = a.charCodeAt(i - 1);
    for (let j = 1; j <= b.length; j++) {
      const value = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (letter === b.charCodeAt(j - 1) ? 0 : 1));
      next[j] = value;
      if (value < least) least = value;
    }
    if (least > bound) return bound + 1;
    [row, next] = [next, row];
  }
  return row[b.length]!;
}

/** `Did you mean a or b?`, or the given fallback. */
export function didYouMean(wanted: string, known: Iterable<string>, otherwise: string): string {
  const names = nearest(wanted, known);
  return names.length === 0 ? otherwise : `Did you mean ${names.join(' or ')}?`;
}
