// Compares the operator's requests in the API server's audit log with its rights in manifests/.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const OPERATOR = 'system:serviceaccount:apprelease-system:apprelease-operator';
const manifest = join(import.meta.dirname, '../../manifests/operator/rbac.yaml');

/** Logs every request of the operator and of nobody else, without bodies. */
export const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', users: [OPERATOR] }, { level: 'None' }],
};

export interface AuditEvent {
  readonly verb: string;
  readonly requestURI: string;
  /** RFC 3339 */
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: { readonly resource: string; readonly subresource?: string; readonly apiGroup?: string };
  readonly responseStatus?: { readonly code: number };
}

export function parseAudit(log: string): AuditEvent[] {
  return log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditEvent);
}

interface Role {
  readonly kind: string;
  readonly rules: readonly { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] }[];
}

/** `verb group/resource` of every rule; a wildcard rule would show as a star. */
export function allowedRights(): string[] {
  const roles = parseAllDocuments(readFileSync(manifest, 'utf8')).map((document) => document.toJS() as Role);
  const rights = roles
    .filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')
    .flatMap(({ rules }) => rules)
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
      ),
    );
  return sorted(rights);
}

/** The rights that the requests needed. An apply that creates an object needs create and patch. */
export function neededRights(events: readonly AuditEvent[]): string[] {
  const rights = events.flatMap(({ verb, objectRef, responseStatus }) => {
    const { apiGroup = '', resource = '', subresource } = objectRef ?? {};
    const target = `${apiGroup}/${resource}${subresource === undefined ? '' : `/${subresource}`}`;
    const made = verb === 'patch' && responseStatus?.code === 201;
    return made ? [`patch ${target}`, `create ${target}`] : [`${verb} ${target}`];
  });
  return sorted(rights);
}

function sorted(rights: readonly string[]): string[] {
  return [...new Set(rights)].toSorted();
}

/** Requested only when the cache misses an object after three writes in a row; conflicts.test.ts covers that. */
const AFTER_CONFLICTS = ['get /pods', 'get apprelease.dev/releasepromotions', 'get apprelease.dev/releaserollbacks'];

/** The rights that every operator uses sooner or later. */
export function withoutConflicts(rights: readonly string[]): string[] {
  return rights.filter((right) => !AFTER_CONFLICTS.includes(right));
}
