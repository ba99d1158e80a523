// The test cluster behaves as the tests expect.
import { existsSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startControlPlane } from '../cluster/control-plane.ts';
import { pushImage } from '../cluster/images.ts';
import { serviceAccountKubeconfig } from '../cluster/kubeconfig.ts';
import { connect } from '../cluster/kubectl.ts';
import { isAlive } from '../cluster/lock.ts';
import { addNodes, setNodeReady } from '../cluster/nodes.ts';
import { registryFetch } from '../cluster/registry-client.ts';
import { startRegistry } from '../cluster/registry.ts';
import { behaviourAnnotation, imageAnnotationPrefix } from '../cluster/stages.ts';
import { startTokenServer } from '../cluster/token-server.ts';
import type { Behaviour } from '../cluster/types.ts';
import { ownCluster } from './own-cluster.ts';

const cluster = ownCluster();
const namespace = 'cluster-test';
const digest = `sha256:${'0123'.repeat(16)}`;

interface Status {
  readonly phase: string;
  readonly podIP?: string;
  readonly conditions: readonly { readonly type: string; readonly lastTransitionTime: string }[];
  readonly containerStatuses: readonly ContainerStatus[];
}

interface ContainerStatus {
  readonly imageID: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: {
    readonly running?: { readonly startedAt: string };
    readonly waiting?: { readonly reason: string; readonly message: string };
  };
}

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: Status;
}

async function kubectl(...args: string[]): Promise<string> {
  return cluster.kubectl([`--namespace=${namespace}`, ...args]);
}

async function deploy(name: string, replicas: number, image = `127.0.0.1:5000/shop/${name}:1.0@${digest}`) {
  const labels = { app: name };
  // The nodes of all pools have room for 1100 pods.
  const tolerations = [{ operator: 'Exists' }];
  const containers = [
    { name: 'main', image },
    { name: 'sidecar', image: 'sidecar:2.1' },
  ];
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers, initContainers: [{ name: 'init', image: 'init:1.0' }], tolerations },
      },
    },
  };
  await cluster.kubectl([`--namespace=${namespace}`, 'apply', '-f', '-'], { input: JSON.stringify(deployment) });
}

async function podsOf(app: string): Promise<Pod[]> {
  return (JSON.parse(await kubectl('get', 'pods', `--selector=app=${app}`, '--output=json')) as { items: Pod[] }).items;
}

/** The status of the first container of the app's first pod, once it satisfies the condition. */
async function firstContainer(app: string, condition: (status: ContainerStatus) => boolean): Promise<ContainerStatus> {
  return eventually(async () => {
    const [pod] = await podsOf(app);
    const status = pod?.status.containerStatuses[0];
    if (status === undefined || !condition(status)) throw new Error(`not yet: ${JSON.stringify(pod?.status)}`);
    return status;
  });
}

async function eventually<T>(check: () => Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 30_000, interval: 200 });
}

async function available(name: string): Promise<void> {
  await kubectl('wait', `deployment/${name}`, '--for=condition=Available', '--timeout=60s');
}

beforeAll(async () => {
  await cluster.kubectl(['create', 'namespace', namespace]);
});

afterAll(async () => {
  await cluster.kubectl(['delete', 'namespace', namespace]);
});

describe('a healthy workload', () => {
  beforeAll(async () => {
    await deploy('web', 3);
    await available('web');
  });

  test('runs with address and digest', async () => {
    const pods = await podsOf('web');
    expect(pods).toHaveLength(3);
    expect(new Set(pods.map((pod) => pod.status.podIP)).size).toBe(3);
    for (const { status } of pods) {
      expect(status.phase).toBe('Running');
      expect(status.containerStatuses.map(({ ready }) => ready)).toEqual([true, true]);
      expect(status.containerStatuses[0]?.imageID).toBe(`127.0.0.1:5000/shop/web@${digest}`);
    }
  });

  test('has ready addresses in the EndpointSlices of its Service', async () => {
    await kubectl('expose', 'deployment/web', '--port=80');
    await eventually(async () => {
      const jsonpath = '{.items[*].endpoints[*].conditions.ready}';
      const ready = await kubectl(
        'get',
        'endpointslices',
        '-lkubernetes.io/service-name=web',
        `--output=jsonpath=${jsonpath}`,
      );
      expect(ready).toBe('true true true');
    });
  });

  test('leaves its image on the nodes, until the image is removed there', async () => {
    const node = (await podsOf('web'))[0]?.spec.nodeName ?? '';
    const images = () => cluster.kubectl(['get', 'node', node, '--output=jsonpath={.status.images[*].names[*]}']);
    await eventually(async () => {
      expect(await images()).toContain(`127.0.0.1:5000/shop/web@${digest}`);
    });
    const annotations = await cluster.kubectl(['get', 'node', node, '--output=jsonpath={.metadata.annotations}']);
    const keys = Object.keys(JSON.parse(annotations) as object).filter((key) => key.startsWith(imageAnnotationPrefix));
    await cluster.kubectl(['annotate', 'node', node, ...keys.map((key) => `${key}-`)]);
    await eventually(async () => {
      expect(await images()).toBe('');
    });
  });

  test('turns unready and ready again when its annotation says so', async () => {
    const name = (await podsOf('web'))[0]?.metadata.name ?? '';
    for (const [behaviour, ready] of [
      ['unready', 'False'],
      ['ready', 'True'],
    ] as const) {
      await kubectl('annotate', 'pod', name, `${behaviourAnnotation}=${behaviour}`, '--overwrite');
      await kubectl('wait', `pod/${name}`, `--for=condition=Ready=${ready}`, '--timeout=30s');
    }
  });

  test('loses the pods of a failed node, and gets them back with the node', async () => {
    const pod = (await podsOf('web'))[0];
    const node = pod?.spec.nodeName ?? '';
    await setNodeReady(cluster, node, false);
    await kubectl('wait', `pod/${pod?.metadata.name ?? ''}`, '--for=condition=Ready=False', '--timeout=30s');
    await eventually(async () => {
      const taints = await cluster.kubectl(['get', 'node', node, '--output=jsonpath={.spec.taints[*].key}']);
      expect(taints).toContain('node.kubernetes.io/unreachable');
    });
    await setNodeReady(cluster, node, true);
    await available('web');
    await kubectl('wait', 'pod', '--selector=app=web', '--for=condition=Ready', '--timeout=30s');
  });

  test('disappears soon after its deletion', async () => {
    await kubectl('delete', 'deployment/web', 'service/web');
    await eventually(async () => {
      expect(await podsOf('web')).toEqual([]);
    });
  });
});

