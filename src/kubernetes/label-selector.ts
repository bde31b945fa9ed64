/**
 * Whether labels match a selector of `a=b`, `a==b`, `a!=b`, `a` and `!a`, separated by commas, as in Kubernetes. Null if the selector has
 * another form, such as `a in (b)`.
 */
export function meetsSelector(selector: string, labels: Readonly<Record<string, string>>): boolean | null {
  let meets = true;
  for (const part of selector.split(',')) {
    const found = /^\s*(!?)\s*([\w./-]+)\s*(?:(==|=|!=)\s*([\w.-]*))?\s*$/.exec(part);
    if (found === null) return null;
    const [, not, key = '', operator, value] = found;
    const has = Object.hasOwn(labels, key);
    if (operator === undefined) meets &&= has === (not === '');
    else meets &&= (has && labels[key] === value) === (operator !== '!=');
  }
  return meets;
}
