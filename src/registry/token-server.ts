import { getDomain } from 'tldts';

/** Decides whether the operator's own credentials for a registry may be sent to a token server. */
export type TrustTokenServer = (registry: URL, tokenServer: URL) => boolean;

/**
 * A registry names its token server. The operator's own credentials are for all namespaces, so they go only to a host on the
 * registry's own domain, or to one that the administrator lists (`host[:port]`; without a port: every port).
 */
export function createTokenServerTrust(listed: readonly string[] = []): TrustTokenServer {
  const hosts = new Set(listed.map((host) => host.toLowerCase()));
  return (registry, tokenServer) =>
    registry.hostname === tokenServer.hostname ||
    hosts.has(tokenServer.hostname) ||
    hosts.has(`${tokenServer.hostname}:${portOf(tokenServer)}`) ||
    isSameDomain(registry.hostname, tokenServer.hostname);
}

function portOf({ port, protocol }: URL): string {
  return port || (protocol === 'https:' ? '443' : '80');
}

/** Private suffixes count, because their domains belong to different customers. An address has no domain. */
function isSameDomain(one: string, other: string): boolean {
  const domain = getDomain(one, { allowPrivateDomains: true });
  return domain !== null && domain === getDomain(other, { allowPrivateDomains: true });
}
