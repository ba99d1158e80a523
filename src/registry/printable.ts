// Control and format characters (bidirectional overrides among them), lone surrogates, line separators.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** A text of somebody else for a message: of bounded length, with nothing in it that a terminal or a browser acts on. */
export function printable(text: string, maxLength: number): string {
  const cut = text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`;
  return cut.replaceAll(UNPRINTABLE, '\uFFFD');
}
