// An Argo CD Application for a test, which syncs the commits of the test, with helpers for its state.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { parse, stringify } from 'yaml';
import { API_VERSION } from '../../src/api/meta.ts';
import type { Spec } from '../integration/release-objects.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { startArgoCD, type ArgoCD } from '../kind/argocd.ts';
import { execute } from '../kind/engine.ts';
import { test as base } from './gateway.ts';
import { api, e2e, kubectl, type Manifest, type World } from './world.ts';

const BRANCH = 'main';
const REFRESH = 'argocd.argoproj.io/refresh';

export type ArgoHealth = 'Healthy' | 'Progressing' | 'Suspended' | 'Degraded' | 'Missing';

/** The fields of an Application that the tests read. */
export interface ApplicationStatus {
  readonly sync?: { status: 'Synced' | 'OutOfSync' | 'Unknown'; revision?: string; revisions?: string[] };
  readonly health?: { status: ArgoHealth };
  readonly operationState?: { phase: string; message?: string };
  readonly conditions?: { type: string; message: string }[];
  readonly resources?: {
    kind: string;
    name: string;
    status: string;
    health?: { status: ArgoHealth; message?: string };
  }[];
}

const APPLICATIONS: Resource<KubeObject & { status?: ApplicationStatus }> = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Application',
  plural: 'applications',
  namespaced: true,
};

export interface Repository {
  readonly url: string;
  /** Commits the files, by path; undefined removes one. Returns the commit. */
  readonly commit: (message: string, files: Readonly<Record<string, string | undefined>>) => Promise<string>;
  /** Commits a copy of a folder. */
  readonly commitFolder: (message: string, from: string, to: string) => Promise<string>;
  /** Commits the reverse of the newest commit. */
  readonly revert: () => Promise<string>;
}

export interface Application {
  readonly name: string;
  readonly repository: Repository;
  readonly status: () => Promise<ApplicationStatus>;
  /** Commits the release, and notifies Argo CD like a webhook. */
  readonly release: (message: string, spec: Spec) => Promise<void>;
  readonly commit: Repository['commit'];
  readonly revert: () => Promise<void>;
  readonly refresh: (type?: 'normal' | 'hard') => Promise<void>;
  /** Waits until it is synced to the newest commit, and has the health and, if given, the message. */
  readonly becomes: (health: ArgoHealth, message?: RegExp) => Promise<void>;
  /** Changes the release directly in the cluster. */
  readonly patch: (change: object) => Promise<void>;
  /** How often the live state differed from Git without a change by the test. */
  readonly fights: () => Promise<number>;
  /** Runs the commands of docs/gitops.md for an action, with Argo CD's API server. */
  readonly run: (action: string) => Promise<void>;
}

interface Fixtures {
  argo: ArgoCD;
  app: Application;
}

export const test = base.extend<Fixtures>({
  argo: [
    // eslint-disable-next-line no-empty-pattern -- vitest requires this form
    async ({}, use) => {
      const { kubectl: file, cluster } = e2e;
      const argo = await startArgoCD({ kubectl: file, kubeconfigPath: cluster.kubeconfigPath });
      await runBlock(argo, 'patch configmap');
      await use(argo);
      await kubectl('delete', `--filename=${join(root, 'manifests/argocd/role-bindings.yaml')}`, '--ignore-not-found');
      await argo.stop();
    },
    { scope: 'file' },
  ],
  app: async ({ argo, world }, use) => {
    const repository = await createRepository(argo, world.namespace);
    const app = await createApplication(argo, world, repository, {
      source: { repoURL: repository.url, path: '.', targetRevision: BRANCH },
    });
    await use(app);
    const fights = await app.fights().finally(() => removeApplication(app.name));
    expect(fights).toBe(0);
  },
});

const root = join(import.meta.dirname, '../..');
const guide = await readFile(join(root, 'docs/gitops.md'), 'utf8');

/** The only block of docs/gitops.md in the language that contains the text. */
export function blockOf(language: string, text: string): string {
  const blocks = [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, block = '']) => block,
  );
  const found = blocks.filter((block) => block.includes(text));
  if (found.length !== 1) throw new Error(`${found.length} blocks of docs/gitops.md hold ${text}`);
  return found[0] ?? '';
}

/** Runs the commands of a block, with the test's Application and namespace. */
async function runBlock({ env }: ArgoCD, text: string, name = 'shop'): Promise<void> {
  const script = blockOf('sh', text).replaceAll(/\bshop\b/g, name);
  await execute('bash', ['-euo', 'pipefail', '-c', script], { env, cwd: root });
}

