/** The text, or its beginning and an ellipsis if it is longer than `most` UTF-16 units, which together are that long. */
export function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