describe('behaviour by the name of the image', () => {
  const behaviours: Behaviour[] = [
    'never-ready',
    'crash-loop',
    'missing',
    'registry-down',
    'slow-start',
    'wrong-digest',
  ];

  beforeAll(async () => {
    for (const behaviour of behaviours)
      await deploy(behaviour, 1, `127.0.0.1:5000/shop/web:1.0-${behaviour}@${digest}`);
  });

  test('never-ready runs without being ready', async () => {
    const status = await firstContainer('never-ready', ({ state }) => state.running !== undefined);
    expect(status.ready).toBe(false);
  });

  test('crash-loop restarts and backs off', async () => {
    const status = await firstContainer('crash-loop', ({ restartCount }) => restartCount >= 3);
    expect(status.state.waiting?.reason).toBe('CrashLoopBackOff');
  });

  test.each([
    ['missing', /not found$/],
    ['registry-down', /503 Service Unavailable$/],
  ])('%s cannot be pulled', async (behaviour, message) => {
    const status = await firstContainer(behaviour, ({ state }) => state.waiting?.reason === 'ImagePullBackOff');
    expect(status.state.waiting?.message).toMatch(message);
    expect(status.imageID).toBe('');
  });

  test('slow-start becomes ready 5 s later than it runs', async () => {
    await available('slow-start');
    const status = (await podsOf('slow-start'))[0]?.status;
    const running = Date.parse(status?.containerStatuses[0]?.state.running?.startedAt ?? '');
    const ready = Date.parse(status?.conditions.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? '');
    // Both times are rounded down to seconds.
    expect(ready - running).toBeGreaterThanOrEqual(4000);
  });

  test('wrong-digest is ready with another digest', async () => {
    const status = await firstContainer('wrong-digest', ({ ready }) => ready);
    expect(status.imageID).toMatch(/^127\.0\.0\.1:5000\/shop\/web@sha256:[0-9a-f]{64}$/);
    expect(status.imageID).not.toContain(digest);
  });
});

test('400 pods become ready', async () => {
  await deploy('many', 400);
  await kubectl('rollout', 'status', 'deployment/many', '--timeout=110s');
  await kubectl('delete', 'deployment/many');
});

test('a Job completes', async () => {
  await kubectl('create', 'job', 'once', '--image=once:1.0');
  await kubectl('wait', 'job/once', '--for=condition=Complete', '--timeout=90s');
});

test('a service account may do what its roles allow', async () => {
  await kubectl('create', 'serviceaccount', 'reader');
  await kubectl('create', 'rolebinding', 'reader', '--clusterrole=view', `--serviceaccount=${namespace}:reader`);
  const path = join(cluster.dir, 'reader.kubeconfig');
  const kubeconfigPath = await serviceAccountKubeconfig(cluster, { namespace, name: 'reader', path });
  const reader = connect({ ...cluster, kubeconfigPath });
  // The aggregated role `view` gets its rules shortly after the start.
  await eventually(() => reader.kubectl(['get', 'configmaps', `--namespace=${namespace}`]));
  await expect(reader.kubectl(['get', 'secrets', `--namespace=${namespace}`])).rejects.toThrow('Forbidden');
});

