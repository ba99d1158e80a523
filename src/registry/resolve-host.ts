import { readFileSync } from 'node:fs';
import { Resolver } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';

/** The addresses of a host name. Rejects with the code of Node's DNS client. */
export type ResolveHost = (hostname: string) => Promise<readonly LookupAddress[]>;

/** What getaddrinfo reads. */
export interface HostFiles {
  /** The content of /etc/hosts. */
  readonly hosts: string;
  /** The content of /etc/resolv.conf. */
  readonly resolvConf: string;
}

type Queries = Pick<Resolver, 'resolve4' | 'resolve6'>;

const MAX_NDOTS = 15;
const TRY_MS = 800;
const TOTAL_MS = 3000;
const NOT_FOUND = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * Resolves as getaddrinfo does, with /etc/hosts and the search list, but not by getaddrinfo: it occupies one of few threads
 * until its own timeouts end, so that a few slow names would stop all others. See docs/adr/0013.
 */
export function createHostResolver(
  files: HostFiles = { hosts: readText('/etc/hosts'), resolvConf: readText('/etc/resolv.conf') },
  queries: Queries = new Resolver({ timeout: TRY_MS, tries: 2 }),
): ResolveHost {
  const hosts = parseHosts(files.hosts);
  const search = parseSearch(files.resolvConf);

  return async (hostname) => {
    const known = hosts.get(hostname.toLowerCase());
    if (known !== undefined) return known;
    const start = performance.now();
    let failure: unknown = notFound(hostname);
    for (const name of namesToTry(hostname, search)) {
      if (performance.now() - start > TOTAL_MS) break;
      const answers = await Promise.allSettled([queries.resolve4(name), queries.resolve6(name)]);
      // IPv4 first; Node's connection attempts alternate between the families.
      const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
      if (found.length > 0) return found.map(toLookupAddress);
      for (const answer of answers) {
        if (answer.status === 'rejected' && !NOT_FOUND.has(codeOf(answer.reason))) failure = answer.reason;
      }
    }
    throw failure;
  };
}

interface Search {
  readonly domains: readonly string[];
  readonly ndots: number;
}

/** The order of resolv.conf(5). */
function namesToTry(hostname: string, { domains, ndots }: Search): string[] {
  if (hostname.endsWith('.')) return [hostname.slice(0, -1)];
  const searched = domains.map((domain) => `${hostname}.${domain}`);
  return hostname.split('.').length > ndots ? [hostname, ...searched] : [...searched, hostname];
}

function parseHosts(content: string): ReadonlyMap<string, readonly LookupAddress[]> {
  const hosts = new Map<string, LookupAddress[]>();
  for (const line of content.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      hosts.set(key, [...(hosts.get(key) ?? []), toLookupAddress(address)]);
    }
  }
  return hosts;
}

function parseSearch(content: string): Search {
  const valuesOf = (keyword: string) =>
    content
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .flatMap(([first, ...rest]) => (first === keyword ? [rest] : []))
      .at(-1) ?? [];
  const domains = valuesOf('search').map((domain) => domain.replace(/\.$/, ''));
  const ndots = /^ndots:(\d+)$/.exec(valuesOf('options').find((option) => option.startsWith('ndots:')) ?? '')?.[1];
  return { domains: domains.filter((domain) => domain !== ''), ndots: Math.min(Number(ndots ?? 1), MAX_NDOTS) };
}

function toLookupAddress(address: string): LookupAddress {
  return { address, family: isIP(address) };
}

function notFound(hostname: string): Error {
  return Object.assign(new Error(`${hostname} is unknown`), { code: 'ENOTFOUND' });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
