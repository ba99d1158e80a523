// The operator's pods and related objects, for every value that changes them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Helm, Rendered, Values } from './helm.ts';
import { createHelm, EVERYTHING, find, idOf, isHook, NAME, NAMESPACE, operatorPod } from './helm.ts';

let helm: Helm;
let everything: Rendered[];

beforeAll(async () => {
  helm = await createHelm();
  everything = await helm.render(EVERYTHING);
});

afterAll(() => helm.close());

const LABELS = {
  'app.kubernetes.io/name': NAME,
  'app.kubernetes.io/instance': NAME,
  'app.kubernetes.io/component': 'operator',
};

async function podOf(values: Values) {
  return operatorPod(await helm.render(values));
}

async function argsOf(values: Values): Promise<readonly string[]> {
  return (await podOf(values)).containers[0].args;
}

describe('by default', () => {
  test('two replicas elect a leader and prefer different nodes', async () => {
    const objects = await helm.render();
    expect(find(objects, 'Deployment').spec).toMatchObject({ replicas: 2 });
    const { affinity, containers } = operatorPod(objects);
    expect(affinity).toEqual({
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 100,
            podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: LABELS } },
          },
        ],
      },
    });
    expect(containers[0].args).toContain(`--lease-name=${NAME}`);
    expect(containers[0].args.join(' ')).not.toContain('--leader-elect');
  });

  test('every container meets the restricted Pod Security Standard, with a read-only root', async () => {
    const objects = await helm.render();
    const pods = [operatorPod(objects), find(objects, 'Pod', `${NAME}-test`).spec as ReturnType<typeof operatorPod>];
    for (const pod of pods) {
      expect(pod).toMatchObject({
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(pod.containers[0]).toMatchObject({
        resources: { requests: {}, limits: {} },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      });
    }
  });

  test('one pod may be evicted at a time', async () => {
    expect(find(await helm.render(), 'PodDisruptionBudget').spec).toEqual({
      maxUnavailable: 1,
      selector: { matchLabels: LABELS },
    });
  });

  test('the Service exposes the health checks and the metrics', async () => {
    expect(find(await helm.render(), 'Service').spec).toMatchObject({
      selector: LABELS,
      ports: [
        { name: 'health', port: 8081 },
        { name: 'metrics', port: 8080 },
      ],
    });
  });

  test('there are no optional objects', async () => {
    const kinds = new Set((await helm.render()).map(({ kind }) => kind));
    for (const kind of ['ServiceMonitor', 'PodMonitor', 'PrometheusRule', 'ConfigMap'])
      expect(kinds).not.toContain(kind);
  });
});

describe('names', () => {
  test.each<[string, Values, string]>([
    ['apprelease', {}, 'apprelease-apprelease-operator'],
    ['apprelease-operator', {}, NAME],
    ['apprelease', { nameOverride: 'releases' }, 'apprelease-releases'],
    ['apprelease', { fullnameOverride: 'releases' }, 'releases'],
  ])('release %s with %j: %s', async (release, values, name) => {
    const objects = await helm.render(values, release);
    expect(operatorPod(objects, name).serviceAccountName).toBe(name);
    expect(operatorPod(objects, name).containers[0].args).toContain(`--lease-name=${name}`);
  });

  test('two releases select each their own pods', async () => {
    const selectors = await Promise.all(
      ['one', 'two'].map(async (release) => {
        const objects = await helm.render({}, release);
        return JSON.stringify(find(objects, 'Deployment', `${release}-${NAME}`).spec?.['selector']);
      }),
    );
    expect(selectors[0]).not.toBe(selectors[1]);
  });
});

describe('the image', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  test.each<[Values, string]>([
    [{}, 'apprelease/operator:0.1.0'],
    [{ registry: 'registry.example.com', tag: '1.2.3' }, 'registry.example.com/apprelease/operator:1.2.3'],
    [{ tag: '1.2.3', digest }, `apprelease/operator@${digest}`],
  ])('%j: %s', async (image, expected) => {
    const objects = await helm.render({ image });
    expect(operatorPod(objects).containers[0].image).toBe(expected);
    expect(find(objects, 'Pod', `${NAME}-test`).spec).toMatchObject({ containers: [{ image: expected }] });
  });
});