test('admission policies mutate and validate', async () => {
  const match = {
    resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
  };
  const apply = (kind: string, spec: object, bindingSpec: object) => {
    const apiVersion = 'admissionregistration.k8s.io/v1';
    const policy = { apiVersion, kind, metadata: { name: 'cluster-test' }, spec };
    const binding = { ...policy, kind: `${kind}Binding`, spec: { policyName: 'cluster-test', ...bindingSpec } };
    const list = { apiVersion: 'v1', kind: 'List', items: [policy, binding] };
    return cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
  };
  const applyConfiguration = { expression: 'Object{metadata: Object.metadata{labels: {"mutated": "yes"}}}' };
  await apply(
    'MutatingAdmissionPolicy',
    {
      matchConstraints: match,
      reinvocationPolicy: 'Never',
      mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration }],
    },
    {},
  );
  await apply(
    'ValidatingAdmissionPolicy',
    {
      matchConstraints: match,
      validations: [{ expression: "object.metadata.name != 'forbidden'", message: 'not that name' }],
    },
    { validationActions: ['Deny'] },
  );
  try {
    await eventually(async () => {
      const create = ['create', 'configmap', '--dry-run=server', '--output=jsonpath={.metadata.labels.mutated}'];
      expect(await kubectl(...create, 'allowed')).toBe('yes');
      await expect(kubectl(...create, 'forbidden')).rejects.toThrow('not that name');
    });
  } finally {
    const kinds = ['validatingadmissionpolicy', 'mutatingadmissionpolicy'];
    const names = kinds.flatMap((kind) => [`${kind}/cluster-test`, `${kind}binding/cluster-test`]);
    await cluster.kubectl(['delete', ...names]);
  }
});

describe('a control plane of its own', () => {
  test('survives a restart of its API server and leaves nothing behind', async () => {
    const own = await startControlPlane();
    const before = own.pids();
    try {
      await addNodes(own, { name: 'vm', count: 1 });
      await own.killApiServer();
      await expect(own.kubectl(['get', 'nodes'])).rejects.toThrow();
      await own.startApiServer();
      expect(await own.kubectl(['get', 'nodes', '--output=name'])).toBe('node/vm-0\n');
      expect(own.pids()['kube-apiserver']).not.toBe(before['kube-apiserver']);
    } finally {
      await own.stop();
    }
    expect(Object.values(before).filter(isAlive)).toEqual([]);
    expect(existsSync(own.dir)).toBe(false);
  });

  test('ends with the process that started it', async () => {
    const script = `
      import { startControlPlane } from '${join(import.meta.dirname, '../cluster/control-plane.ts')}';
      const { dir, pids } = await startControlPlane();
      console.log(JSON.stringify({ dir, pids: Object.values(pids()) }));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { dir, pids } = JSON.parse(line.toString()) as { dir: string; pids: number[] };
    expect(pids.filter(isAlive)).toHaveLength(5);
    parent.kill('SIGKILL');
    await eventually(() => {
      expect(pids.filter(isAlive)).toEqual([]);
      expect(existsSync(dir)).toBe(false);
      return Promise.resolve();
    });
  });
});

describe('the registry', () => {
  test('keeps images over a restart, and moves tags', async () => {
    const registry = await startRegistry();
    try {
      const first = await pushImage(registry, 'example/web', '1.0.0', { platforms: ['linux/amd64', 'linux/arm64'] });
      await registry.restart();
      const manifest = await registryFetch(registry, `/v2/example/web/manifests/${first.digest}`, {
        headers: { accept: 'application/vnd.oci.image.index.v1+json' },
      });
      const index = (await manifest.json()) as { manifests: { digest: string }[] };
      expect(index.manifests.map((entry) => entry.digest)).toEqual(Object.values(first.manifests));
      const second = await pushImage(registry, 'example/web', '1.0.0', { content: 'moved' });
      expect(second.digest).not.toBe(first.digest);
      const { headers } = await registryFetch(registry, '/v2/example/web/manifests/1.0.0', {
        method: 'HEAD',
        headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
      });
      expect(headers.get('docker-content-digest')).toBe(second.digest);
    } finally {
      await registry.stop();
    }
  });

  test('asks for a password, over TLS', async () => {
    const tls = { certFile: cluster.caFile, keyFile: cluster.caFile.replace(/crt$/, 'key') };
    const registry = await startRegistry({ auth: { htpasswd: { user: 'alice', password: 'secret' } }, tls });
    try {
      await pushImage(registry, 'example/web', '1.0.0');
      const anonymous = await registryFetch({ ...registry, auth: 'none' }, '/v2/example/web/tags/list');
      expect(anonymous.status).toBe(401);
      expect(anonymous.headers.get('www-authenticate')).toMatch(/^Basic /);
    } finally {
      await registry.stop();
    }
  });

  test('asks for a token', async () => {
    const token = await startTokenServer();
    const registry = await startRegistry({ auth: { token } });
    try {
      const { digest: pushed } = await pushImage(registry, 'example/web', '1.0.0');
      expect(pushed).toMatch(/^sha256:/);
      expect(token.issued()).toBeGreaterThan(0);
      const anonymous = await registryFetch({ ...registry, auth: 'none' }, '/v2/example/web/tags/list');
      expect(anonymous.status).toBe(401);
      expect(anonymous.headers.get('www-authenticate')).toContain(`realm="${token.realm}"`);
    } finally {
      await registry.stop();
      await token.stop();
    }
  });
});
