/** The certificates in a text of PEM blocks, each as its own block; other blocks and text between them are left out. */
export function certificateBlocks(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
}
