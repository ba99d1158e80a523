// Control and format characters (bidirectional overrides among them), lone surrogates, line separators.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Untrusted text for a message: cut to a maximum length, without characters that a terminal or browser interprets. */
export function printable(text: string, maxLength: number): string {
  const cut = text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`;
  return cut.replaceAll(UNPRINTABLE, '\uFFFD');
}
