/** One challenge of a WWW-Authenticate header. Scheme and parameter names are lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`, 'y');
const SCHEME = new RegExp(`(${TOKEN})(?=$|[ \\t,])`, 'y');
const TOKEN68 = /[ \t]+[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const SEPARATORS = /[ \t,]*/y;

/**
 * Parses WWW-Authenticate (RFC 9110 §11.6.1): several challenges, in one header or in several. Commas separate both
 * challenges and parameters. Stops at unreadable text and returns the challenges before it.
 */
export function parseChallenges(header: string | readonly string[] | undefined): readonly Challenge[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(', ');
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = skip(SEPARATORS, text, 0);
  while (at < text.length) {
    const current = challenges.at(-1);
    const parameter = current && matchAt(PARAMETER, text, at);
    if (parameter) {
      const [whole, name = '', quoted, plain = ''] = parameter;
      current.parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? plain);
      at += whole.length;
    } else {
      const scheme = matchAt(SCHEME, text, at);
      if (scheme === null) break;
      challenges.push({ scheme: scheme[0].toLowerCase(), parameters: new Map() });
      at = skip(TOKEN68, text, at + scheme[0].length);
    }
    at = skip(SEPARATORS, text, at);
  }
  return challenges;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function skip(pattern: RegExp, text: string, at: number): number {
  return at + (matchAt(pattern, text, at)?.[0].length ?? 0);
}