/** A bare repository that Argo CD reads, and a clone to commit in. */
export async function createRepository({ repositories }: ArgoCD, name: string): Promise<Repository> {
  const bare = join(repositories.folder, `${name}.git`);
  const clone = join(repositories.folder, name);
  const author = ['-c', 'user.name=e2e', '-c', 'user.email=e2e@example.com'];
  const git = (...args: string[]) => execute('git', ['-C', clone, ...author, ...args]);
  await execute('git', ['init', '--quiet', '--bare', `--initial-branch=${BRANCH}`, bare]);
  await execute('git', ['clone', '--quiet', bare, clone]);

  async function push(): Promise<string> {
    await git('push', '--quiet', 'origin', `HEAD:${BRANCH}`);
    return (await git('rev-parse', 'HEAD')).trim();
  }
  async function record(message: string): Promise<string> {
    await git('add', '--all');
    await git('commit', '--quiet', '--allow-empty', '--message', message);
    return push();
  }
  await record('Begin');
  return {
    url: `${repositories.url}/${name}.git`,
    commit: async (message, files) => {
      for (const [path, content] of Object.entries(files)) {
        const file = join(clone, path);
        if (content === undefined) await rm(file);
        else await mkdir(dirname(file), { recursive: true }).then(() => writeFile(file, content));
      }
      return record(message);
    },
    commitFolder: async (message, from, to) => {
      await cp(from, join(clone, to), { recursive: true });
      return record(message);
    },
    revert: async () => {
      await git('revert', '--no-edit', 'HEAD');
      return push();
    },
  };
}

/** An AppRelease in Git. */
export function manifestOf(spec: Spec, metadata: object = {}): string {
  return stringify({ apiVersion: API_VERSION, kind: 'AppRelease', metadata: { name: 'web', ...metadata }, spec });
}

export async function createApplication(
  argo: ArgoCD,
  world: World,
  repository: Repository,
  { destination = world.namespace, ...spec }: { destination?: string; [field: string]: unknown },
): Promise<Application> {
  const name = world.namespace;
  let newest: string | undefined;
  let changes = 0;

  function get() {
    return api.get(APPLICATIONS, { namespace: 'argocd', name });
  }
  async function status(): Promise<ApplicationStatus> {
    return (await get()).status ?? {};
  }
  async function refresh(type = 'normal'): Promise<void> {
    await kubectl('annotate', 'application', name, '--namespace=argocd', '--overwrite', `${REFRESH}=${type}`);
    // Argo CD removes the annotation afterwards.
    await world.until('the refresh', async () => (await get()).metadata.annotations?.[REFRESH] === undefined);
  }
  async function commit(...args: Parameters<Repository['commit']>): Promise<string> {
    changes += 1;
    newest = await repository.commit(...args);
    await refresh();
    return newest;
  }
  async function becomes(health: ArgoHealth, message = /(?:)/): Promise<void> {
    let seen: ApplicationStatus = {};
    await world
      .until(`Application ${health} ${message.source}`, async () => {
        seen = await status();
        const revisions = seen.sync?.revisions ?? [seen.sync?.revision];
        const synced = seen.sync?.status === 'Synced' && (newest === undefined || revisions.includes(newest));
        const release = seen.resources?.find(({ kind }) => kind === 'AppRelease');
        return synced && seen.health?.status === health && message.test(release?.health?.message ?? '');
      })
      .catch((cause: unknown) => {
        throw new Error(`the Application shows ${JSON.stringify(seen, undefined, 1)}`, { cause });
      });
  }

  const {
    metadata,
    spec: common,
    ...kind
  } = parse(blockOf('yaml', 'kind: Application')) as Manifest & { spec: object };
  const application = {
    ...kind,
    metadata: { ...metadata, name },
    spec: { ...common, destination: { server: argo.server, namespace: destination }, ...spec },
  };
  await execute(e2e.kubectl, [`--kubeconfig=${e2e.cluster.kubeconfigPath}`, 'create', '--filename=-'], {
    input: JSON.stringify(application),
  });
  return {
    name,
    repository,
    status,
    refresh,
    commit,
    becomes,
    release: async (message, own) => {
      await commit(message, { 'web.yaml': manifestOf(own) });
    },
    revert: async () => {
      changes += 1;
      newest = await repository.revert();
      await refresh();
    },
    patch: async (change) => {
      changes += 1;
      await world.kubectl('patch', 'apprelease', 'web', '--type=merge', `--patch=${JSON.stringify(change)}`);
    },
    fights: async () => {
      const events = ['get', 'events', '--namespace=argocd', `--field-selector=involvedObject.name=${name}`];
      const { items } = JSON.parse(await kubectl(...events, '--output=json')) as EventList;
      // The names end with the time. Argo CD detects again what it could not record.
      const changed = items
        .filter(({ message }) => message.startsWith('Updated sync status'))
        .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
        .filter(({ message }, index, all) => message !== all[index - 1]?.message);
      return Math.max(0, changed.filter(({ message }) => message.endsWith('Synced -> OutOfSync')).length - changes);
    },
    run: (action) => runBlock(argo, `run shop ${action} `, name),
  };
}

interface EventList {
  items: { metadata: { name: string }; message: string }[];
}

/** Removes the Application with all synced objects. */
export async function removeApplication(name: string): Promise<void> {
  await kubectl('delete', 'application', name, '--namespace=argocd', '--timeout=180s', '--ignore-not-found');
  await expect(kubectl('get', 'application', name, '--namespace=argocd')).rejects.toThrow('not found');
}