describe('flags', () => {
  test.each<[Values, string[]]>([
    [{ logLevel: 'warn', workers: 4 }, ['--log-level=warn', '--workers=4']],
    [{ leaderElection: { leaseDuration: '60s' } }, ['--lease-duration=60s', '--renew-deadline=10s']],
    [{ registry: { recheckInterval: '0s' } }, ['--registry-recheck-interval=0s']],
    [{ insecureRegistries: ['a:5000', 'b'] }, ['--insecure-registry=a:5000', '--insecure-registry=b']],
    [
      {
        registry: {
          privateNetworks: 'deny',
          allowNetworks: ['10.1.0.0/16', 'fd00::/8'],
          tokenServers: ['sso.example'],
        },
      },
      [
        '--registry-private-networks=deny',
        '--registry-allow-network=10.1.0.0/16',
        '--registry-allow-network=fd00::/8',
        '--registry-token-server=sso.example',
      ],
    ],
    [{ metrics: { port: 9090 } }, ['--metrics-address=:9090']],
    [{ metrics: { enabled: false } }, ['--metrics-address=off']],
    [{ metrics: { perPool: false } }, ['--metrics-per-pool=false']],
  ])('%j', async (values, flags) => {
    expect(await argsOf(values)).toEqual(expect.arrayContaining(flags));
  });

  test('extraArgs come last', async () => {
    expect((await argsOf({ extraArgs: ['--log-level=debug'] })).at(-1)).toBe('--log-level=debug');
  });

  test('without metrics there is no metrics port', async () => {
    const objects = await helm.render({ metrics: { enabled: false } });
    expect(operatorPod(objects).containers[0]['ports']).toEqual([{ name: 'health', containerPort: 8081 }]);
    expect(find(objects, 'Service').spec).toMatchObject({ ports: [{ name: 'health' }] });
  });
});

describe('registries', () => {
  test('the docker config comes from a Secret that the kubelet mounts', () => {
    const { containers, volumes } = operatorPod(everything);
    expect(containers[0].args).toContain('--registry-docker-config=/etc/apprelease/registry/config.json');
    expect(containers[0]['volumeMounts']).toContainEqual({
      name: 'registry',
      mountPath: '/etc/apprelease/registry',
      readOnly: true,
    });
    expect(volumes).toContainEqual({
      name: 'registry',
      secret: { secretName: 'registry', items: [{ key: '.dockerconfigjson', path: 'config.json' }] },
    });
  });

  test('the CA bundle comes from a ConfigMap', async () => {
    const { containers, volumes } = await podOf({ registry: { caBundle: { configMapName: 'ca', key: 'bundle.pem' } } });
    expect(containers[0].args).toContain('--registry-ca-file=/etc/apprelease/ca/ca.crt');
    expect(containers[0]['volumeMounts']).toEqual([{ name: 'ca', mountPath: '/etc/apprelease/ca', readOnly: true }]);
    expect(volumes).toEqual([
      { name: 'ca', configMap: { name: 'ca', items: [{ key: 'bundle.pem', path: 'ca.crt' }] } },
    ]);
  });

  test('without either no volume is mounted', async () => {
    const pod = await podOf({});
    expect(pod.volumes).toBeUndefined();
    expect(pod.containers[0]).not.toHaveProperty('volumeMounts');
  });
});

describe('scheduling', () => {
  test('nodes, taints, priority and spread', () => {
    expect(operatorPod(everything)).toMatchObject({
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ key: 'infra', operator: 'Exists', effect: 'NoSchedule' }],
      priorityClassName: 'system-cluster-critical',
      imagePullSecrets: [{ name: 'regcred' }],
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'topology.kubernetes.io/zone',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: LABELS },
        },
      ],
    });
  });

  test.each<[Values, string | undefined]>([
    [{ podAntiAffinity: 'required' }, 'requiredDuringSchedulingIgnoredDuringExecution'],
    [{ podAntiAffinity: 'off' }, undefined],
  ])('%j', async (values, key) => {
    const { affinity } = await podOf(values);
    if (key === undefined) expect(affinity).toBeUndefined();
    else expect(affinity).toHaveProperty(['podAntiAffinity', key, 0, 'topologyKey'], 'kubernetes.io/hostname');
  });

  test('a custom affinity replaces it', async () => {
    const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } };
    expect((await podOf({ affinity })).affinity).toEqual(affinity);
  });
});

describe('the PodDisruptionBudget', () => {
  test.each<[Values, object]>([
    [{ maxUnavailable: '50%' }, { maxUnavailable: '50%' }],
    [{ minAvailable: 1 }, { minAvailable: 1 }],
    [{ minAvailable: 0 }, { minAvailable: 0 }],
  ])('%j', async (podDisruptionBudget, expected) => {
    const { spec } = find(await helm.render({ podDisruptionBudget }), 'PodDisruptionBudget');
    const { selector: _selector, ...budget } = spec ?? {};
    expect(budget).toEqual(expected);
  });

  test('can be disabled', async () => {
    const kinds = (await helm.render({ podDisruptionBudget: { enabled: false } })).map(({ kind }) => kind);
    expect(kinds).not.toContain('PodDisruptionBudget');
  });
});

