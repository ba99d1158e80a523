/** The values that a placeholder stands for, read from the cluster or the kubeconfig. */
import { CONDITIONS, reasonsOfKind } from '../../api/reasons.ts';
import { APP_RELEASES, VM_POOLS } from '../../controller/kinds/api-kinds.ts';
import { NAMESPACES } from '../../controller/kinds/namespaces.ts';
import type { KubeObject, Resource } from '../../kube/types.ts';
import type { Io } from '../io.ts';
import { chooseCluster, loadFiles } from '../kubeconfig.ts';
import type { LiveRelease } from '../read/releases.ts';
import { readRelease } from '../read/releases.ts';
import type { Session } from '../session.ts';
import { connect } from '../session.ts';
import type { Line, Word } from './question.ts';

/** Seconds. A shell waits for the answer. */
const REQUEST_TIMEOUT_S = 3;
/** A shell shows no more anyway. */
const MOST = 500;

export const PLACEHOLDERS = [
  'name',
  'version',
  'revision',
  'pool',
  'stage',
  'goal',
  'vmpool',
  'namespace',
  'context',
  'cluster',
  'user',
  'reason',
] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

/** Empty where nothing can be read: a completion has no place for an error. */
export async function valuesOf(placeholder: string, { positional, options }: Line, io: Io): Promise<Word[]> {
  const known = PLACEHOLDERS.find((one) => one === placeholder);
  if (!known) return [];
  try {
    return await read(known, positional[0], options, io);
  } catch {
    return [];
  }
}

async function read(placeholder: Placeholder, name: string | undefined, options: Line['options'], io: Io) {
  switch (placeholder) {
    case 'context':
    case 'cluster':
    case 'user': {
      const config = loadFiles(options, io);
      const entries = { context: config.getContexts(), cluster: config.getClusters(), user: config.getUsers() };
      return entries[placeholder].map((entry) => word(entry.name));
    }
    case 'reason':
      return [...new Set((Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[]).flatMap(reasonsOfKind))]
        .sort()
        .map((reason) => word(reason));
    case 'namespace':
      return withClient(options, io, (session) => names(session, NAMESPACES));
    case 'vmpool':
      return withClient(options, io, (session) => names(session, VM_POOLS));
    case 'name':
      return withClient(options, io, (session) => names(session, APP_RELEASES, session.namespace));
    case 'version':
    case 'revision':
    case 'pool':
    case 'stage':
    case 'goal':
      if (name === undefined) return [];
      return withClient(options, io, async ({ client, namespace }) =>
        wordsOf(placeholder, await readRelease(client, namespace, name)),
      );
  }
}

/** Names of parts of a release. */
export function wordsOf(
  placeholder: 'version' | 'revision' | 'pool' | 'stage' | 'goal',
  { spec, status }: Pick<LiveRelease, 'spec' | 'status'>,
): Word[] {
  const history = status?.history ?? [];
  switch (placeholder) {
    case 'stage':
      return spec.stages.map(({ name }) => word(name));
    case 'pool':
      return spec.stages.flatMap(({ name, pools }) => pools.map((pool) => word(pool.name, `stage ${name}`)));
    case 'goal':
      return spec.stages.flatMap(({ name, pools }) => [
        word(`stage/${name}`),
        ...pools.map((pool) => word(`pool/${pool.name}`)),
      ]);
    case 'revision':
      return history.map(({ revision, version, outcome }) => word(String(revision), `${version}, ${outcome}`));
    case 'version': {
      const outcomes = new Map<string, string>();
      for (const { version, outcome } of history) if (!outcomes.has(version)) outcomes.set(version, outcome);
      return [...outcomes].map(([version, outcome]) => word(version, outcome));
    }
  }
}

async function names({ client }: Pick<Session, 'client'>, resource: Resource, namespace?: string): Promise<Word[]> {
  const { items } = await client.list<KubeObject>(resource, {
    ...(namespace !== undefined && { namespace }),
    limit: MOST,
    resourceVersion: '0',
  });
  return items.map(({ metadata }) => word(metadata.name));
}

async function withClient<T>(
  options: Line['options'],
  io: Io,
  ask: (session: Pick<Session, 'client' | 'namespace'>) => Promise<T>,
): Promise<T> {
  const { source, namespace } = chooseCluster(options, { ...io, canAsk: false });
  const client = connect(source, REQUEST_TIMEOUT_S);
  try {
    return await ask({ client, namespace });
  } finally {
    await client.close();
  }
}

function word(text: string, help = ''): Word {
  return { text, help };
}
