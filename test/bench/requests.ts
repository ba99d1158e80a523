// What the operator asks of the API server, by the API server's own account.
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The audit log is exact, by verb and resource, and knows who asked; it is kept of the operator's user alone and written in
 * the background, so that it costs the rest nothing. The API server's metrics know verbs and resources of all clients
 * together, and of one user only the sum, by a FlowSchema of its own: that sum checks the audit log.
 */
export interface RequestLog {
  /** Every request that the API server received of the operator since the last call, watches counted when they begin. */
  take: () => Promise<Request[]>;
}

export interface Request {
  /** As RBAC has it: get, list, watch, create, update, patch, delete. */
  verb: string;
  /** With group and subresource where there are such: `deployments.apps`, `services`, `appreleases.apprelease.dev/status`. */
  resource: string;
  /** HTTP status. */
  code: number;
  /** Milliseconds since the epoch at which it was received. */
  at: number;
  uri: string;
}

/** Writes the audit policy; returns the API server's flags and the log. */
export async function prepareAudit(dir: string, user: string): Promise<{ flags: string[]; log: RequestLog }> {
  const policy = join(dir, 'audit-policy.json');
  const file = join(dir, 'audit.log');
  await writeFile(
    policy,
    JSON.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      omitStages: ['RequestReceived'],
      rules: [{ level: 'Metadata', users: [user] }, { level: 'None' }],
    }),
  );
  const flags = [
    `--audit-policy-file=${policy}`,
    `--audit-log-path=${file}`,
    '--audit-log-mode=batch',
    '--audit-log-batch-max-wait=200ms',
    '--audit-log-maxsize=10000',
  ];
  const readMore = followLines(file);
  return {
    flags,
    log: {
      take: async () => (await readMore()).flatMap((line) => toRequest(JSON.parse(line) as AuditEvent) ?? []),
    },
  };
}

/** Each call returns the lines that a file has got since the last one; a line that is being written comes next time. */
function followLines(path: string): () => Promise<string[]> {
  let offset = 0;
  return async () => {
    const file = await open(path).catch(() => undefined);
    if (!file) return [];
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - offset), 0, size - offset, offset);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      offset += end;
      return buffer.toString('utf8', 0, end).split('\n').filter(Boolean);
    } finally {
      await file.close();
    }
  };
}

interface AuditEvent {
  stage: string;
  verb: string;
  requestURI: string;
  requestReceivedTimestamp: string;
  objectRef?: { resource?: string; subresource?: string; apiGroup?: string };
  responseStatus?: { code?: number };
}

function toRequest(event: AuditEvent): Request | undefined {
  const { verb, stage, objectRef = {}, responseStatus, requestURI } = event;
  // A watch has a line when it begins and one when it ends.
  if (stage !== (verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete')) return undefined;
  const { resource = requestURI, subresource, apiGroup } = objectRef;
  return {
    verb,
    resource: `${resource}${apiGroup === undefined ? '' : `.${apiGroup}`}${subresource === undefined ? '' : `/${subresource}`}`,
    code: responseStatus?.code ?? 0,
    at: Date.parse(event.requestReceivedTimestamp),
    uri: requestURI,
  };
}

/** What an operator does while nothing happens: it watches, and holds its lease. */
export function isStanding({ verb, resource }: Request): boolean {
  return verb === 'watch' || resource === 'leases.coordination.k8s.io';
}

/** The count of a repeated event comes minutes after it: in idle time it tells of an earlier part. */
export function isSeries({ verb, resource }: Request): boolean {
  return verb === 'patch' && resource === 'events.events.k8s.io';
}

export function isWrite({ verb }: Request): boolean {
  return ['create', 'update', 'patch', 'delete', 'deletecollection'].includes(verb);
}

/** `verb resource` → how many, the most frequent first. */
export function countRequests(requests: readonly Request[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { verb, resource, code, uri } of requests) {
    const note = uri.includes('dryRun=All') ? ' (dry run)' : code >= 400 ? ` (${code})` : '';
    const key = `${verb} ${resource}${note}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
}

const FLOW_SCHEMA = 'bench-operator';

/** The flow that the operator's requests would be in anyhow, under a name of its own. */
export function flowSchema(namespace: string, name: string): object {
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name: FLOW_SCHEMA },
    spec: {
      priorityLevelConfiguration: { name: 'workload-low' },
      matchingPrecedence: 100,
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [{ kind: 'ServiceAccount', serviceAccount: { namespace, name } }],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
        },
      ],
    },
  };
}

/** Of the API server's metrics: how many requests it has begun to serve for the operator. */
export function dispatchedRequests(metrics: string): number {
  const lines = metrics
    .split('\n')
    .filter(
      (line) => line.startsWith('apiserver_flowcontrol_dispatched_requests_total') && line.includes(`"${FLOW_SCHEMA}"`),
    );
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