describe('the NetworkPolicy', () => {
  test('by default lets only namespaces with a label read the metrics, and limits no egress', async () => {
    const { spec } = find(await helm.render(), 'NetworkPolicy');
    expect(spec).toMatchObject({ policyTypes: ['Ingress'] });
    expect(spec).not.toHaveProperty('egress');
    expect((spec as { ingress: { ports: { port: string }[] }[] }).ingress.map(({ ports }) => ports[0]?.port)).toEqual([
      'health',
      'metrics',
    ]);
    expect(spec).toMatchObject({
      ingress: [{}, { from: [{ namespaceSelector: { matchLabels: { metrics: 'enabled' } } }] }],
    });
  });

  test('can let everyone read the metrics, and be left out', async () => {
    const open = find(await helm.render({ networkPolicy: { metricsFrom: [] } }), 'NetworkPolicy').spec;
    expect((open as { ingress: object[] }).ingress[1]).toEqual({ ports: [{ port: 'metrics', protocol: 'TCP' }] });
    const kinds = (await helm.render({ networkPolicy: { enabled: false } })).map(({ kind }) => kind);
    expect(kinds).not.toContain('NetworkPolicy');
  });

  test('allows the test and scrapers in, and with limitEgress DNS, the API server and registries out', () => {
    expect(find(everything, 'NetworkPolicy').spec).toEqual({
      podSelector: { matchLabels: LABELS },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          ports: [{ port: 'health', protocol: 'TCP' }],
          from: [{ podSelector: { matchLabels: { ...LABELS, 'app.kubernetes.io/component': 'test' } } }],
        },
        {
          ports: [{ port: 'metrics', protocol: 'TCP' }],
          from: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }],
        },
      ],
      egress: [
        {
          ports: [
            { port: 53, protocol: 'UDP' },
            { port: 53, protocol: 'TCP' },
          ],
        },
        {
          ports: [
            { port: 443, protocol: 'TCP' },
            { port: 6443, protocol: 'TCP' },
          ],
        },
      ],
    });
  });

  test('can allow further ingress', async () => {
    const rule = { ports: [{ port: 8081, protocol: 'TCP' }] };
    const networkPolicy = { extraIngress: [rule] };
    const { spec } = find(await helm.render({ networkPolicy, metrics: { enabled: false } }), 'NetworkPolicy');
    expect(spec).toMatchObject({ policyTypes: ['Ingress'], ingress: [{ from: [{}] }, rule] });
  });
});

describe('labels and annotations', () => {
  test('common ones are on every object and on the pods', () => {
    for (const object of everything) {
      expect(object.metadata.labels, idOf(object)).toMatchObject({ team: 'platform' });
      expect(object.metadata.annotations, idOf(object)).toMatchObject({ 'example.com/owner': 'platform' });
    }
    expect(find(everything, 'Deployment').spec).toMatchObject({
      template: {
        metadata: {
          labels: { ...LABELS, team: 'platform', 'example.com/sidecar': 'off' },
          annotations: { 'example.com/scrape': 'no', 'example.com/owner': 'platform' },
        },
      },
    });
    expect(find(everything, 'Deployment').metadata.annotations).toMatchObject({ 'example.com/reload': 'yes' });
  });

  test('no custom label breaks a selector', async () => {
    const labels = { 'app.kubernetes.io/name': 'mine' };
    const objects = await helm.render({ commonLabels: labels, podLabels: labels });
    expect(find(objects, 'Deployment').spec).toMatchObject({
      selector: { matchLabels: LABELS },
      template: { metadata: { labels: LABELS } },
    });
  });

  test('every namespaced object is in the namespace of the release', () => {
    const cluster = /^(ClusterRole|CustomResource|ValidatingAdmission)/;
    for (const { kind, metadata } of everything)
      expect(metadata.namespace, kind).toBe(cluster.test(kind) ? undefined : NAMESPACE);
  });

  test('the only hook is the test', () => {
    expect(everything.filter(isHook).map(idOf)).toEqual([`Pod ${NAMESPACE}/${NAME}-test`]);
  });
});

test('further environment, volumes and mounts', () => {
  const { containers, volumes } = operatorPod(everything);
  expect(containers[0]['env']).toContainEqual({ name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' });
  expect(containers[0]['volumeMounts']).toContainEqual({ name: 'scratch', mountPath: '/scratch' });
  expect(volumes).toContainEqual({ name: 'scratch', emptyDir: {} });
});

describe('the CRDs', () => {
  const crdsOf = (objects: readonly Rendered[]) => objects.filter(({ kind }) => kind === 'CustomResourceDefinition');

  test('are kept, unless told otherwise', async () => {
    const kept = crdsOf(await helm.render()).map(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy']);
    expect(kept).toEqual(['keep', 'keep', 'keep', 'keep']);
    for (const { metadata } of crdsOf(await helm.render({ crds: { keep: false } })))
      expect(metadata).not.toHaveProperty('annotations');
  });

  test('can be left out', async () => {
    expect(crdsOf(await helm.render({ crds: { install: false } }))).toEqual([]);
  });
});
